"""One thing with its ids, place and history, and pairs of records of which a person says whether they are one."""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData, NotFound
from hub.model.thing import PairState
from hub.queries import things
from ui.doors import Door
from ui.visits import Visit

#: More pairs are not listed at once; those that wait longest come first.
_MOST = 200


def detail(visit: Visit) -> Response:
    """Show one thing."""
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    found = things.show(visit.console.view, visit.place("entity"), visit.place("thing"), payloads=payloads)
    if found is None:
        raise NotFound("There has never been such a thing.", thing=visit.place("thing"))
    return visit.page("thing.html", thing=found, others=_others(visit, found))


def duplicates(visit: Visit) -> Response:
    """List pairs that wait for a word, or what was said of others."""
    said = visit.query("show")
    state = PairState(said) if said in set(PairState) else PairState.OPEN
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    pairs = things.waiting(visit.console.view, state=state, payloads=payloads, limit=_MOST)
    shared = things.shared_keys(visit.console.view)
    total = things.count(visit.console.view, state) if len(pairs) >= _MOST else len(pairs)
    return visit.page("duplicates.html", pairs=pairs, total=total, state=state, states=list(PairState), shared=shared)


def pair(visit: Visit) -> Response:
    """Show two records side by side."""
    found = things.pair(visit.console.view, visit.place("pair"), payloads=visit.may(Permission.VIEW_PAYLOADS))
    if found is None:
        raise NotFound("There is no such pair.", pair=visit.place("pair"))
    both = sorted({id.system for id in found.one.ids} & {id.system for id in found.other.ids})
    return visit.page("duplicate.html", pair=found, both=both)


async def decide(visit: Visit) -> Response:
    """Say whether two records are about one thing."""
    verdict, name = visit.form.get("verdict", ""), visit.place("pair")
    if verdict not in ("same", "different"):
        raise FixData("Say whether they are the same or different.", code="no-verdict")
    primary = {key.removeprefix("primary:"): id for key, id in visit.form.items() if key.startswith("primary:") and id}
    await visit.console.orders.things.decide(
        name,
        same=verdict == "same",
        keep=visit.form.get("keep") or None,
        primary=primary if verdict == "same" else None,
        actor=visit.actor,
        reason=visit.form.get("reason", ""),
    )
    return visit.go(f"/crossrefs/duplicates/{quote(name)}", said=f"said-{verdict}")


async def split(visit: Visit) -> Response:
    """Take a merge back."""
    await visit.console.orders.things.split(
        visit.place("entity"), visit.form.get("merge", ""), actor=visit.actor, reason=visit.form.get("reason", "")
    )
    return _back(visit, "split")


async def prefer(visit: Visit) -> Response:
    """Let an alias be the id that others are given."""
    await visit.console.orders.things.prefer(visit.place("entity"), **_id(visit), **_by(visit))
    return _back(visit, "preferred")


async def untie(visit: Visit) -> Response:
    """Untie one id."""
    await visit.console.orders.things.untie(visit.place("entity"), **_id(visit), **_by(visit))
    return _back(visit, "untied")


async def move(visit: Visit) -> Response:
    """Put the thing under another one that is named by an id, or under none."""
    entity, system, id = visit.place("entity"), visit.form.get("system", "").strip(), visit.form.get("id", "").strip()
    parent = None
    if system or id:
        parent = things.thing_of(visit.console.view, entity=entity, system=system, id=id)
        if parent is None:
            raise NotFound("Nothing is tied to this id.", system=system, id=id)
    await visit.console.orders.things.move(entity, visit.place("thing"), parent=parent, **_by(visit))
    return _back(visit, "moved")


def _others(visit: Visit, found: things.ThingView) -> dict[str, str]:
    """Give the other things that the history and the tree name, by the first id of each, as people know them."""
    names = {each.gone for each in found.merges} | {name for row in found.history for name in (row.other, row.thing)}
    names |= {row.was for row in found.history}
    known = {place.thing: place.ids for place in found.tree}
    # What nothing names any more is known by what came from it.
    came = {row.other: f"{row.system} {row.id}" for row in found.history if row.other and row.id}
    shown = {}
    for name in names - {None, found.thing}:
        assert name is not None
        ids = known.get(name)
        if ids is None:
            ids = things.ids_in(visit.console.view, found.entity, name)
        shown[name] = f"{ids[0].system} {ids[0].id}" if ids else came.get(name, name)
    return shown


def _id(visit: Visit) -> dict[str, str]:
    return {name: visit.form.get(name, "") for name in ("system", "id")}


def _by(visit: Visit) -> dict[str, str]:
    return {"actor": visit.actor, "reason": visit.form.get("reason", "")}


def _back(visit: Visit, said: str) -> Response:
    entity, thing = (quote(visit.place(name)) for name in ("entity", "thing"))
    return visit.go(f"/crossrefs/things/{entity}/{thing}", said=said)


_THING = "/crossrefs/things/{entity}/{thing}"
_PAIR = "/crossrefs/duplicates/{pair}"
DOORS = (
    Door(method="GET", path="/crossrefs/duplicates", needs=Permission.VIEW, handler=duplicates),
    Door(method="GET", path=_PAIR, needs=Permission.VIEW, handler=pair),
    Door(method="POST", path=_PAIR, needs=Permission.WRITE_CROSSREF, handler=decide),
    Door(method="GET", path=_THING, needs=Permission.VIEW, handler=detail),
    Door(method="POST", path=f"{_THING}/split", needs=Permission.WRITE_CROSSREF, handler=split),
    Door(method="POST", path=f"{_THING}/prefer", needs=Permission.WRITE_CROSSREF, handler=prefer),
    Door(method="POST", path=f"{_THING}/untie", needs=Permission.WRITE_CROSSREF, handler=untie),
    Door(method="POST", path=f"{_THING}/parent", needs=Permission.WRITE_CROSSREF, handler=move),
)
