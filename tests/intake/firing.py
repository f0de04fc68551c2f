"""A process that fires one schedule each second by the real clock until it is killed: `firing.py FOLDER CHAIN`."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from hub.model.flow import CatchUp, Schedule
from hub.runtime.clock import SystemClock
from tests.intake.scheduled import Station, scheduled


async def fire(folder: Path, chain: str) -> None:
    """Tick without rest."""
    bundle = scheduled(daily=Schedule(every=timedelta(seconds=1), catch_up=CatchUp.ALL))
    seed = int.from_bytes(os.urandom(4))
    async with Station(folder, bundle, SystemClock(), seed=seed, chain=chain) as hub:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            await hub.schedules.tick()
            await asyncio.sleep(0.002)


if __name__ == "__main__":
    asyncio.run(fire(Path(sys.argv[1]), sys.argv[2]))
