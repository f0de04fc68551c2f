"""What the service recorded, in order: the way to catch up on webhooks that never came."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from connectors.helloworld.client import address, settings_of
from connectors.helloworld.webhook import read_event
from hub.sdk.answers import read_object
from hub.sdk.connector import Page, Stream
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import InboundEvent, Request

#: The most events the service gives in one page.
PAGE_SIZE = 100
#: How late an event may be in the list, behind others that happened after it.
OVERLAP = timedelta(seconds=30)


async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
    """Yield pages of events; the cursor is the id of the last event read.

    The events are those of the webhooks, with the same ids, so that one that came both ways is taken once.
    """
    settings = settings_of(session)
    while True:
        query = {"limit": str(PAGE_SIZE)} | ({"after": cursor} if cursor else {"since": since.isoformat()})
        answer = read_object(await session.send(Request(method="GET", url=address(settings, "events", query=query))))
        try:
            events = [read_event(value) for value in answer["events"]]
        except (KeyError, TypeError, ValueError) as error:
            raise OutcomeUnknown("The page of events cannot be read.", code="unreadable-answer") from error
        if events:
            cursor = events[-1].external_id
            yield Page(events=events, cursor=cursor)
        if not answer.get("has_more") or not events:
            return


def number(event: InboundEvent) -> int | None:
    """Give the place of an event: the service counts them one by one, and their ids say it (`evt_000017`)."""
    digits = event.external_id.removeprefix("evt_")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None


STREAMS = (Stream(name="events", title="All events", pull=pull, overlap=OVERLAP, number=number),)
