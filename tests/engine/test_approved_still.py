"""What was approved is looked at again when it is executed, and asked anew where it no longer holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from hub.access.directory import StoredDirectory
from hub.access.people import PersonId
from hub.engine.routing import route
from hub.errors import NotAllowed
from hub.operate.runs import From
from hub.sdk import exact_json
from hub.store.account_tables import people as people_table
from hub.store.committer import Write
from hub.store.history import Record
from hub.store.tables import effects, runs
from tests.engine.office import (
    FLOW,
    GUARD,
    LATER,
    MORE,
    Early,
    Meddling,
    Office,
    audited,
    compiled,
    office,
    thing,
)
from tests.engine.test_children import CALLED


async def test_who_has_left_since_does_not_count_when_it_is_executed(tmp_path: Path) -> None:
    """Between the approval and the write an approver is disabled: nothing goes out, and it is asked anew."""
    here = await office(tmp_path, compiled(**GUARD))
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.waits("hold")
    assert here.written == []
    await here.change("ben", disabled=True)
    here.clock.leap(timedelta(hours=6))
    here.house.worker.wake()
    await here.waits()
    assert here.written == []
    first, second = here.asked()
    assert (first.state, first.reason, second.state) == ("void", "approver-left", "pending")
    assert first.record_hash == second.record_hash
    run = here.run()
    assert (run.wait_kind, run.wait_on) == ("approval", f"approval:{second.id}")
    with pytest.raises(NotAllowed):
        await here.say("ben")
    await here.say("ann")
    await here.again()
    await here.say("cem")
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["t0"]
    assert [row.approvals for row in here.rows(effects)] == [f'["{second.id}"]']
    assert audited(here) == [
        *("asked", "agreed", "agreed", "granted"),
        *("voided", "asked", "agreed", "agreed", "granted"),
    ]
    await here.house.stop()


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "operator"}])
async def test_who_leaves_at_the_last_moment_does_not_count_either(tmp_path: Path, change: dict[str, Any]) -> None:
    """The intent itself is opened only if the approval holds in that very transaction."""
    here = await office(tmp_path, committer=Meddling)
    assert isinstance(here.house.committer, Meddling)
    where = people_table.c.id == "p_ann"

    def before(record: Record, _committer: Meddling) -> Write | None:
        if not record.intents:
            return None
        return Early(lambda tx: tx.connection.execute(update(people_table).where(where).values(**change)).rowcount)

    here.house.committer.before = before
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.waits()
    assert (here.written, here.rows(effects)) == ([], [])
    first, second = here.asked()
    assert (first.state, first.reason, second.state) == ("void", "approver-left", "pending")
    await here.say("ben")
    await here.say("cem")
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["t0"]
    await here.house.stop()


async def test_an_approval_that_is_over_is_asked_for_again(tmp_path: Path) -> None:
    workspace = compiled(more=", valid: PT1H", **GUARD)
    here = await office(tmp_path, workspace)
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.waits("hold")
    here.clock.leap(timedelta(hours=6))
    here.house.worker.wake()
    await here.waits()
    assert [(row.state, row.reason) for row in here.asked()] == [("void", "validity-over"), ("pending", None)]
    assert here.written == []
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    await here.house.stop()


async def failed_once(tmp_path: Path, **more: Any) -> tuple[Office, str]:
    """Have a run that was approved and parked at its write; gives its id."""
    here = await office(tmp_path, **more)
    await here.house.give(thing(value="bad"))
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"parked": 1}
    assert here.written == []
    return here, here.run().id


@pytest.mark.parametrize("start", [From(), From(failure=True)])
async def test_a_replay_of_the_same_goes_on_under_the_same_approval(tmp_path: Path, start: From) -> None:
    here, run_id = await failed_once(tmp_path)
    await here.house.run_orders.replay(run_id, actor="person:p_olu", start=start)
    assert await here.house.settled() == {"parked": 1}
    (asked,) = here.asked()
    assert [row.approvals for row in here.rows(effects)] == [f'["{asked.id}"]']
    assert here.vendor.seen["native"] == 2
    await here.house.stop()


async def test_an_edited_payload_is_asked_about_anew(tmp_path: Path) -> None:
    here, run_id = await failed_once(tmp_path)
    edited = thing(value="good")
    await here.house.run_orders.replay(run_id, actor="person:p_olu", record=edited, reason="a wrong value")
    await here.waits()
    first, second = here.asked()
    assert (first.state, second.state) == ("approved", "pending")
    assert exact_json.loads(second.record) == {"id": "t0", "value": "good"}
    assert here.written == []
    await here.say("ann")
    await here.say("cem")
    assert await here.house.settled() == {"succeeded": 1}
    assert [document["value"] for document in here.vendor.documents] == ["good"]
    await here.house.stop()


@pytest.mark.parametrize("start", [From(), From(failure=True)])
async def test_who_orders_the_replay_approves_nothing_of_it(tmp_path: Path, start: From) -> None:
    """Also not by what was said before: the approver who now gives orders does not count any more."""
    here, run_id = await failed_once(tmp_path)
    await here.house.run_orders.replay(run_id, actor="person:p_ann", start=start)
    await here.waits()
    first, second = here.asked()
    assert (first.state, first.reason, second.state) == ("void", "approver-ordered", "pending")
    with pytest.raises(NotAllowed) as caught:
        await here.say("ann")
    assert caught.value.code == "four-eyes"
    await here.say("ben")
    assert here.vendor.seen["native"] == 1
    await here.say("cem")
    assert await here.house.settled() == {"parked": 1}
    assert here.vendor.seen["native"] == 2
    # Neither does it help to have somebody else replay that.
    await here.change("ben", disabled=True)
    await here.house.run_orders.replay(here.run().id, actor="person:p_olu")
    await here.waits()
    with pytest.raises(NotAllowed):
        await here.say("ann")
    await here.house.stop()


async def test_another_effect_needs_an_approval_of_its_own(tmp_path: Path) -> None:
    """What is to be done once more was agreed to once."""
    here = await office(tmp_path)
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    key = here.rows(effects)[0].key
    await here.house.run_orders.replay(
        here.run().id, actor="person:p_olu", confirmed=[key], reason="it was deleted by mistake"
    )
    await here.waits()
    assert [row.state for row in here.asked()] == ["approved", "pending"]
    assert here.written == ["t0"]
    await here.house.stop()


async def test_an_amount_that_rose_is_asked_about_anew(tmp_path: Path) -> None:
    """Though the record is the same: a later step makes the amount larger than what was agreed to."""
    flow = FLOW.replace("money: data.total", "money: more.late || data.total").replace("\n  - id: write", LATER)
    here = await office(tmp_path, compiled(flow=flow, **{"mappings__vendor__more.yaml": MORE}))
    await here.house.give(thing(late={"minor": 5001, "currency": "EUR"}))
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.waits()
    first, second = here.asked()
    assert (first.state, first.reason, first.money_minor) == ("void", "amount-rose", 5000)
    assert (second.state, second.money_minor, second.path) == ("pending", 5001, "ok")
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    await here.house.stop()


async def test_what_needed_nobody_is_asked_about_once_its_amount_is_known(tmp_path: Path) -> None:
    flow = FLOW.replace("money: data.total", "money: more.late").replace("\n  - id: write", LATER)
    here = await office(tmp_path, compiled(flow=flow, **{"mappings__vendor__more.yaml": MORE}))
    late = [{"minor": minor, "currency": "EUR"} for minor in (150, 50)]
    await here.house.give(thing(0, late=late[0]), thing(1, late=late[1]))
    await here.waits()
    assert here.written == ["t1"]
    (asked,) = here.asked()
    assert (asked.state, asked.needed, asked.money_minor) == ("pending", 1, 150)
    await here.again()
    await here.waits()
    await here.say("ann")
    assert await here.house.settled() == {"succeeded": 2}
    assert here.written == ["t1", "t0"]
    await here.house.stop()


CALLS = """
flow: tested
title: Calls another once it is approved
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
money: data.total
steps:
  - id: ok
    approve: large
    of: data
  - id: child
    flow: { flow: called, with: vendor/thing, of: data }
"""


async def test_what_a_called_flow_writes_needs_what_its_caller_was_approved_for(tmp_path: Path) -> None:
    workspace = compiled(flow=CALLS, **{"flows__called.yaml": CALLED, **GUARD})
    here = await office(tmp_path, workspace)
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.until(lambda: any(row.wait_kind == "hold" for row in here.rows(runs)))
    await here.change("ann", disabled=True)
    here.clock.leap(timedelta(hours=6))
    here.house.worker.wake()
    await here.until(lambda: len(here.asked()) == 2)
    assert here.written == []
    first, second = here.asked()
    assert (first.state, first.reason) == ("void", "approver-left")
    assert (second.state, second.path, second.flow, second.needed) == ("pending", "^ok", "called", 2)
    await here.say("ben")
    await here.again()
    await here.say("cem")
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["t0"]
    assert [row.approvals for row in here.rows(effects)] == [f'["{second.id}"]']
    await here.house.stop()


async def test_who_orders_the_replay_of_a_called_flow_approved_nothing_of_it(tmp_path: Path) -> None:
    """Not even what was agreed to for the flow that called it, and in whatever role they have become since."""
    here = await office(tmp_path, compiled(flow=CALLS, **{"flows__called.yaml": CALLED}))
    await here.house.give(thing(value="bad"))
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await here.until(lambda: any(row.state == "parked" for row in here.rows(runs)))
    (child,) = [row for row in here.rows(runs) if row.flow == "called"]
    await here.house.run_orders.replay(child.id, actor="person:p_ann")
    await here.until(lambda: len(here.asked()) == 2)
    await here.waits()
    _, second = here.asked()
    assert (second.path, second.state) == ("^ok", "pending")
    with pytest.raises(NotAllowed) as caught:
        await here.say("ann")
    assert caught.value.code == "four-eyes"
    assert here.vendor.seen["probe"] == 1
    await here.say("ben")
    await here.say("cem")
    await here.until(lambda: here.vendor.seen["probe"] == 2)
    await here.house.stop()


async def test_who_comes_back_counts_again_without_a_second_vote(tmp_path: Path) -> None:
    """Two agreed, one of them while she could not sign in: when she can again, nobody is waited for any more."""
    here = await office(tmp_path)
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    directory = StoredDirectory(here.house.database, here.house.committer)
    ann = await directory.person(PersonId("p_ann"))
    assert ann is not None
    await directory.change_person(replace(ann, disabled=True), actor="local")
    assert await here.say("ben") == "pending"
    assert here.written == []
    await directory.change_person(ann, actor="local")
    assert await here.house.settled() == {"succeeded": 1}
    assert audited(here) == ["asked", "agreed", "agreed", "granted"]
    await here.house.stop()


async def test_taking_back_needs_no_approval(tmp_path: Path) -> None:
    """Who has left since must not keep a mistake from being mended."""
    flow = FLOW.replace("    retry: patient", "    undo: thing.reverse\n    retry: patient")
    here = await office(tmp_path, compiled(flow=flow))
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    await here.change("ann", disabled=True)
    await here.house.run_orders.take_back(here.run().id, actor="person:p_olu", reason="a mistake")
    assert await here.house.settled() == {"compensated": 1}
    assert [row.approvals is None for row in here.rows(effects, effects.c.created_at)] == [False, True]
    assert len(here.asked()) == 1
    await here.house.stop()


def test_every_new_run_has_the_columns_that_a_called_one_has() -> None:
    """Rows of one group are inserted together by the columns of the first, so that none may bring more than others."""
    routing = route(
        compiled(),
        {"event": {"type": "vendor.thing.made"}, "data": thing(), "record": thing()},
        event_id="event_1",
        environment="test",
        now=datetime(2026, 1, 1, tzinfo=UTC),
        new_id=lambda: "run_1",
    )
    (row,) = routing.runs
    assert {"approvals", "ordered_by", "parent_run", "parent_path", "priority"} <= set(row)
