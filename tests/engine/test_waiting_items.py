"""Thousands of items that each wait: a wake costs what has come, and nothing that comes is missed."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from hub.engine.loops import WINDOW
from hub.model.exchange import Request, Response
from hub.model.run import RunState
from hub.store.tables import awaited
from tests.engine.house import House, loop
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import Hut, flow, of_lines, state
from tests.engine.vendor import Vendor
from tests.store.asked import listening

ITEM = """
- id: paid
  wait: { event: vendor.thing.paid, subject: line.id, timeout: P90D }
- id: write
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
  retry: patient
"""
WAITING = flow(loop(ITEM, concurrency=4))


async def written(hut: Hut, house: House, count: int) -> None:
    """Wait until so many items are written, and the run rests."""
    async with asyncio.timeout(30):
        while len(hut.vendor.documents) < count:
            await asyncio.sleep(0.005)
    await house.settled(waiting=["event"])


@contextmanager
def counting() -> Iterator[list[int]]:
    """Count the rows that are asked for and written meanwhile, as far as they grow with the items of a loop."""
    found: list[int] = []

    def note(statement: str, rows: int) -> None:
        if re.search(r"(FROM|INTO|UPDATE) (steps|awaited|events|effects|attempts)\b", statement):
            found.append(rows)

    with listening(note):
        yield found


async def test_a_wake_does_little_for_items_that_still_wait(tmp_path: Path) -> None:
    asks = []
    for count in (20, 220):
        hut = Hut(tmp_path / str(count), WAITING)
        house = await hut.open()
        await house.give(of_lines(count))
        await house.settled(waiting=["event"])
        with counting() as found:
            await house.pay("l7")
            await written(hut, house, 1)
        asks.append(sum(found))
        assert len(kept(house, awaited)) == count - 1
        await house.stop()
    # So many items are read together; nothing is asked or written for each.
    assert asks[1] - asks[0] <= 3 * 200 / WINDOW


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_comes_whenever_reaches_its_item(tmp_path: Path, seed: int) -> None:
    """Events come alone and together, while the run waits and while it works, and the process is killed meanwhile."""
    chance = random.Random(seed)
    hut = Hut(tmp_path, WAITING)
    house = await hut.open()
    await house.give(of_lines(60))
    left = [f"l{number}" for number in range(60)]
    chance.shuffle(left)
    while left:
        some, left = left[:5], left[5:]
        await house.pay(*some[: chance.randint(0, 5)])
        await asyncio.sleep(chance.random() * 0.03)
        if chance.random() < 0.3:
            await house.crash()
            house = await hut.open()
        # What was told before is told again, and counts as nothing new.
        await house.pay(*some)
    await house.settled()
    assert state(house)["state"] == RunState.SUCCEEDED
    assert sorted(document["key"] for document in hut.vendor.documents) == sorted(f"l{n}" for n in range(60))
    assert kept(house, awaited) == []
    await house.stop()


@dataclass(slots=True)
class Telling(Vendor):
    """A vendor during whose first answer another event comes."""

    house: House | None = None

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Let the event come, then answer."""
        if self.house is not None and self.number == 0:
            await self.house.pay("l1")
        return await Vendor.send(self, request, headers, timeout)


async def test_what_comes_while_the_run_is_at_work_is_not_missed(tmp_path: Path) -> None:
    vendor = Telling()
    hut = Hut(tmp_path, WAITING)
    hut.vendor = vendor
    house = vendor.house = await hut.open()
    await house.give(of_lines(3))
    await house.settled(waiting=["event"])
    await house.pay("l2")
    await written(hut, house, 2)
    assert sorted(document["key"] for document in vendor.documents) == ["l1", "l2"]
    assert [row.topic.rpartition(":")[2] for row in kept(house, awaited)] in ([], ["l0"])
    await house.pay("l0")
    await house.settled()
    assert state(house)["state"] == RunState.SUCCEEDED
    await house.stop()


@pytest.mark.parametrize("order", ["cancel", "deadline"])
async def test_nothing_is_left_awaited_by_a_run_that_waits_no_more(tmp_path: Path, order: str) -> None:
    hut = Hut(tmp_path, WAITING)
    house = await hut.open()
    await house.give(of_lines(5))
    await house.settled(waiting=["event"])
    if order == "cancel":
        await house.run_orders.cancel(state(house)["id"], actor="person:p_1", reason="no more")
    else:
        hut.clock.leap(timedelta(days=91))
        house.worker.wake()
        async with asyncio.timeout(10):
            while state(house)["state"] != RunState.PARKED:
                await asyncio.sleep(0.01)
    assert kept(house, awaited) == []
    await house.stop()
