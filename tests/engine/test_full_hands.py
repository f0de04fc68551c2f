"""A worker whose hands are full rests until one is free, whatever is announced meanwhile."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

from hub.engine.parts import Parts
from hub.engine.runner import Runner
from hub.engine.worker import Worker
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

FLOW = """
flow: tested
title: Tested
owner: ada@example.com
on: { event: vendor.thing.made }
key: "data.id"
business_key: data.id
steps:
  - id: pause
    wait: { for: PT1S }
"""


class Slow(Runner):
    """A run that takes as long as `leave` is not given."""

    leave = asyncio.Event()

    async def run(self) -> None:
        """Wait for leave, then go on."""
        await self.leave.wait()
        await super().run()


class OneHand(Worker):
    """A worker with one hand, that counts how often it lay down to rest, and never looks for work by itself."""

    runner = Slow
    poll_seconds = 1e6
    rests = 0

    def __init__(self, parts: Parts) -> None:
        """Take one hand."""
        super().__init__(dataclasses.replace(parts, capacity=1))

    async def _rest(self, *given: Any) -> None:
        self.rests += 1
        await super()._rest(*given)


async def test_what_comes_while_the_hands_are_full_keeps_nobody_awake(tmp_path: Path) -> None:
    """It is found when a hand is free; to look for it at every turn of the loop would take the time from the work."""
    Slow.leave = asyncio.Event()
    house = House(tmp_path, Vendor(), bundle(FLOW), worker=OneHand)
    await house.start()
    assert isinstance(house.worker, OneHand)
    await house.give({"id": "a"})
    async with asyncio.timeout(20):
        while not house.worker.in_flight:
            await asyncio.sleep(0.001)
    before = house.worker.rests
    for number in range(10):
        await house.give({"id": f"b{number}"})
    for _ in range(500):
        await asyncio.sleep(0)
    assert house.worker.rests - before <= 10
    Slow.leave.set()
    assert await house.settled() == {"succeeded": 11}
    await house.stop()
