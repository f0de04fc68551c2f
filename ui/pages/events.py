"""Events: what came in, what became of it, and the release of what was kept back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.model.event import EventFilter, EventState
from hub.queries import events
from ui.doors import Door
from ui.progress import Progress
from ui.visits import Visit

_WORDS = ("state", "show", "text", "connection", "type", "schema", "kind", "path", "code", "before")
#: What a release of many takes over from the list that is shown.
_RELEASED_BY = ("state", "show", "connection", "type", "schema", "kind", "path", "code")


def listing(visit: Visit) -> Response:
    """List events by the filters of the address."""
    given = {name: value for name in _WORDS if (value := visit.query(name)) is not None}
    wanted = _wanted(given)
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    page = events.listing(visit.console.view, wanted, payloads=payloads, before=given.get("before"))
    values: dict[str, Any] = {
        "page": page,
        "filter": wanted,
        "address": _address(given),
        "older": _address({**given, "before": page.next}) if page.next else None,
        "paged": "before" in given,
        "narrowed": any(name in given for name in _WORDS if name not in ("state", "show", "before")),
    }
    if visit.wants_part:
        return visit.part("event_rows.html", **values)
    return visit.page(
        "events.html",
        given=given,
        tabs=_tabs(given, events.counts(visit.console.view)),
        chosen={name: given[name] for name in _RELEASED_BY if name in given},
        **values,
    )


def detail(visit: Visit) -> Response:
    """Show one event: its findings, what became of it, its runs and its data."""
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    found = events.detail(visit.console.view, visit.place("id"), payloads=payloads)
    return visit.page("event.html", detail=found, current=visit.console.bundle().id)


async def release(visit: Visit) -> Response:
    """Let a kept event start what it should have started."""
    done = await visit.console.event_orders.release(
        visit.place("id"), actor=visit.actor, reason=visit.form.get("reason", "")
    )
    said = "released-before" if done.already else "event-released" if done.runs or done.became else "event-unwanted"
    return visit.go(f"/events/{visit.place('id')}", said=said)


async def release_all(visit: Visit) -> Response:
    """Release the events of a list, the oldest first and some at a time."""
    chosen = {name: visit.form[name] for name in _RELEASED_BY if visit.form.get(name)}
    wanted, reason = _wanted(chosen), visit.form.get("reason", "")
    progress = Progress.of(visit.form, events.releasable(visit.console.view, wanted))
    done = await visit.console.event_orders.release_all(wanted, actor=visit.actor, reason=reason, after=progress.after)
    progress = progress.add(seen=done.seen, done=done.released, left=done.left, after=done.next)
    return visit.show(
        "progress.html",
        {
            "heading": "Release",
            "words": "events are released",
            "back": _address(chosen),
            "back_name": "Events",
            "action": "/events/release",
            "total": progress.total,
            "seen": progress.seen,
            "done": progress.done,
            "left": progress.left,
            "next": done.next,
            "form": {**chosen, "reason": reason, **progress.form()},
        },
    )


def _wanted(given: dict[str, str]) -> EventFilter:
    return EventFilter(
        state=_state(given.get("state")),
        connection=given.get("connection"),
        type=given.get("type"),
        schema=given.get("schema"),
        reason=given.get("code"),
        kind=given.get("kind"),
        path=given.get("path"),
        text=given.get("text"),
        flagged=given.get("show") == "flagged",
    )


def _state(text: str | None) -> EventState | None:
    if text is None:
        return None
    try:
        return EventState(text)
    except ValueError:
        raise FixData(
            "There is no such state of an event.", code="unknown-state", known=", ".join(EventState)
        ) from None


def _tabs(given: dict[str, str], kept: dict[EventState, int]) -> list[dict[str, Any]]:
    """Give the lists to choose from: all, what is flagged, and each state with the number of those kept back."""
    rest = {name: value for name, value in given.items() if name not in ("state", "show", "before")}
    tabs: list[dict[str, Any]] = [
        {"name": "All", "address": _address(rest), "here": "state" not in given and "show" not in given, "count": None},
        {
            "name": "Flagged",
            "address": _address({**rest, "show": "flagged"}),
            "here": given.get("show") == "flagged",
            "count": None,
        },
    ]
    for state in (EventState.QUARANTINED, EventState.REJECTED, EventState.UNROUTED, EventState.ACCEPTED):
        tabs.append(
            {
                "name": state.value.capitalize(),
                "address": _address({**rest, "state": state.value}),
                "here": given.get("state") == state,
                "count": kept.get(state),
            }
        )
    return tabs


def _address(given: dict[str, str]) -> str:
    return "/events" + (f"?{urlencode(given)}" if given else "")


DOORS = (
    Door(method="GET", path="/events", needs=Permission.VIEW, handler=listing),
    Door(method="POST", path="/events/release", needs=Permission.RELEASE_EVENT, handler=release_all),
    Door(method="GET", path="/events/{id}", needs=Permission.VIEW, handler=detail),
    Door(method="POST", path="/events/{id}/release", needs=Permission.RELEASE_EVENT, handler=release),
)
