"""What goes wrong around an account: probes that break, and clocks that jump."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hub.connections.budgets import StoredBudgets
from hub.connections.limiter import Limiter
from hub.errors import LimitReached, RetryLater
from hub.model.ambient import Ambient, to_micros
from hub.model.limits import Asker, Portion, QuotaPer
from hub.sdk.connector import Limits
from hub.store.committer import Committer
from hub.store.database import Database
from tests.connections.virtual import ZERO, Vendor, VirtualClock, ambient, run
from tests.intake.standing_clock import StandingClock

NOBODY = Asker()


async def fail(limiter: Limiter, probe: Callable[[], Awaitable[None]]) -> None:
    """Let requests fail until the breaker opens."""
    for _ in range(10):
        async with limiter.permit(NOBODY), limiter.sending() as start:
            limiter.failed(start, RetryLater(), probe)


@pytest.mark.parametrize("mistake", [KeyError("ok"), ValueError("not JSON"), TimeoutError()])
def test_a_probe_that_breaks_is_a_probe_that_failed(mistake: Exception) -> None:
    """A connector's own mistake in understanding a target that is down must not keep the breaker open for ever."""

    async def work() -> None:
        limiter, probes = Limiter(Limits(), ambient()), 0

        async def probe() -> None:
            nonlocal probes
            probes += 1
            if probes < 3:
                raise mistake

        await fail(limiter, probe)
        assert limiter.is_open
        await asyncio.sleep(120)
        assert probes == 3
        assert not limiter.is_open

    run(work)


def test_a_probe_is_one_of_what_a_quota_allows() -> None:
    """The day is used up when the target goes down: it is asked again on the next."""

    async def work() -> None:
        limiter, probes = Limiter(Limits(quota=10, quota_per=QuotaPer.DAY), ambient()), list[float]()

        async def probe() -> None:
            async with limiter.sending(probe=True):
                probes.append(asyncio.get_running_loop().time())

        await fail(limiter, probe)
        assert limiter.is_open
        await asyncio.sleep(86_400 + 60)
        assert [int(at) for at in probes] == [86_400]
        assert not limiter.is_open

    run(work)


def test_a_probe_is_one_of_what_a_rate_allows() -> None:
    async def work() -> None:
        limiter, arrivals = Limiter(Limits(rate=10, per=60, burst=10), ambient()), list[float]()

        async def probe() -> None:
            async with limiter.sending(probe=True):
                arrivals.append(asyncio.get_running_loop().time())

        await fail(limiter, probe)
        await asyncio.sleep(59)
        assert limiter.is_open
        assert arrivals == []
        await asyncio.sleep(10)
        assert len(arrivals) == 1
        assert not limiter.is_open

    run(work)


def test_a_clock_that_was_ahead_for_a_while_leaves_the_day_of_a_quota_as_it_is() -> None:
    """Five hours ahead for a minute: the next day's quota begins at midnight and not at seven in the evening."""

    async def work() -> None:
        clock = VirtualClock()
        limits = Limits(concurrency=5, quota=40, quota_per=QuotaPer.DAY)
        vendor = Vendor(limiter=Limiter(limits, ambient(clock=clock)))
        await asyncio.sleep(10 * 3600)
        await vendor.ask(NOBODY)
        clock.ahead += timedelta(hours=5)
        await vendor.ask(NOBODY)
        await asyncio.sleep(60)
        clock.ahead -= timedelta(hours=5)
        await asyncio.gather(*(vendor.ask(NOBODY) for _ in range(38)))
        await asyncio.sleep(9.5 * 3600)
        for _ in range(2):
            with pytest.raises(LimitReached) as told:
                await vendor.ask(NOBODY)
        assert told.value.after == pytest.approx(4.5 * 3600, abs=120)
        assert [use.ends for use in vendor.limiter.standing().quotas] == [ZERO + timedelta(days=1)]
        await asyncio.sleep(4.5 * 3600)
        await vendor.ask(NOBODY)

    run(work)


async def test_a_clock_that_was_a_year_ahead_blocks_no_quota_for_a_year(tmp_path: Path) -> None:
    """What was used by the wrong clock counts as used by the right one."""
    clock = StandingClock("2026-01-01T10:00:00")
    database = Database(tmp_path)
    committer = Committer(database, Ambient(clock=clock, random=random.Random(1)))
    committer.start()
    shared, day = StoredBudgets(environment="test", committer=committer), timedelta(days=1)

    async def reserve(count: int) -> tuple[int, int]:
        begins = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        portion = Portion(per=QuotaPer.DAY, zone="UTC", begins=to_micros(begins), quota=10, count=count)
        return (await shared.reserve("erp", [portion]))[0]

    try:
        assert await reserve(6) == (6, 6)
        clock.leap(365 * day)
        assert await reserve(7) == (7, 7)
        clock.leap(-365 * day)
        assert await reserve(7) == (0, 13)
        clock.leap(day)
        assert await reserve(7) == (7, 7)
        clock.leap(day)
        assert await reserve(12) == (10, 10)
    finally:
        await committer.stop()
        database.close()
