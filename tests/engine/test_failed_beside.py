"""What failed for good while other steps wait: people are told of it at once, and by one exception until it is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.model.run import RunState
from hub.store import cases
from hub.store.committer import Work
from hub.store.tables import audit
from hub.store.tables import cases as cases_table
from tests.engine.house import House, loop
from tests.engine.test_compensation import reversals
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, of_lines, once, state

PARALLEL = """
  - id: both
    parallel:
      - id: paid
        wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D, case: never-paid }
      - id: written
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
"""
REFUSED = {"id": "a", "key": "k", "value": "bad"}


async def again(hut: Hut, house: House) -> House:
    """Kill the process and start it anew."""
    await house.crash()
    return await hut.open()


def all_cases(house: House) -> list[Any]:
    return [(row.path, row.reason, row.state) for row in kept(house, cases_table)]


def entries(house: House, kind: str) -> int:
    return len([row for row in kept(house, audit) if row.kind == kind])


async def waiting(hut: Hut, event: dict[str, Any] = REFUSED) -> House:
    """Give a hub in which the run waits."""
    house = await hut.open()
    await house.give(event)
    await house.settled(waiting=["event"])
    assert state(house)["state"] == RunState.WAITING
    return house


async def test_people_see_a_failure_while_another_step_waits(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(PARALLEL))
    house = await waiting(hut)
    [case] = exceptions(house)
    assert (case.path, case.reason, case.state) == ("both.written", "fix-data", "open")
    await house.stop()


@pytest.mark.parametrize("lives", [1, 2])
async def test_a_failure_is_told_once_until_it_is_replayed(tmp_path: Path, lives: int) -> None:
    hut = Hut(tmp_path, flow(PARALLEL))
    house = await waiting(hut)
    [told] = exceptions(house)
    house = await again(hut, house) if lives > 1 else house
    await house.pay("a")
    await house.settled()
    [case] = exceptions(house)
    assert (case.id, case.state, state(house)["state"]) == (told.id, "open", RunState.PARKED)
    assert "still wait" in told.detail
    assert "still wait" not in case.detail
    hut.vendor.forgiving = True
    await house.run_orders.replay_case(case.id, actor="person:p_1")
    await house.settled()
    assert state(house)["state"] == RunState.SUCCEEDED
    assert all_cases(house) == [("both.written", "fix-data", "closed")]
    assert entries(house, "case.opened") == 1
    await house.stop()


@pytest.mark.parametrize("lives", [1, 2])
async def test_what_goes_through_after_all_closes_its_exception(tmp_path: Path, lives: int) -> None:
    hut = Hut(tmp_path, flow(PARALLEL))
    house = await waiting(hut)
    hut.vendor.forgiving = True
    house = await again(hut, house) if lives > 1 else house
    await house.pay("a")
    await house.settled()
    assert state(house)["state"] == RunState.SUCCEEDED
    assert all_cases(house) == [("both.written", "fix-data", "closed")]
    assert entries(house, "case.closed") == 1
    await house.stop()


async def test_what_goes_through_gives_way_to_what_stops_the_run_after_it(tmp_path: Path) -> None:
    after = """
  - id: last
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: "{id: 'z', value: 'bad'}" }
"""
    hut = Hut(tmp_path, flow(PARALLEL + after))
    house = await waiting(hut)
    hut.vendor.forgiving = True
    hut.vendor.fault = lambda request, _number: "says-it-back" if request.url.endswith("upsert") else None
    await house.pay("a")
    await house.settled()
    assert state(house)["state"] == RunState.PARKED
    assert sorted(all_cases(house)) == [("both.written", "fix-data", "closed"), ("last", "fix-data", "open")]
    await house.stop()


async def test_a_parked_run_has_an_open_exception_whoever_closed_it_before(tmp_path: Path) -> None:
    also = """
      - id: pause
        wait: { for: PT1H }
"""
    hut = Hut(tmp_path, flow(PARALLEL.rstrip() + also))
    house = await hut.open()
    await house.give(REFUSED)
    await house.settled(waiting=["event", "timer"])
    [case] = exceptions(house)
    closing = Work(lambda tx: cases.close(tx, case.id, resolution="seen", actor="person:p_1"))
    await house.committer.commit(closing)
    hut.clock.leap(timedelta(hours=1))
    house.worker.wake()
    async with asyncio.timeout(10):
        while hut.vendor.seen["native"] < 2:
            await asyncio.sleep(0.01)
    await house.settled(waiting=["event"])
    assert [each[2] for each in all_cases(house)] == ["closed"]
    await house.pay("a")
    await house.settled()
    assert sorted(each[2] for each in all_cases(house)) == ["closed", "open"]
    await house.stop()


async def test_what_the_flow_goes_on_without_is_no_exception(tmp_path: Path) -> None:
    house = await waiting(Hut(tmp_path, flow(PARALLEL.replace("parallel:", "on_failure: continue\n    parallel:"))))
    assert all_cases(house) == []
    await house.stop()


async def test_what_is_to_be_taken_back_does_not_wait_for_others(tmp_path: Path) -> None:
    before = """
  - id: first
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: "{id: 'f', value: 'good'}" }
    undo: { operation: thing.reverse, by: =first.id }
"""
    hut = Hut(tmp_path, flow(before + PARALLEL, HEAD + "on_failure: compensate\n"))
    house = await once(hut, REFUSED)
    assert state(house)["state"] == RunState.COMPENSATED
    assert len(reversals(hut.vendor)) == 1
    assert all_cases(house) == [("both.written", "fix-data", "open")]
    await house.stop()


ITEM = """
- id: write
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
- id: paid
  wait: { event: vendor.thing.paid, subject: line.id, timeout: P7D }
"""


async def test_items_that_failed_are_told_while_others_wait(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(loop(ITEM, failures="park")))
    house = await waiting(hut, of_lines(5, 1, 3))
    [told] = exceptions(house)
    assert (told.path, told.reason) == ("lines", "fix-data")
    assert "2 of 5 items failed" in told.detail
    house = await again(hut, house)
    await house.pay("l0", "l2", "l4")
    await house.settled()
    [case] = exceptions(house)
    assert (case.id, case.state, state(house)["state"]) == (told.id, "open", RunState.PARKED)
    await house.stop()


async def test_items_without_which_the_flow_goes_on_are_no_exception(tmp_path: Path) -> None:
    house = await waiting(Hut(tmp_path, flow(loop(ITEM, failures="continue"))), of_lines(5, 1))
    assert all_cases(house) == []
    await house.stop()
