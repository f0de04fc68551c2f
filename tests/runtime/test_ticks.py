"""The scheduler's ticks come again after its clock was put back, as soon as the watch revives them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from hub.runtime.ticks import revive


async def test_a_tick_that_waits_for_a_clock_that_was_put_back_is_revived() -> None:
    """It had been due in an hour by the clock of now, and comes at once; then at its interval."""
    came: list[datetime] = []

    async def tick() -> None:
        came.append(datetime.now(UTC))

    ticks = AsyncIOScheduler(timezone="UTC")
    ticks.add_job(
        tick, IntervalTrigger(seconds=1, timezone="UTC"), next_run_time=datetime.now(UTC) + timedelta(hours=1)
    )
    ticks.start()
    try:
        await asyncio.sleep(0.05)
        assert came == []
        revive(ticks)
        async with asyncio.timeout(20):
            while len(came) < 2:
                await asyncio.sleep(0.02)
    finally:
        ticks.shutdown(wait=False)
