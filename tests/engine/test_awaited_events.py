"""The event that a step waits for is the next one in the order in which events came, whatever the clock says."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.model.event import EventState, InboundEvent, Via
from hub.model.hold import HoldKind
from hub.model.retention import Retention
from hub.operate.holds import Held
from hub.operate.retention import Pruning
from hub.operate.runs import From
from hub.sdk import exact_json
from hub.store.committer import Transaction, Work
from hub.store.events import place_of
from hub.store.releases import Release
from hub.store.tables import events, steps
from tests.engine.house import House
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import Hut, exceptions, flow, state

PAID = "wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D, case: never-paid }"
ONE = f"""
  - id: paid
    {PAID}
  - id: write
    call: {{ connection: vendor, operation: native.write, with: vendor/thing, of: data }}
"""
THING = {"id": "a", "key": "k", "value": "good"}
START = From()
HELD = Held(kind=HoldKind.FLOW, name="tested", key="")


async def waiting(hut: Hut, value: str = "good") -> House:
    """Let a run come to its first wait."""
    house = await hut.open()
    await house.give({**THING, "value": value})
    assert await house.settled(waiting=["event"]) == {"waiting": 1}
    return house


def taken(house: House) -> dict[str, str]:
    """Give what the steps of the newest run have waited for, by the last part of their paths."""
    run_id = state(house)["id"]
    asked = select(steps.c.path, steps.c.output).where(steps.c.run_id == run_id, steps.c.kind == "wait")
    with house.database.reading() as connection:
        rows = list(connection.execute(asked))
    return {row.path.rpartition(".")[2]: exact_json.loads(row.output)["id"] for row in rows}


async def test_the_clock_was_set_back_before_it_came(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(ONE))
    house = await waiting(hut)
    hut.clock.leap(-timedelta(hours=1))
    await house.pay("a")
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


async def test_it_came_in_the_same_delivery_and_behind(tmp_path: Path) -> None:
    house = await Hut(tmp_path, flow(ONE)).open()
    now = house.ambient.now()
    both = [
        InboundEvent(
            external_id=word, subject="a", data=THING, type=f"vendor.thing.{word}", occurred_at=now, schema=None
        )
        for word in ("made", "paid")
    ]
    await house.intake.accept("vendor", both, Via.POLL)
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


async def test_it_came_before_a_person_edited_what_the_run_is_about(tmp_path: Path) -> None:
    """The edited event came when the original did."""
    house = await waiting(Hut(tmp_path, flow(ONE)), value="bad")
    await house.pay("a")
    assert await house.settled() == {"parked": 1}
    run = state(house)["id"]
    await house.run_orders.replay(run, actor="person:p_1", start=START, record=THING, reason="a slip")
    assert (await house.settled()).get("succeeded") == 1
    await house.stop()


async def test_what_is_released_happens_then_and_its_own_runs_go_by_when_it_came(tmp_path: Path) -> None:
    """Who waits for it could not see it before; what it waits for may have come meanwhile."""
    house = await waiting(Hut(tmp_path, flow(ONE)))
    await house.pay("b", "c")

    def hold_back(tx: Transaction) -> None:
        tx.connection.execute(events.update().where(events.c.position == 2).values(state=EventState.QUARANTINED))

    await house.committer.commit(Work(hold_back))
    (event,) = (dict(row._mapping) for row in kept(house, events) if row.position == 2)
    release = Release(
        event=event, state=EventState.ACCEPTED, flags=None, runs=[], became=[], bundle="b", actor="p", reason="r"
    )
    await house.committer.commit(release)
    (event,) = (dict(row._mapping) for row in kept(house, events) if row.id == event["id"])
    assert (event["position"], place_of(event)) == (4, 2)
    await house.stop()


async def test_it_was_pruned_before_the_run_came_to_wait_for_it(tmp_path: Path) -> None:
    """It has come, but what it said is gone: a person is told, and the flow does not go on with nothing."""
    hut = Hut(tmp_path, flow(ONE))
    house = await hut.open()
    await house.hold_orders.hold(HELD, reason="later", actor="person:p_1")
    await house.give(THING)
    await house.pay("a")
    hut.clock.leap(timedelta(days=100))
    keeping = Retention(payloads=timedelta(days=30), answers=timedelta(days=60))
    pruning = Pruning(
        environment="test",
        database=house.database,
        committer=house.committer,
        ambient=house.ambient,
        policy=lambda: keeping,
    )
    assert (await pruning.prune(actor="local")).events == 1
    await house.hold_orders.resume(HELD, actor="person:p_1")
    assert await house.settled() == {"parked": 1}
    assert ([case.reason for case in exceptions(house)], hut.vendor.documents) == (["payload-pruned"], [])
    await house.stop()


TWO = {
    "one after the other": f"""
  - id: first
    {PAID}
  - id: second
    {PAID}
""",
    "in a branch and behind it": f"""
  - id: way
    branch:
      - name: red
        when: data.value == 'red'
        steps:
          - id: other
            {PAID}
      - name: blue
        steps:
          - id: first
            {PAID}
  - id: second
    {PAID}
""",
    "in an item": f"""
  - id: lines
    foreach:
      each: "[data]"
      steps:
        - id: first
          {PAID}
        - id: second
          {PAID}
""",
    "beside each other, and one needs the other": f"""
  - id: both
    parallel:
      - id: second
        needs: [between]
        {PAID}
      - id: between
        needs: [first]
        map: vendor/thing
        of: data
      - id: first
        {PAID}
""",
}


@pytest.mark.parametrize("how", TWO)
async def test_a_later_wait_takes_the_next_one(tmp_path: Path, how: str) -> None:
    """Two instalments are two events, also through a restart."""
    hut = Hut(tmp_path, flow(TWO[how]))
    house = await waiting(hut)
    await house.pay("a", name="paid_1")
    assert await house.settled(waiting=["event"]) == {"waiting": 1}
    await house.crash()
    house = await hut.open()
    await house.pay("a", name="paid_2")
    assert await house.settled() == {"succeeded": 1}
    assert taken(house) == {"first": "paid_1_a", "second": "paid_2_a"}
    await house.stop()


async def test_so_it_does_when_both_are_there_already(tmp_path: Path) -> None:
    """What the first has taken is known although nothing has stopped the run in between."""
    house = await Hut(tmp_path, flow(TWO["one after the other"])).open()
    await house.hold_orders.hold(HELD, reason="later", actor="person:p_1")
    await house.give(THING)
    await house.pay("a", name="paid_1")
    await house.pay("a", name="paid_2")
    await house.hold_orders.resume(HELD, actor="person:p_1")
    assert await house.settled() == {"succeeded": 1}
    assert taken(house) == {"first": "paid_1_a", "second": "paid_2_a"}
    await house.stop()


async def test_waits_beside_each_other_take_the_same(tmp_path: Path) -> None:
    """None of them comes first."""
    both = f"""
  - id: both
    parallel:
      - id: first
        {PAID}
      - id: second
        {PAID}
"""
    house = await waiting(Hut(tmp_path, flow(both)))
    await house.pay("a")
    assert await house.settled() == {"succeeded": 1}
    await house.stop()
