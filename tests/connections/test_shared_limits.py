"""Four workers on one account in virtual time: together they use what is allowed and never more."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable

import pytest

from hub.connections.breaker import BreakerState
from hub.errors import LimitKind, LimitReached, NotSent, OutcomeUnknown
from hub.model.limits import Asker
from hub.sdk.connector import Limits
from tests.connections.shared import AHEAD, Database, Worker
from tests.connections.virtual import Vendor, VirtualClock, most_within, now, run


def vendor(
    worker: Worker, *, seconds: float = 0.005, refuses: Callable[[int], LimitReached | None] | None = None
) -> Vendor:
    """Count what arrives of all; `worker` stands for whoever asks."""
    chance = random.Random(5)
    return Vendor(
        limiter=worker.limiter,
        transit=lambda: chance.uniform(0, 0.004),
        seconds=lambda: chance.uniform(0.5, 1) * seconds,
        refuses=refuses or (lambda _number: None),
    )


def used(found: Vendor, since: float, until: float) -> int:
    """Count what arrived in a time."""
    return sum(since < at <= until for at in found.arrivals)


@pytest.mark.parametrize(
    ("limits", "seconds", "many"),
    [
        (Limits(rate=40, concurrency=50), 12, 8),
        (Limits(rate=150, concurrency=50), 8, 16),
        (Limits(rate=600, per=60, concurrency=50), 100, 8),
        (Limits(rate=1, concurrency=5), 30, 2),
        (Limits(rate=2.5, concurrency=5), 22, 2),
    ],
)
@pytest.mark.parametrize("workers", [1, 4])
def test_workers_use_a_rate_to_one_percent_and_never_exceed_it(
    limits: Limits, seconds: float, many: int, workers: int
) -> None:
    async def work() -> None:
        database = Database()
        all_ = [Worker(database, limits, f"w{each}") for each in range(workers)]
        found = vendor(all_[0])
        for worker in all_:
            worker.work(found, seconds, many=many)
        await asyncio.sleep(seconds)
        assert limits.rate is not None
        assert most_within(found.arrivals, limits.per) <= max(round(limits.rate), 3 if limits.rate == 2.5 else 0)
        # The first window after the ledger's beginning is taken to be full.
        begins = seconds - (seconds - 2 if limits.per == 1 else 30)
        allowed = limits.rate / limits.per * (seconds - begins)
        assert used(found, begins, seconds) >= 0.99 * allowed - 1
        shares = Counter(asker.flow for asker in found.askers)
        assert max(shares.values()) <= 2 * min(shares.values())

    run(work)


def test_a_worker_alone_gets_everything_and_so_does_who_is_left() -> None:
    async def work() -> None:
        database, limits = Database(), Limits(rate=40, concurrency=10)
        one, two = Worker(database, limits, "one"), Worker(database, limits, "two")
        found = vendor(one)
        one.work(found, 40)
        await asyncio.sleep(5)
        assert used(found, 3, 5) >= 78
        two.work(found, 12)
        await asyncio.sleep(7)
        shares = Counter(asker.flow for at, asker in zip(found.arrivals, found.askers, strict=True) if 6 < at <= 12)
        assert min(shares.values()) >= 90
        assert used(found, 6, 12) >= 236
        await asyncio.sleep(8)
        # What was given to the idle one is back within a moment, also its permits.
        assert used(found, 12, 15) >= 105
        assert used(found, 15, 20) >= 198
        assert most_within(found.arrivals, 1) <= 40

    run(work)


@pytest.mark.parametrize(("seconds", "lasts", "outlasts"), [(0.3, 30, 1), (3, 30, 6), (3, 4, 4)])
def test_what_a_dead_worker_held_comes_back_and_not_before(seconds: float, lasts: float, outlasts: float) -> None:
    async def work() -> None:
        database, limits = Database(), Limits(rate=400, concurrency=8)
        one, two = (Worker(database, limits, name, lasts=lasts) for name in ("one", "two"))
        found = vendor(one, seconds=seconds)
        for worker in (one, two):
            worker.work(found, 90, many=20)
        await asyncio.sleep(30.0)
        held = database.ledger().holders["two"].permits
        assert held == 4
        two.crash()
        await asyncio.sleep(0.1)
        # The lease counts from when it was last heard of.
        ends = (database.ledger().holders["two"].until - AHEAD) / 1_000_000
        assert 34.0 <= ends <= 35.0
        await asyncio.sleep(ends + 0.9 * outlasts - now())
        assert one.limiter.in_flight <= 8 - held
        await asyncio.sleep(ends + outlasts + 0.6 - now())
        assert one.limiter.in_flight == 8
        assert most_within(found.arrivals, 1) <= 400

    run(work)


def test_without_the_database_what_was_given_is_used_and_no_more() -> None:
    async def work() -> None:
        database, limits = Database(), Limits(rate=40, concurrency=10)
        all_ = [Worker(database, limits, f"w{each}") for each in range(4)]
        found = vendor(all_[0])
        for worker in all_:
            worker.work(found, 40)
        await asyncio.sleep(5)
        database.away = True
        await asyncio.sleep(10)
        # What becomes free within a second is given beforehand.
        assert 10 <= used(found, 5, 15) <= 41
        assert used(found, 7, 15) == 0
        database.away = False
        await asyncio.sleep(10)
        assert used(found, 20, 25) >= 196
        assert most_within(found.arrivals, 1) <= 40

    run(work)


def test_lost_ways_and_late_sleepers_cost_a_little_and_break_nothing() -> None:
    async def work() -> None:
        database, limits = Database(seconds=0.03, loses=0.1), Limits(rate=40, concurrency=20)
        chance = random.Random(2)
        all_ = [
            Worker(database, limits, f"w{each}", clock=VirtualClock(late=lambda: chance.uniform(0, 0.01)))
            for each in range(4)
        ]
        found = vendor(all_[0])
        for worker in all_:
            worker.work(found, 30)
        await asyncio.sleep(30)
        assert most_within(found.arrivals, 1) <= 40
        assert used(found, 5, 30) >= 0.93 * 40 * 25

    run(work)


def test_a_pause_that_one_was_asked_for_holds_the_others_within_a_second() -> None:
    async def work() -> None:
        refusal = [LimitReached(after=5.0, kind=LimitKind.RATE, status=429)]
        database, limits = Database(), Limits(rate=40, concurrency=10)
        all_ = [Worker(database, limits, f"w{each}") for each in range(4)]
        found = vendor(all_[0], refuses=lambda number: refusal.pop() if number > 120 and refusal else None)
        for worker in all_:
            worker.work(found, 40)
        while refusal:
            await asyncio.sleep(0.01)
        refused = now()
        await asyncio.sleep(20)
        assert used(found, refused + 1.0, refused + 5.0) == 0
        rates = [worker.limiter.standing().learned_rate for worker in all_]
        # It is lowered from what all sent together, and for all.
        assert used(found, refused + 5.6, refused + 7.6) <= 0.8 * 80, rates
        assert used(found, refused + 5.6, refused + 7.6) >= 0.5 * 80
        assert used(found, refused + 14, refused + 20) >= 0.9 * 240

    run(work)


def test_a_target_that_one_finds_down_is_down_for_all_and_serves_for_all() -> None:
    async def work() -> None:
        down, asked, probes = True, 0, 0
        database, limits = Database(), Limits(rate=40, concurrency=20)
        all_ = [Worker(database, limits, f"w{each}") for each in range(4)]

        async def probe() -> None:
            nonlocal probes
            probes += 1
            if down:
                raise NotSent

        async def ask(worker: Worker, number: int) -> None:
            nonlocal asked
            while now() < 40:
                try:
                    async with worker.limiter.permit(Asker(key=str(number))), worker.limiter.sending() as start:
                        asked += 1
                        await asyncio.sleep(0.05)
                        if down:
                            worker.limiter.failed(start, OutcomeUnknown(), probe)
                        else:
                            worker.limiter.served(start)
                except LimitReached as error:
                    await asyncio.sleep(min(error.after or 0.5, 1.0))

        tasks = [asyncio.create_task(ask(worker, number)) for worker in all_ for number in range(5)]
        await asyncio.sleep(4)
        assert all(worker.limiter.is_open for worker in all_)
        # One found out by ten failures, or two at the same time; the others were told.
        assert asked <= 60
        before, probes = asked, 0
        await asyncio.sleep(16)
        assert asked == before
        assert probes <= 6
        down = False
        await asyncio.sleep(20)
        states = [worker.limiter.standing().breaker for worker in all_]
        assert states == [BreakerState.CLOSED] * 4
        await asyncio.gather(*tasks)

    run(work)


async def burst(worker: Worker, like: Vendor, many: int) -> list[BaseException | None]:
    """Ask so many times at once; gives what was raised."""
    mine = Vendor(limiter=worker.limiter, transit=like.transit, seconds=like.seconds, arrivals=like.arrivals)
    asks = (mine.ask(Asker(flow=worker.line.name, key=str(number))) for number in range(many))
    return await asyncio.gather(*asks, return_exceptions=True)


def test_a_burst_at_every_process_makes_nobody_come_back_later() -> None:
    """Nobody has permits when it comes; they are soon there, and nobody takes what it cannot use from the others."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=400)
        all_ = [Worker(database, limits, name) for name in ("one", "two", "three")]
        found = vendor(all_[0])
        # How long a request takes is known of the first ones.
        for many in (1, 400, 400):
            began, ends = now(), []
            for worker in all_:
                ends.append(asyncio.create_task(burst(worker, found, many)))
                await asyncio.sleep(0.03)
            assert {error for end in ends for error in await end} == {None}
            assert now() - began < 0.5
            await asyncio.sleep(5)
        assert len(found.arrivals) == 3 * 801

    run(work)


def test_who_has_heard_that_no_permits_are_free_hopes_for_none() -> None:
    """Another one has all of them for long: who comes more than there are hands comes back later, and at once."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=50)
        holder, other = (Worker(database, limits, name, lasts=120.0) for name in ("one", "two"))
        quick, slow = vendor(other), vendor(holder, seconds=100.0)
        assert await burst(other, quick, 1) == [None]
        await asyncio.sleep(20)
        held = asyncio.create_task(burst(holder, slow, 50))
        await asyncio.sleep(1)
        assert database.ledger().holders["one"].permits == 50
        early = asyncio.create_task(burst(other, quick, 150))
        await asyncio.sleep(0.3)
        began, late = now(), [asyncio.create_task(burst(other, quick, 1)) for _ in range(50)]
        errors = [error for each in late for error in await each]
        assert now() - began < 0.01
        assert {type(error) for error in errors} == {LimitReached}
        for task in (early, held):
            task.cancel()

    run(work)
