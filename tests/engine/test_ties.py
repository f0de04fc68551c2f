"""Ids that a run has tied together are tied as long as what they name stands, and no longer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.model.run import RunState
from hub.store.replays import written
from hub.store.tables import runs
from tests.engine.house import House, loop
from tests.engine.test_compensation import reversals
from tests.engine.test_lanes import Hut, exceptions, flow, of_lines, once

ADA = "person:p_ada"
WRITE = """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
"""
UNDO = """
    undo: thing.reverse
"""
LINK = """
  - id: link
    crossref: { entity: invoice, ids: { stripe: =data.id, netsuite: =first.id } }
"""
LAST = """
  - id: last
    call: { connection: vendor, operation: probe.write, with: vendor/thing, of: data }
    undo: { operation: thing.reverse, by: =last.id }
"""
THING = {"id": "a", "key": "k", "value": "1"}


def ties(house: House) -> dict[str, str]:
    with house.database.reading() as connection:
        found = connection.exec_driver_sql("select system, id from crossrefs where entity = 'invoice'").all()
    assert len(found) == len({row.system: row.id for row in found})
    return {row.system: row.id for row in found}


def newest(house: House) -> dict[str, Any]:
    with house.database.reading() as connection:
        found = connection.execute(
            select(runs).where(runs.c.replaced_by.is_(None)).order_by(runs.c.position.desc()).limit(1)
        )
        return dict(found.one()._mapping)


def told(house: House, *kinds: str) -> list[str]:
    with house.database.reading() as connection:
        rows = connection.exec_driver_sql("select kind from audit order by sequence").scalars().all()
    return [kind for kind in rows if kind in kinds]


async def take_back(house: House, run_id: str | None = None) -> None:
    await house.run_orders.take_back(run_id or newest(house)["id"], actor=ADA, reason="wrong")
    await house.settled()


async def order_anew(house: House, run_id: str | None = None) -> None:
    run = newest(house)
    with house.database.reading() as connection:
        row = connection.execute(select(runs).where(runs.c.id == (run_id or run["id"]))).one()
        keys = [row["key"] for row in written(connection, dict(row._mapping))]
    await house.run_orders.replay(run_id or run["id"], actor=ADA, reason="once more", confirmed=keys)
    await house.settled()


async def test_what_is_taken_back_is_tied_no_more_and_what_is_made_anew_is(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE + UNDO + LINK + LAST))
    house = await once(hut, THING)
    assert ties(house) == {"stripe": "a", "netsuite": "doc_1"}
    await take_back(house)
    assert (newest(house)["state"], ties(house)) == (RunState.COMPENSATED, {})
    # In its place: after what came behind it, before what it names.
    assert told(house, "crossref.linked", "crossref.unlinked", "effect.intended") == [
        *("effect.intended", "crossref.linked", "effect.intended"),
        *("effect.intended", "crossref.unlinked", "effect.intended"),
    ]
    await order_anew(house)
    assert (newest(house)["state"], exceptions(house)) == (RunState.SUCCEEDED, ())
    anew = [document["id"] for document in hut.vendor.documents if document["kind"] == "native"]
    assert ties(house) == {"stripe": "a", "netsuite": anew[-1]}
    await take_back(house)
    assert ties(house) == {}
    await house.stop()


async def test_a_new_effect_is_tied_in_the_place_of_the_one_that_it_replaces(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE + LINK))
    house = await once(hut, THING)
    for name in ("doc_2", "doc_3"):
        await order_anew(house)
        assert (newest(house)["state"], exceptions(house)) == (RunState.SUCCEEDED, ())
        assert ties(house) == {"stripe": "a", "netsuite": name}
    assert told(house, "crossref.linked", "crossref.unlinked") == [
        *("crossref.linked", "crossref.unlinked", "crossref.linked", "crossref.unlinked", "crossref.linked")
    ]
    await house.stop()


async def test_a_tie_to_what_stays_stays(tmp_path: Path) -> None:
    """The flow gives no way to take the document back, so what names it is as true as before."""
    hut = Hut(tmp_path, flow(WRITE + LINK + LAST))
    house = await once(hut, THING)
    await take_back(house)
    assert (newest(house)["state"], len(reversals(hut.vendor))) == (RunState.COMPENSATED, 1)
    assert ties(house) == {"stripe": "a", "netsuite": "doc_1"}
    await house.stop()


async def test_what_a_person_has_tied_too_stays_and_stops_who_would_tie_it_otherwise(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE + UNDO + LINK))
    house = await once(hut, THING)
    await house.orders.link("invoice", [{"stripe": "a", "netsuite": "doc_1"}], actor=ADA)
    await take_back(house)
    assert ties(house) == {"stripe": "a", "netsuite": "doc_1"}
    await order_anew(house)
    assert newest(house)["state"] == RunState.PARKED
    assert [case.reason for case in exceptions(house)] == ["crossref-conflict"]
    # As its runbook says.
    document = [each["id"] for each in hut.vendor.documents if each["value"] == "1"][-1]
    await house.orders.link("invoice", [{"stripe": "a", "netsuite": document}], actor=ADA, replace=True)
    await house.run_orders.replay(newest(house)["id"], actor=ADA)
    await house.settled()
    assert (newest(house)["state"], ties(house)) == (RunState.SUCCEEDED, {"stripe": "a", "netsuite": document})
    await house.stop()


async def test_what_another_run_has_tied_too_stays(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE + UNDO + LINK.replace("data.id", "data.value").replace("first.id", "data.key")))
    house = await once(hut, THING)
    await house.give(THING | {"id": "b"})
    await house.settled()
    assert ties(house) == {"stripe": "1", "netsuite": "k"}
    for _ in range(2):
        with house.database.reading() as connection:
            run = connection.exec_driver_sql("select id from runs where state = 'succeeded' limit 1").scalar()
        await take_back(house, run)
        assert ties(house) == {"stripe": "1", "netsuite": "k"}
    assert len(reversals(hut.vendor)) == 2
    await house.stop()


async def test_what_was_tied_before_stays(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE + UNDO + LINK))
    house = await hut.open()
    await house.orders.link("invoice", [{"stripe": "a", "salesforce": "s"}], actor=ADA)
    await house.give(THING)
    await house.settled()
    assert ties(house) == {"stripe": "a", "salesforce": "s", "netsuite": "doc_1"}
    await take_back(house)
    assert ties(house) == {"stripe": "a", "salesforce": "s"}
    await house.stop()


ITEMS = """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: line.id, value: 'fine'}" }
    undo: thing.reverse
    retry: patient
  - id: link
    crossref: { entity: invoice, ids: { stripe: =line.id, netsuite: =first.id } }
  - id: second
    call: { connection: vendor, operation: probe.write, with: vendor/thing, of: line }
    retry: patient
    on_failure: compensate
"""


async def test_an_item_takes_back_its_own_ties_alone(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(loop(ITEMS, failures="continue")))
    house = await once(hut, of_lines(3, 1))
    assert len(reversals(hut.vendor)) == 1
    with house.database.reading() as connection:
        found = connection.exec_driver_sql("select id from crossrefs where system = 'stripe' order by id")
        assert list(found.scalars()) == ["l0", "l2"]
    await house.stop()
