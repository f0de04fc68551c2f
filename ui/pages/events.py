"""Events: what came in, and what became of it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.model.event import EventState
from hub.queries import events
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List events by state."""
    state = visit.query("state")
    if state is not None and state not in set(EventState):
        raise FixData("There is no such state of an event.", code="unknown-state", known=", ".join(EventState))
    wanted = EventState(state) if state else None
    page = events.listing(visit.console.view, state=wanted, before=visit.query("before"))
    values: dict[str, Any] = {
        "page": page,
        "state": wanted,
        "states": tuple(EventState),
        "paged": visit.query("before") is not None,
    }
    return visit.part("event_rows.html", **values) if visit.wants_part else visit.page("events.html", **values)


def detail(visit: Visit) -> Response:
    """Show one event with the runs it started."""
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    return visit.page("event.html", detail=events.detail(visit.console.view, visit.place("id"), payloads=payloads))


DOORS = (
    Door(method="GET", path="/events", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/events/{id}", needs=Permission.VIEW, handler=detail),
)
