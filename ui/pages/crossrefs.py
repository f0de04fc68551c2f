"""Crossrefs: looked up by any id, and tied together by hand."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import crossrefs, things
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """Look an id up, or list the latest things."""
    view, id, entity = visit.console.view, visit.query("id"), visit.query("entity")
    return visit.page(
        "crossrefs.html",
        things=crossrefs.find(view, id=id, entity=entity),
        entities=crossrefs.entities(view),
        id=id,
        entity=entity,
        waiting=things.count(view),
    )


async def link(visit: Visit) -> Response:
    """Tie two ids together."""
    form = {name: value.strip() for name, value in visit.form.items()}
    ids = {form.get("system", ""): form.get("id", ""), form.get("other_system", ""): form.get("other_id", "")}
    ids = {system: id for system, id in ids.items() if system}
    await visit.console.orders.link(form.get("entity", ""), [ids], actor=visit.actor)
    return visit.go("/crossrefs", said="linked", id=form.get("id", ""))


DOORS = (
    Door(method="GET", path="/crossrefs", needs=Permission.VIEW, handler=listing),
    Door(method="POST", path="/crossrefs", needs=Permission.WRITE_CROSSREF, handler=link),
)
