"""The limiter: starts keep their rate, pauses hold everybody, and nobody waits longer than is good for others."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from hub.connections.limiter import Limiter
from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.sdk.connector import Limits


class LateClock:
    """A clock that tests move by sleeping; every sleeper wakes a little late, as in a busy process."""

    def __init__(self, late: float) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._late = timedelta(seconds=late)
        self.sleeps = 0

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        wakes = self._now + timedelta(seconds=seconds) + self._late
        await asyncio.sleep(0)
        self._now = max(self._now, wakes)


def limiter(clock: LateClock, *, concurrency: int = 20, rate: float | None = None) -> Limiter:
    return Limiter(Limits(concurrency=concurrency, rate=rate), Ambient(clock=clock, random=random.Random(1)))


async def starts(limited: Limiter, clock: LateClock, count: int) -> list[datetime]:
    """Give the moments at which so many requests started."""
    found = []

    async def one() -> None:
        async with limited.permit():
            found.append(clock.now())

    await asyncio.gather(*(one() for _ in range(count)))
    return found


async def test_a_rate_is_reached_although_every_sleeper_wakes_late() -> None:
    """Lateness of single starts does not add up; each sleeper sleeps once."""
    clock = LateClock(late=0.01)
    found = await starts(limiter(clock, rate=100), clock, 200)
    assert timedelta(seconds=1.8) <= found[-1] - found[0] <= timedelta(seconds=2.3)
    assert clock.sleeps <= 200


async def test_a_rate_is_never_exceeded_by_more_than_the_lateness() -> None:
    clock = LateClock(late=0.0)
    found = await starts(limiter(clock, rate=50), clock, 150)
    for first, later in zip(found, found[56:], strict=False):
        assert later - first >= timedelta(seconds=1)


async def test_a_refusal_holds_everybody() -> None:
    clock = LateClock(late=0.0)
    limited = limiter(clock)
    began = clock.now()
    assert limited.refused(2.0) == 2.0
    found = await starts(limited, clock, 3)
    assert min(found) >= began + timedelta(seconds=2)


async def test_a_long_pause_turns_away_instead_of_holding_a_place() -> None:
    clock = LateClock(late=0.0)
    limited = limiter(clock)
    limited.refused(60.0)
    with pytest.raises(LimitReached) as turned_away:
        await starts(limited, clock, 1)
    assert turned_away.value.after == pytest.approx(60.0)
