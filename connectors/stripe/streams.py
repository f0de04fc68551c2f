"""Everything that happened, oldest first: the way to catch up on webhooks that never came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.settings import StripeSettings
from connectors.stripe.webhook import read_event
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent

#: An event may come to light a little later than events after it.
OVERLAP = timedelta(minutes=2)
#: How long Stripe gives an event: https://docs.stripe.com/api/events
KEPT = timedelta(days=30)
#: The first span of time asked for, in seconds, and how many events make it too long.
SPAN = 3600
MOST_EVENTS = 1000


async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield events oldest first, although Stripe lists the newest first: span by span of time.

    The cursor is the second behind the last event read. Stripe keeps events for 30 days; what is older is gone.
    """
    newest = await _newest(session)
    if newest is None:
        return
    # An earlier release named the last events behind the second.
    begin = int(cursor.partition(" ")[0]) if cursor else int(since.timestamp())
    span = SPAN
    while begin <= newest:
        end = min(begin + span, newest + 1)
        events = await _between(session, begin, end)
        if events is None:
            span = max(1, (end - begin) // 2)
            continue
        if events:
            yield Page(events=events, cursor=str(int(events[-1].occurred_at.timestamp()) + 1))
        begin = end
        span = span * 2 if len(events) < MOST_EVENTS // 4 else span


async def _newest(session: Session) -> int | None:
    settings = settings_of(session)
    query = {"limit": 1, **_types(settings)}
    listed = read_object(await session.send(reading(settings, "events", query=query)), "list")
    try:
        return int(listed["data"][0]["created"]) if listed["data"] else None
    except (KeyError, TypeError, ValueError) as error:
        raise OutcomeUnknown("The page of events cannot be read.", code="unreadable-answer") from error


async def _between(session: Session, begin: int, end: int) -> list[InboundEvent] | None:
    """Give the events from `begin` to before `end`, oldest first; None when there are too many to hold at once."""
    found: list[InboundEvent] = []
    query = {"created": {"gte": begin, "lt": end}, **_types(settings_of(session))}
    async for page in pages(session, "events", query=query):
        found.extend(_read(value) for value in page)
        if len(found) > MOST_EVENTS and end - begin > 1:
            return None
    found.reverse()
    return found


def _types(settings: StripeSettings) -> dict[str, Any]:
    return {"types": list(settings.event_types)} if settings.event_types else {}


def _read(value: Any) -> InboundEvent:
    try:
        return read_event(value)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise OutcomeUnknown("An event in the list cannot be read.", code="unreadable-answer") from error


STREAMS = (Stream(name="events", title="All events of the last 30 days", pull=pull, overlap=OVERLAP, keeps=KEPT),)
