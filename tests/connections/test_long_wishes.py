"""What a vendor wants for hours holds for hours: nothing goes out before, and all goes on after it."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import CapturingLogger

from hub.connections import conditions
from hub.connections.breaker import BreakerState
from hub.connections.limiter import Limiter
from hub.errors import LimitReached, OutcomeUnknown, RetryLater
from hub.model.limits import LONGEST_PAUSE, Asker
from hub.sdk.connector import Limits
from hub.sdk.limit_headers import Seen
from tests.connections.virtual import Vendor, ambient, now, run

HOUR = 3600.0


def made(concurrency: int = 10) -> tuple[Limiter, Vendor]:
    limiter = Limiter(Limits(concurrency=concurrency), ambient(), topic="limit:test:vendor")
    return limiter, Vendor(limiter=limiter)


async def asked_all_the_time(vendor: Vendor, seconds: float) -> list[float]:
    """Ask again and again until a time, most often in its last minutes; gives when something arrived."""

    async def work(*, patient: bool) -> None:
        while now() < seconds:
            with contextlib.suppress(LimitReached):
                await vendor.ask(Asker(), patient=patient)
            await asyncio.sleep(max(7.0, min(seconds / 20, seconds - now() - 100)))

    await asyncio.gather(*(work(patient=number % 2 == 0) for number in range(4)))
    return vendor.arrivals


@settings(max_examples=20, deadline=None)
@given(reset=st.integers(31, int(LONGEST_PAUSE)), remaining=st.integers(0, 5))
def test_what_is_left_is_not_exceeded_until_the_vendor_said_there_is_more(reset: int, remaining: int) -> None:
    async def work() -> list[float]:
        limiter, vendor = made(concurrency=5)
        async with limiter.sending() as start:
            limiter.saw(start, Seen(limit=1000, remaining=remaining, resets_in=reset))
        return await asked_all_the_time(vendor, reset + 60)

    arrivals = run(work)
    assert sum(round(at, 3) < reset for at in arrivals) == remaining
    assert any(reset <= round(at, 3) < reset + 60 for at in arrivals)


def test_without_a_reset_it_is_heeded_for_five_minutes() -> None:
    async def work() -> list[float]:
        limiter, vendor = made()
        async with limiter.sending() as start:
            limiter.saw(start, Seen(used=1000, quota=1000))
        return await asked_all_the_time(vendor, 400)

    assert 300 <= run(work)[0] < 320


@pytest.mark.parametrize("asked", [HOUR, 10 * HOUR])
def test_a_wish_of_hours_is_kept_to(asked: float) -> None:
    async def work() -> list[float]:
        limiter, vendor = made()
        async with limiter.sending() as start:
            limiter.refused(start, LimitReached(after=asked, status=429))
        return await asked_all_the_time(vendor, asked + 60)

    assert asked <= run(work)[0] < asked + 60


@pytest.mark.parametrize("told", ["refused", "failed", "saw"])
def test_more_than_a_day_is_logged_and_taken_for_one(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = CapturingLogger()
    monkeypatch.setattr(conditions, "log", logs)

    async def work() -> list[float]:
        limiter, vendor = made()
        async with limiter.sending() as start:
            match told:
                case "refused":
                    limiter.refused(start, LimitReached(after=1e9, status=429))
                case "failed":
                    limiter.failed(start, RetryLater(), lambda: asyncio.sleep(0), after=1e9)
                case _:
                    limiter.saw(start, Seen(limit=5, remaining=0, resets_in=1e9))
        return await asked_all_the_time(vendor, LONGEST_PAUSE + 60)

    assert LONGEST_PAUSE <= run(work)[0] < LONGEST_PAUSE + 60
    assert [call.kwargs["asked"] for call in logs.calls if call.args == ("limit.longer_than_half_a_day",)] == [1e9]


def test_a_breaker_sends_no_probe_while_the_target_wants_to_be_left_alone() -> None:
    async def work() -> tuple[list[float], BreakerState]:
        limiter, vendor = made()
        probes: list[float] = []

        async def probe() -> None:
            probes.append(now())

        for number in range(10):
            async with limiter.sending() as start:
                limiter.failed(start, OutcomeUnknown(), probe, after=HOUR if number == 9 else None)
        assert limiter.is_open
        await asked_all_the_time(vendor, HOUR + 60)
        return probes, limiter.standing().breaker

    probes, breaker = run(work)
    assert (len(probes), breaker) == (1, BreakerState.CLOSED)
    assert HOUR <= probes[0] < HOUR + 60
