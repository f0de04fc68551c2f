"""Replays: from any step, with an edited record, or as new effects; who ordered them stands with the run."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound
from hub.model.case import CaseFilter
from hub.model.changes import changes
from hub.model.effect import Idempotency
from hub.model.hold import HoldKind
from hub.model.run import Priority
from hub.operate.holds import Held
from hub.operate.runs import FAILURE, From
from hub.sdk import exact_json
from hub.store.replays import lane_of
from hub.store.tables import effects, events, runs, steps
from tests.engine.house import House, bundle
from tests.engine.test_held_by_people import vendor_of
from tests.engine.test_once import FILES, ONE_WRITE, THREE_WRITES, one_write, things
from tests.engine.vendor import Vendor
from tests.operate.test_run_orders import ADA, entries, open_cases, opened

WHY = "Accounting asked for it"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "key": {"type": "string"},
        "value": {"type": "string"},
        "total": {"type": "number"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"amount": {"type": "integer"}}}},
    },
    "required": ["id", "key", "value"],
}
WITH_MONEY = ONE_WRITE.format(kind="native").replace(
    "steps:", "money: \"{minor: data.minor, currency: 'EUR'}\"\nsteps:"
)


def rows(house: House, table: Any = runs) -> list[Any]:
    with house.database.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.id if table is events else table.c.created_at)))


def paths(house: House, run_id: str) -> list[str]:
    with house.database.reading() as connection:
        found = connection.execute(select(steps.c.path).where(steps.c.run_id == run_id).order_by(steps.c.ordinal))
        return list(found.scalars())


async def test_a_replay_begins_at_any_step_and_names_who_ordered_it(tmp_path: Path) -> None:
    house = await opened(tmp_path, bundle(THREE_WRITES, **FILES))
    await house.give(*things(1))
    await house.settled()
    (run,) = rows(house)
    assert run.ordered_by is None
    for start, kept in ((From(step="third"), 2), (From(step="first"), 0), (From(), 0), (From(step="look"), 3)):
        run_id = rows(house)[-1].id
        new_id = await house.run_orders.replay(run_id, actor=ADA, start=start, reason=WHY)
        before = set(paths(house, run_id))
        await house.settled()
        new = rows(house)[-1]
        assert (new.id, new.ordered_by, new.replay_of, new.position) == (new_id, ADA, run_id, run.position)
        with house.database.reading() as connection:
            reused = connection.execute(
                select(steps.c.path).where(steps.c.run_id == new_id, steps.c.started_at < new.created_at)
            ).all()
        assert (len(reused), set(paths(house, new_id))) == (kept, before)
    # Nothing was written twice.
    assert len(vendor_of(house).documents) == 3
    assert {entry["facts"]["from"] for entry in entries(house, AuditKind.RUN_REPLAYED)} == {
        "third",
        "first",
        "start",
        "look",
    }
    with pytest.raises(NotFound):
        await house.run_orders.replay(rows(house)[-1].id, actor=ADA, start=From(step="nope"))
    with pytest.raises(Conflict, match="replayed already"):
        await house.run_orders.replay(run.id, actor=ADA)
    await house.stop()


async def test_a_replay_from_the_failure_keeps_all_that_was_done(tmp_path: Path) -> None:
    """Also the items of a loop that went well; only the one that failed is done again."""
    flow = """
flow: tested
title: Lines
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
steps:
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      steps:
        - id: mapped
          map: vendor/thing
          of: line
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
  - id: after
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: data }
"""
    vendor = Vendor()
    house = await opened(tmp_path, bundle(flow, **FILES), vendor)
    lines = [{"id": "a.b", "value": "1"}, {"id": "c", "value": "bad"}, {"id": "d", "value": "3"}]
    await house.give({"id": "t", "key": "k", "value": "1", "lines": lines})
    assert await house.settled() == {"parked": 1}
    sent = vendor.seen["native"]
    (run,) = rows(house)
    new_id = await house.run_orders.replay(run.id, actor=ADA, start=FAILURE)
    assert "lines[a.b].write" in paths(house, new_id) and "lines[c].write" not in paths(house, new_id)
    assert await house.settled() == {"parked": 1}
    # Only the line that failed was asked for again.
    assert vendor.seen["native"] == sent + 1
    inside = await house.run_orders.replay(new_id, actor=ADA, start=From(step="lines[d].write"))
    kept = paths(house, inside)
    assert {"lines[a.b].write", "lines[d].mapped"} <= set(kept) and not {"lines[d].write", "lines", "after"} & set(kept)
    await house.settled()
    await house.stop()


@pytest.mark.parametrize(
    ("path", "lane"), [("first", ""), ("lines[a.b].post", "lines[a.b]."), ("way.post", "way."), ("a[x].b.c", "a[x].b.")]
)
def test_the_lane_of_a_path(path: str, lane: str) -> None:
    assert lane_of(path) == lane


def typed(**flow: str) -> Any:
    """Compile a flow whose event claims a schema that says something."""
    plain = FILES["schemas__vendor.thing@1.json"]
    mapping = FILES["mappings__vendor__thing.yaml"].replace("to: vendor.thing@1", "to: vendor.written@1")
    files = {
        "mappings__vendor__thing.yaml": mapping,
        "schemas__vendor.written@1.json": plain,
        "schemas__vendor.thing@1.json": exact_json.dumps(SCHEMA).decode(),
    }
    return bundle(flow.get("flow", WITH_MONEY), **files)


async def parked(tmp_path: Path, data: dict[str, Any]) -> House:
    """Give a house in which the run of this event stopped, because the vendor refused it."""
    house = await opened(tmp_path, typed())
    await house.give(data, schema="vendor.thing@1")
    assert await house.settled() == {"parked": 1}
    return house


async def test_an_edited_record_makes_a_new_event_and_leaves_the_old_one(tmp_path: Path) -> None:
    house = await parked(tmp_path, {"id": "t1", "key": "k", "value": "bad", "minor": 1, "total": Decimal("1.10")})
    (run,), (before,) = rows(house), rows(house, events)
    record = house.run_orders.record(run.id)
    record |= {"value": "good", "minor": 2}
    (one, two) = await house.run_orders.preview_edit(run.id, record)
    assert [(one.field, one.was, one.now), (two.field, two.was, two.now)] == [("value", "bad", "good"), ("minor", 1, 2)]
    assert len(rows(house, events)) == 1
    new_id = await house.run_orders.replay(run.id, actor=ADA, record=record, reason=WHY)
    assert await house.settled() == {"succeeded": 1}
    old, new = sorted(rows(house, events), key=lambda event: event.edited_from is not None)
    assert old == before
    assert (new.edited_from, new.via, new.state) == (old.id, "edit", "accepted")
    assert exact_json.loads(new.data)["total"] == Decimal("1.10")
    made = rows(house)[-1]
    assert (made.id, made.event_id, made.money_minor, made.business_key) == (new_id, new.id, 2, run.business_key)
    assert [document["value"] for document in vendor_of(house).documents] == ["good"]
    (entry,) = entries(house, AuditKind.EVENT_EDITED)
    assert (entry["facts"]["before"], entry["facts"]["after"]) == (old.body_hash, new.body_hash)
    assert (entry["actor"], entry["subjects"]["edited"]) == (ADA, old.id) and "good" not in str(entry)
    await house.stop()


async def test_an_edit_of_an_edit_has_the_senders_id(tmp_path: Path) -> None:
    """What the flow reads of the event is that of the vendor; each edit is one of its own."""
    flow = ONE_WRITE.format(kind="native").replace("of: data", 'of: "{id: event.id, value: data.value}"')
    house = await opened(tmp_path, typed(flow=flow))
    await house.give({"id": "t1", "key": "k", "value": "bad"}, schema="vendor.thing@1")
    await house.settled()
    for value in ("bad", "good"):
        run = rows(house)[-1]
        record = {**house.run_orders.record(run.id), "value": value, "total": len(rows(house))}
        await house.run_orders.replay(run.id, actor=ADA, record=record, reason=WHY)
        await house.settled()
    assert [document["key"] for document in vendor_of(house).documents] == ["t1"]
    assert len({event.external_id for event in rows(house, events)}) == 3
    await house.stop()


async def test_an_edit_is_refused_with_the_field_that_does_not_fit(tmp_path: Path) -> None:
    first = {"id": "t1", "key": "k", "value": "bad", "total": "not a number", "minor": 1}
    house = await parked(tmp_path, first)
    (run,) = rows(house)
    for change, code, words in (
        ({"value": 7}, "edited-record-wrong", "value: 7 is not of type"),
        ({"value": None}, "edited-record-wrong", "value: null is not of type"),
        ({"valeu": "good"}, "edited-record-wrong", "valeu: the schema has no such field"),
        ({"lines": [{"amount": "1"}]}, "edited-record-wrong", "lines[0].amount"),
        ({"id": "t2"}, "another-thing", "business key"),
        ({"key": "other"}, "another-thing", "order key"),
        ({"key": None}, "edited-record-wrong", "key"),
        ({}, "nothing-edited", "Nothing was changed"),
    ):
        with pytest.raises(FixData) as caught:
            await house.run_orders.replay(run.id, actor=ADA, record={**first, **change}, reason=WHY)
        assert (caught.value.code, words in str(caught.value)) == (code, True), str(caught.value)
    with pytest.raises(FixData):
        await house.run_orders.replay(run.id, actor=ADA, record={**first, "value": "good"})
    assert (len(rows(house)), len(rows(house, events))) == (1, 1)
    # What was wrong before may stay as it was.
    await house.run_orders.replay(run.id, actor=ADA, record={**first, "value": "good"}, reason=WHY)
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


async def test_a_new_mistake_is_found_among_many_old_ones(tmp_path: Path) -> None:
    """As many as no page would show stood in the record before."""
    first = {"id": "t1", "key": "k", "value": "bad", "minor": 1, "lines": [{"amount": "x"} for _ in range(100)]}
    house = await parked(tmp_path, first)
    (run,) = rows(house)
    with pytest.raises(FixData, match="total"):
        await house.run_orders.replay(run.id, actor=ADA, record={**first, "value": "good", "total": "1"}, reason=WHY)
    await house.run_orders.replay(run.id, actor=ADA, record={**first, "value": "good"}, reason=WHY)
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


def test_changes_are_told_field_by_field() -> None:
    was = {"a": 1, "b": [1, {"c": True}], "gone": None, "same": Decimal("1.0")}
    now = {"a": "1", "b": [1, {"c": 1}, 3], "new": {"x": 1}, "same": 1}
    assert [(change.field, change.was, change.now) for change in changes(was, now)] == [
        ("a", 1, "1"),
        ("b[1].c", True, 1),
        ("b[2]", None, 3),
        ("gone", None, None),
        ("new", None, {"x": 1}),
    ]


async def test_a_new_effect_has_to_be_ordered_with_what_exists(tmp_path: Path) -> None:
    house = await opened(tmp_path, bundle(THREE_WRITES, **FILES))
    await house.give(*things(1))
    await house.settled()
    (run,) = rows(house)
    keys = {effect.path: effect.key for effect in rows(house, effects)}
    for wrong in ([], [keys["first"]], [*keys.values(), "other"]):
        with pytest.raises(Conflict) as caught:
            await house.run_orders.replay(run.id, actor=ADA, confirmed=wrong, reason=WHY)
        assert caught.value.code == "confirm-effects" and keys["second"] in str(caught.value.facts["effects"])
    with pytest.raises(FixData):
        await house.run_orders.replay(run.id, actor=ADA, confirmed=[*keys.values()])
    # From the third step on only that one is written once more.
    await house.run_orders.replay(run.id, actor=ADA, start=From(step="third"), confirmed=[keys["third"]], reason=WHY)
    await house.settled()
    assert [document["kind"] for document in vendor_of(house).documents] == ["native", "upsert", "probe", "probe"]
    new = rows(house)[-1]
    assert (new.generation, new.ordered_by) == (1, ADA)
    (entry,) = entries(house, AuditKind.EFFECT_REPEATED)
    assert (entry["facts"]["generation"], entry["facts"]["confirmed"]) == (1, 1)
    # A plain replay afterwards knows the new one, and may not begin before it: the others have the keys of before.
    with pytest.raises(Conflict) as caught:
        await house.run_orders.replay(new.id, actor=ADA)
    assert (caught.value.code, caught.value.facts["steps"]) == ("older-effects", "first, second")
    await house.run_orders.replay(new.id, actor=ADA, start=From(step="third"))
    await house.settled()
    assert len(vendor_of(house).documents) == 4
    # All of it once more is a further generation, and what exists is the newest of each.
    newest = [keys["first"], keys["second"], rows(house, effects)[-1].key]
    await house.run_orders.replay(rows(house)[-1].id, actor=ADA, confirmed=newest, reason=WHY)
    await house.settled()
    assert Counter(document["kind"] for document in vendor_of(house).documents) == {
        "native": 2,
        "upsert": 1,
        "probe": 3,
    }
    assert rows(house)[-1].generation == 2
    await house.stop()


async def test_what_was_written_once_more_is_taken_back_with_what_was_kept(tmp_path: Path) -> None:
    """The one that it took the place of stays: who ordered the new one knew of it."""
    saga = THREE_WRITES.replace("    retry: patient\n", "    undo: thing.reverse\n    retry: patient\n", 3)
    house = await opened(tmp_path, bundle(saga, **FILES))
    await house.give(*things(1))
    await house.settled()
    (run,) = rows(house)
    third = {effect.path: effect.key for effect in rows(house, effects)}["third"]
    new_id = await house.run_orders.replay(run.id, actor=ADA, start=From(step="third"), confirmed=[third], reason=WHY)
    await house.settled()
    await house.run_orders.take_back(new_id, actor=ADA, reason=WHY)
    assert await house.settled() == {"compensated": 1}
    reversed_ = [document["key"] for document in vendor_of(house).documents if document["value"] == "reversed"]
    assert reversed_ == ["doc_4", "doc_2", "doc_1"]
    await house.stop()


async def test_what_was_taken_back_can_be_made_anew(tmp_path: Path) -> None:
    flow = ONE_WRITE.format(kind="native").replace("retry: patient", "undo: thing.reverse\n    retry: patient")
    house = await opened(tmp_path, bundle(flow, **FILES))
    await house.give(*things(1))
    await house.settled()
    (run,), (effect,) = rows(house), rows(house, effects)
    await house.run_orders.take_back(run.id, actor=ADA, reason=WHY)
    assert await house.settled() == {"compensated": 1}
    await house.run_orders.replay(run.id, actor=ADA, confirmed=[effect.key], reason=WHY)
    assert await house.settled() == {"succeeded": 1}
    assert [document["value"] for document in vendor_of(house).documents] == ["0", "reversed", "0"]
    await house.stop()


async def test_a_held_run_is_resumed_before_it_is_replayed(tmp_path: Path) -> None:
    house = await opened(tmp_path, one_write(Idempotency.NATIVE))
    flow = Held(kind=HoldKind.FLOW, name="tested")
    await house.hold_orders.hold(flow, reason=WHY, actor=ADA)
    await house.give({"id": "t", "key": "k", "value": "bad"})
    await house.settled(waiting=["hold"])
    (run,) = rows(house)
    await house.hold_orders.hold(Held(kind=HoldKind.RUN, name=run.id), reason=WHY, actor=ADA)
    await house.run_orders.cancel(run.id, actor=ADA, reason=WHY)
    # Cancelling has ended its own hold; that of the flow is over the replay too.
    new_id = await house.run_orders.replay(run.id, actor=ADA)
    await house.settled(waiting=["hold"])
    await house.hold_orders.hold(Held(kind=HoldKind.RUN, name=new_id), reason=WHY, actor=ADA)
    await house.hold_orders.resume(flow, actor=ADA)
    await house.settled(waiting=["hold"])
    assert rows(house)[-1].wait_on == f"hold:run:{new_id}:"
    await house.stop()


async def test_exceptions_that_are_alike_are_replayed_behind_all_other_work(tmp_path: Path) -> None:
    """Some at a time; who asks for the next ones misses none and takes none twice."""
    vendor = Vendor(fault=lambda request, number: "garbage-after" if broken else None)
    broken = True
    hasty = {"policies__patient.yaml": "policy: patient\nkind: retry\nattempts: 1\n"}
    house = await opened(tmp_path, bundle(ONE_WRITE.format(kind="native"), **FILES, **hasty), vendor)
    await house.give(*things(5))
    assert await house.settled() == {"parked": 5}
    broken = False
    (fingerprint,) = {case.fingerprint for case in open_cases(house)}
    wanted = CaseFilter(fingerprint=fingerprint)
    first = await house.run_orders.replay_cases(wanted, actor=ADA, limit=2)
    assert (first.seen, first.replayed, first.left) == (2, 2, {}) and first.next is not None
    rest = await house.run_orders.replay_cases(wanted, actor=ADA, after=first.next)
    assert (rest.seen, rest.replayed, rest.next) == (3, 3, None)
    assert await house.settled() == {"succeeded": 5}
    assert {(run.priority, run.ordered_by) for run in rows(house) if run.replay_of} == {(Priority.LOW, ADA)}
    assert len(vendor.documents) == 5
    nobody = await house.run_orders.replay_cases(CaseFilter(reason="nothing-like-it"), actor=ADA)
    assert (nobody.seen, nobody.next) == (0, None)
    with pytest.raises(FixData):
        await house.run_orders.replay_cases(CaseFilter(), actor=ADA)
    await house.stop()
