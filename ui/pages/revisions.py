"""Revisions: what has been published, and one with what it changed."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import NotFound
from hub.queries import revisions
from ui.doors import Door
from ui.visits import Visit

_PAGE = 50


def listing(visit: Visit) -> Response:
    """List revisions, the newest first, or those before a number."""
    before = _number(visit.query("before"))
    lines = revisions.listing(visit.console.view, limit=_PAGE + 1, before=before)
    more = lines[_PAGE - 1].number if len(lines) > _PAGE else None
    folder = visit.console.folder()
    return visit.page("revisions.html", lines=lines[:_PAGE], more=more, paged=before is not None, folder=folder)


def detail(visit: Visit) -> Response:
    """Show one revision; what records held is shown to those who may see payloads."""
    number = _number(visit.place("number"))
    if number is None:
        raise NotFound("There is no such revision.", number=visit.place("number")[:20])
    found = revisions.detail(visit.console.view, number)
    seen = visit.may(Permission.VIEW_PAYLOADS)
    plan = found.plan if seen else revisions.without_examples(found.plan)
    return visit.page("revision.html", detail=found, plan=plan, shadow=(plan or {}).get("shadow"), seen=seen)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else None


DOORS = (
    Door(method="GET", path="/revisions", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/revisions/{number}", needs=Permission.VIEW, handler=detail),
)
