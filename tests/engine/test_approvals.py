"""A run waits until people agree to what it would write, and nothing goes out that they did not agree to."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from hub.errors import Conflict, Fatal, NotAllowed
from hub.model.ambient import Ambient, of_micros
from hub.model.approval import Verdict
from hub.sdk import exact_json
from hub.store import approvals
from hub.store.committer import Committer, Transaction, Write
from hub.store.database import Database
from hub.store.history import Record
from hub.store.tables import cases, decisions, effects, runs, steps
from tests.engine.office import (
    FLOW,
    POLICY,
    Early,
    Meddling,
    agree,
    audited,
    compiled,
    office,
    thing,
)
from tests.engine.test_once import Dying


async def test_it_waits_for_two_people_through_restarts_and_writes_once(tmp_path: Path) -> None:
    here = await office(tmp_path)
    await here.house.give(thing(0), thing(1, minor=99))
    await here.waits()
    assert here.written == ["t1"]
    (asked,) = here.asked()
    assert (asked.policy, asked.version, asked.rule, asked.needed, asked.roles) == (
        "large", 3, "large, very large", 2, '["approver"]',
    )  # fmt: skip
    assert (asked.state, asked.money_minor, asked.money_currency) == ("pending", 5000, "EUR")
    assert exact_json.loads(asked.record) == {"id": "t0", "value": "0"}
    waiting = next(run for run in here.rows(runs) if run.state == "waiting")
    assert (waiting.wait_kind, waiting.wait_on) == ("approval", f"approval:{asked.id}")
    await here.again()
    await here.waits()
    assert await here.say("ann") == "pending"
    await here.again()
    await here.waits()
    assert len(here.asked()) == 1
    with pytest.raises(Conflict):
        await here.say("ann")
    with pytest.raises(NotAllowed):
        await here.say("con")
    assert await here.say("cem") == "approved"
    assert await here.house.settled() == {"succeeded": 2}
    assert here.written == ["t1", "t0"]
    by_key = {row.business_key: row.approvals for row in here.rows(effects)}
    assert by_key == {"t0": f'["{asked.id}"]', "t1": None}
    outputs = {row.run_id: exact_json.loads(row.output) for row in here.rows(steps) if row.path == "ok"}
    assert outputs[waiting.id] == {
        "approved": True,
        "by": ["person:p_ann", "person:p_cem"],
        "hash": asked.record_hash,
    }
    assert min(given["by"] for given in outputs.values()) == []
    assert audited(here) == ["asked", "agreed", "agreed", "granted"]
    # What was decided is kept once, however often the run was woken.
    assert len(here.rows(decisions)) == 2
    await here.house.stop()


async def test_one_refusal_is_enough_and_stops_for_a_person(tmp_path: Path) -> None:
    here = await office(tmp_path)
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    assert await here.say("ben", Verdict.REFUSED) == "refused"
    assert await here.house.settled() == {"parked": 1}
    (case,) = here.rows(cases)
    assert (case.reason, case.path, here.written) == ("approval-refused", "ok", [])
    facts = exact_json.loads(case.facts)
    assert (facts["by"], facts["reason"]) == ("person:p_ben", "because")
    # A replay asks anew: what was refused once is no vote on the next.
    await here.house.run_orders.replay(here.run().id, actor="person:p_olu")
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    await here.house.stop()


@pytest.mark.parametrize("on_failure", ["park", "continue"])
async def test_a_deadline_ends_it_without_anybody_looking(tmp_path: Path, on_failure: str) -> None:
    """Nothing goes on past what was not approved, also where the step says that failures are gone past."""
    flow = FLOW.replace("    approve: large", f"    approve: large\n    on_failure: {on_failure}")
    here = await office(tmp_path, compiled(more=", within: P1D", flow=flow.replace("    when: ok.approved\n", "")))
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.again()
    here.clock.leap(timedelta(days=1))
    here.house.worker.wake()
    assert await here.house.settled() == {"parked": 1}
    (asked,) = here.asked()
    assert (asked.state, here.written) == ("expired", [])
    assert of_micros(asked.deadline_at) - of_micros(asked.created_at) < timedelta(days=1, minutes=1)
    assert [case.reason for case in here.rows(cases)] == ["approval-expired"]
    with pytest.raises(Conflict):
        await here.say("ben")
    assert audited(here) == ["asked", "agreed", "expired"]
    await here.house.stop()


async def test_others_may_agree_when_nobody_has_answered_in_time(tmp_path: Path) -> None:
    asks = ", within: P2D, escalate_after: PT4H, escalate_to: controller"
    here = await office(tmp_path, compiled(more=asks))
    await here.house.give(thing())
    await here.waits()
    (asked,) = here.asked()
    assert here.run().wait_until == asked.escalate_at
    with pytest.raises(NotAllowed):
        await here.say("con")
    here.clock.leap(timedelta(hours=4))
    here.house.worker.wake()
    await here.until(lambda: here.asked()[0].escalated_at is not None)
    await here.waits()
    (asked,) = here.asked()
    assert (asked.roles, here.run().wait_until) == ('["approver","controller"]', asked.deadline_at)
    assert await here.say("con") == "pending"
    assert await here.say("ann") == "approved"
    assert await here.house.settled() == {"succeeded": 1}
    assert audited(here) == ["asked", "escalated", "agreed", "agreed", "granted"]
    await here.house.stop()


async def test_a_vote_between_the_look_and_the_wait_is_not_lost(tmp_path: Path) -> None:
    """Nobody would wake the run for it any more, so it is found where the wait is written."""
    here = await office(tmp_path, committer=Meddling)
    assert isinstance(here.house.committer, Meddling)

    def before(record: Record, _committer: Meddling) -> Write | None:
        if record.change is None or record.change["state"] != "waiting":
            return None
        id = record.waits[0].topic.removeprefix("approval:")

        def agree(transaction: Transaction) -> None:
            for name in ("ann", "ben"):
                approvals.vote(transaction, id, environment="test", actor=f"person:p_{name}", verdict=Verdict.AGREED)

        # It is applied first, as if its group had been written before that of the wait.
        return Early(agree)

    here.house.committer.before = before
    await here.house.give(thing())
    assert await here.house.settled(seconds=5) == {"succeeded": 1}
    assert (here.written, here.run().epoch) == (["t0"], 2)
    await here.house.stop()


@pytest.mark.parametrize("on_failure", ["park", "continue"])
async def test_a_policy_that_fails_lets_nothing_go(tmp_path: Path, on_failure: str) -> None:
    policy = POLICY.replace("approvals: 1,", "approvals: =input.number,")
    flow = FLOW.replace("    approve: large", f"    approve: large\n    on_failure: {on_failure}")
    here = await office(tmp_path, compiled(flow=flow.replace("    when: ok.approved\n", ""), policy=policy))
    await here.house.give(thing(number=1))
    assert await here.house.settled() == {"parked": 1}
    assert (here.written, here.asked()) == ([], [])
    assert [case.reason for case in here.rows(cases)] == ["bad-output"]
    await here.house.stop()


async def test_a_cancelled_run_asks_nobody_any_more(tmp_path: Path) -> None:
    here = await office(tmp_path)
    await here.house.give(thing(0), thing(1))
    await here.waits()
    first, second = here.asked()
    await here.house.run_orders.cancel(first.run_id, actor="person:p_olu", reason="wrong")
    await here.house.run_orders.take_back(second.run_id, actor="person:p_olu", reason="wrong")
    await here.house.settled()
    assert {(row.state, row.reason) for row in here.asked()} == {("void", "run-ended")}
    with pytest.raises(Conflict):
        await here.say("ann")
    assert here.written == []
    await here.house.stop()


LINES = """
flow: tested
title: Lines that are approved one by one
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
money: data.total
steps:
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      concurrency: 3
      failures: continue
      steps:
        - id: ok
          approve: large
          of: line
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
          retry: patient
"""


async def test_each_item_of_a_loop_has_an_approval_of_its_own(tmp_path: Path) -> None:
    """One is refused, one lapses and is asked for again, and neither keeps the others."""
    here = await office(tmp_path, compiled(flow=LINES))
    lines = [{"id": f"l{number}", "value": str(number)} for number in range(4)]
    await here.house.give(thing(minor=500, lines=lines))
    await here.waits()
    assert sorted(row.path for row in here.asked()) == [f"lines[l{number}].ok" for number in range(4)]
    by_path = {row.path: index for index, row in enumerate(here.asked())}
    await here.say("ann", which=by_path["lines[l0].ok"])
    await here.waits()
    await here.say("ben", Verdict.REFUSED, which=by_path["lines[l1].ok"])
    await here.waits()
    assert here.written == ["l0"]
    await here.again()
    await here.say("ann", which=by_path["lines[l3].ok"])
    await here.waits()
    assert here.written == ["l0", "l3"]
    await here.say("ben", which=by_path["lines[l2].ok"])
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["l0", "l3", "l2"]
    given = {row.path: row.approvals for row in here.rows(effects)}
    of_path = {row.path: f'["{row.id}"]' for row in here.asked()}
    assert given == {f"lines[{line}].write": of_path[f"lines[{line}].ok"] for line in ("l0", "l2", "l3")}
    await here.house.stop()


@pytest.mark.parametrize("point", range(1, 12))
async def test_a_crash_at_every_durable_point_of_an_approved_run(tmp_path: Path, point: int) -> None:
    """Asked, agreed or written: the next process goes on from there, asks nobody twice and writes once."""

    def dying(database: Database, ambient: Ambient) -> Committer:
        made = Dying(database, ambient)
        made.left = 1000
        return made

    here = await office(tmp_path, committer=dying)
    assert isinstance(here.house.committer, Dying)
    here.house.committer.left = point
    with contextlib.suppress(Fatal, TimeoutError):
        async with asyncio.timeout(1.0):
            await here.house.give(thing())
            while True:
                await agree(here.house)
                await asyncio.sleep(0.01)
    await here.house.crash()
    here.committer = Committer
    await here.open(people_too=False)
    await here.house.give(thing())
    async with asyncio.timeout(20):
        while here.run().state != "succeeded":
            await agree(here.house)
            await asyncio.sleep(0.01)
    assert here.written == ["t0"]
    (asked,) = here.asked()
    assert asked.state == "approved"
    assert [row.approvals for row in here.rows(effects)] == [f'["{asked.id}"]']
    await here.house.stop()
