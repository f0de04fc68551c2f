"""After refusals, on virtual time: how much of an account is used again, and how seldom it refuses."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

import pytest

from hub.connections.limiter import Limiter
from hub.errors import LimitReached
from hub.model.limits import Asker
from hub.sdk.connector import Limits
from tests.connections.virtual import Vendor, ambient, now, run

LENGTH = 120.0


class Sliding:
    """What refuses more than so many in any second; only what it takes counts."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.refused = 0
        self._taken: deque[float] = deque()

    def __call__(self, _number: int) -> LimitReached | None:
        while self._taken and self._taken[0] <= now() - 1.0:
            self._taken.popleft()
        if len(self._taken) >= self.rate:
            self.refused += 1
            return LimitReached()
        self._taken.append(now())
        return None


def keep_busy(limits: Limits, refuses: Callable[[int], LimitReached | None]) -> Vendor:
    """Let twenty ask all the time."""

    async def work() -> Vendor:
        vendor = Vendor(limiter=Limiter(limits, ambient()), refuses=refuses, seconds=lambda: 0.05)
        askers = [Asker(flow=str(number % 3), key=str(number)) for number in range(20)]
        await asyncio.gather(*(vendor.keep_asking(asker, LENGTH) for asker in askers))
        return vendor

    return run(work)


def test_a_refusal_now_and_then_does_not_choke_an_account() -> None:
    """Every fiftieth request is refused whatever the rate: each lowered it to what went out in the pause before."""

    def arrived(seed: int) -> int:
        dice = random.Random(seed)
        vendor = keep_busy(Limits(concurrency=10), lambda _number: LimitReached() if dice.random() < 0.02 else None)
        return len(vendor.arrivals)

    assert sum(map(arrived, range(1, 5))) >= 4 * 16 * LENGTH


@pytest.mark.parametrize("known", [None, 11, 50])
def test_a_limit_that_is_lower_than_known_is_met_seldom_and_used(known: int | None) -> None:
    """Ten a second are taken; a pace that rises with each answer must hold in between."""
    limit = Sliding(10)
    vendor = keep_busy(Limits(concurrency=10, rate=known), limit)
    assert limit.refused <= 0.35 * LENGTH
    assert len(vendor.arrivals) - limit.refused >= 0.8 * 10 * LENGTH


def test_a_limit_that_falls_to_a_fifth_is_found_within_seconds() -> None:
    """A refusal on the way up counts when another follows at once."""
    limit = Sliding(20)

    def refuses(number: int) -> LimitReached | None:
        limit.rate = 20 if now() < LENGTH / 2 else 4
        return limit(number)

    vendor = keep_busy(Limits(concurrency=10), refuses)
    later = [arrival for arrival in vendor.arrivals if arrival >= LENGTH / 2 + 15]
    assert 0.6 * 4 <= len(later) / (LENGTH / 2 - 15) <= 1.2 * 4
