"""Streams: how far each was read, what may be missing, and spans that are read again."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.queries import alarms, streams
from ui.doors import Door
from ui.visits import Visit

#: So many back-fills are listed.
BACKFILLS = 20


def listing(visit: Visit) -> Response:
    """List the streams with their gaps, and the latest back-fills."""
    console = visit.console
    found = alarms.listing(console.view, console.watched)
    values = {
        "streams": streams.listing(console.view, console.watched, found, console.polls.going),
        "backfills": streams.backfills(console.view, limit=BACKFILLS),
    }
    return visit.show("streams.html", values)


async def backfill(visit: Visit) -> Response:
    """Order a span of a stream to be read again."""
    await visit.console.backfills.order(
        visit.place("connection"),
        visit.place("stream"),
        since=_moment(visit.form.get("since", ""), "From"),
        until=_moment(until, "To") if (until := visit.form.get("until", "")) else None,
        actor=visit.actor,
        reason=visit.form.get("reason", ""),
    )
    return visit.go("/streams", said="backfill-ordered")


async def cancel(visit: Visit) -> Response:
    """End a back-fill."""
    await visit.console.backfills.cancel(visit.place("id"), actor=visit.actor, reason=visit.form.get("reason", ""))
    return visit.go("/streams", said="backfill-cancelled")


async def settle(visit: Visit) -> Response:
    """Say that somebody has seen to what may be missing."""
    await visit.console.streams.settle_gap(
        visit.place("connection"), visit.place("stream"), actor=visit.actor, reason=visit.form.get("reason", "")
    )
    return visit.go("/streams", said="gap-settled")


def _moment(text: str, field: str) -> datetime:
    """Read what a browser's field for a date and a time gives; it is UTC, as the label says."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise FixData(f"`{field}` is a day and a time, such as 2026-01-05T06:00.", code="bad-time") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


DOORS = (
    Door(method="GET", path="/streams", needs=Permission.VIEW, handler=listing),
    Door(
        method="POST",
        path="/streams/{connection}/{stream}/backfill",
        needs=Permission.CONTROL_STREAM,
        handler=backfill,
    ),
    Door(
        method="POST",
        path="/streams/{connection}/{stream}/settle-gap",
        needs=Permission.CONTROL_STREAM,
        handler=settle,
    ),
    Door(method="POST", path="/backfills/{id}/cancel", needs=Permission.CONTROL_STREAM, handler=cancel),
)
