"""What began to wait while the clock was ahead waits no longer for that once the clock is put back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from textwrap import indent

import pytest

from hub.model.ambient import of_micros, to_micros
from hub.model.effect import Idempotency
from hub.store import claims, runs
from hub.store.committer import Work
from hub.store.history import Record
from tests.engine.house import House, loop
from tests.engine.test_lanes import Hut, exceptions, flow, of_lines, state
from tests.engine.test_once import one_write
from tests.engine.vendor import Vendor

AHEAD = timedelta(days=10)
WRITE = """
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    retry: patient
"""
PAUSE = """
- id: pause
  wait: { for: PT1H }
"""
EVENT = """
- id: paid
  wait: { event: vendor.thing.paid, subject: data.id, timeout: PT1H, case: never-paid }
"""
TIMEOUT = """
- id: both
  timeout: PT1H
  parallel:
    - id: paid
      wait: { event: vendor.thing.paid, subject: data.id, timeout: P90D, case: never-paid }
"""


async def put_back(hut: Hut, house: House) -> int:
    """Put the clock back, and give how many runs that has let go."""
    hut.clock.leap(-AHEAD)
    moved: int = await house.committer.commit(Work(lambda tx: runs.call_forward(tx, environment="test")))
    return moved


async def test_a_retry_does_not_wait_until_the_day_that_the_clock_showed(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(WRITE))
    hut.vendor.fault = lambda _request, _number: "refused-connection"
    hut.clock.leap(AHEAD)
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "v"})
    async with asyncio.timeout(10):
        while state(house)["state"] != "waiting":
            await asyncio.sleep(0)
    hut.vendor.fault = lambda _request, _number: None
    assert await put_back(hut, house) <= 1
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


@pytest.mark.parametrize("steps", [PAUSE, EVENT, TIMEOUT], ids=["wait", "event", "timeout"])
@pytest.mark.parametrize("looped", [False, True])
@pytest.mark.parametrize("lives", [1, 2])
async def test_an_hour_is_an_hour_from_when_the_clock_was_right(
    tmp_path: Path, steps: str, lives: int, *, looped: bool
) -> None:
    hut = Hut(tmp_path, flow(loop(steps.replace("data.id", "line.id")) if looped else indent(steps, "  ")))
    hut.clock.leap(AHEAD)
    house = await hut.open()
    await house.give(of_lines(2))
    await house.settled(waiting=["timer", "event"])
    if lives > 1:
        await house.crash()
        house = await hut.open()
    assert await put_back(hut, house) == 1
    async with asyncio.timeout(10):
        while (until := state(house)["wait_until"]) is None or of_micros(until) > house.ambient.now() + AHEAD / 2:
            await asyncio.sleep(0.005)
    assert timedelta(minutes=50) < of_micros(until) - house.ambient.now() <= timedelta(hours=1)
    hut.clock.leap(timedelta(minutes=61))
    house.worker.wake()
    end = await house.settled()
    assert end == ({"succeeded": 1} if steps is PAUSE else {"parked": 1})
    assert len(exceptions(house)) == end.get("parked", 0)
    await house.stop()


async def test_what_waits_since_before_is_left_as_it_is(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(indent(PAUSE.replace("PT1H", "P30D"), "  ")))
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "v"})
    await house.settled(waiting=["timer"])
    before = state(house)
    hut.clock.leap(AHEAD)
    assert await put_back(hut, house) == 0
    assert state(house) == before
    await house.stop()


async def test_a_clock_that_is_put_back_between_the_look_and_the_record_delays_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, Vendor(), one_write(Idempotency.NATIVE))
    house.committer.start()
    await house.give({"id": "a", "key": "k", "value": "v"})
    claimed = await house.committer.commit(claims.Claim(environment="test", owner="worker", limit=1))
    run, later = claimed.runs[0].run, to_micros(house.ambient.now() + AHEAD)
    change = {"state": "waiting", "wait_kind": "timer", "claimable_at": later, "wait_until": later}
    await house.committer.commit(Record(run_id=run["id"], epoch=run["epoch"], change=change, seen=later - 1))
    assert state(house)["claimable_at"] <= to_micros(house.ambient.now())
    await house.stop()
