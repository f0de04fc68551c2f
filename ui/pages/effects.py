"""Writes in doubt: what is known of each, and the word of a person who has found out."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.queries import effects
from hub.sdk import exact_json
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List the writes of which nobody knows whether they were made."""
    page = effects.listing(visit.console.view, before=visit.query("before"))
    return visit.show("effects.html", {"page": page, "paged": visit.query("before") is not None})


def detail(visit: Visit) -> Response:
    """Show one write."""
    found = effects.detail(
        visit.console.view,
        visit.place("key"),
        visit.console.accounts,
        payloads=visit.may(Permission.VIEW_PAYLOADS),
    )
    return visit.page("effect.html", detail=found)


async def settle(visit: Visit) -> Response:
    """Take a person's word for what became of a write."""
    done = visit.form.get("verdict") == "done"
    if not done and visit.form.get("verdict") != "not-applied":
        raise FixData("Say whether it was made or not.", code="no-verdict")
    settled = await visit.console.effect_orders.settle(
        visit.place("key"),
        done=done,
        evidence=visit.form.get("evidence", ""),
        output=_output(visit) if done else None,
        actor=visit.actor,
    )
    if settled.run is not None and not settled.still_in_doubt:
        return visit.go(f"/runs/{settled.run}", said="settled")
    return visit.go(f"/effects/{visit.place('key')}", said="settled-one" if settled.still_in_doubt else "settled-alone")


def _output(visit: Visit) -> dict[str, object]:
    """Give what the write gave: the id there, or everything as JSON."""
    if visit.form.get("output", "").strip():
        given = exact_json.loads(visit.form["output"])
        if not isinstance(given, dict):
            raise FixData("What a write gives is an object: `{…}`.", code="output-wrong")
        return given
    if not visit.form.get("id", "").strip():
        raise FixData("Name the id that it has there.", code="no-output")
    return {"id": visit.form["id"].strip()}


DOORS = (
    Door(method="GET", path="/effects", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/effects/{key}", needs=Permission.VIEW, handler=detail),
    Door(method="POST", path="/effects/{key}/settle", needs=Permission.RESOLVE_EFFECT, handler=settle),
)
