"""The limiter on virtual time: no limit is ever overrun, nearly all of it is used, and everybody gets a turn."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.connections.bounds import of_vendor, windows
from hub.connections.hands import Hands
from hub.connections.limiter import Limiter
from hub.errors import LimitKind, LimitReached
from hub.model.limits import Asker, QuotaPer
from hub.model.run import Priority
from hub.sdk.connector import Limits
from tests.connections.virtual import Vendor, VirtualClock, ambient, most_within, now, run

NOBODY = Asker()


def busy(vendor: Vendor, seconds: float, workers: int, *, prepare: float = 0.0) -> None:
    """Let so many flows ask all the time."""

    async def work() -> None:
        askers = [Asker(flow=f"flow{number % 3}", key=str(number)) for number in range(workers)]
        await asyncio.gather(*(vendor.keep_asking(asker, seconds, prepare=prepare) for asker in askers))

    run(work)


def within_limits(vendor: Vendor, limits: Limits) -> None:
    """Assert that the vendor saw no more than its limits, in any window."""
    assert vendor.highest <= limits.concurrency
    if limits.rate is not None:
        for window in windows(limits.rate, limits.per):
            assert most_within(vendor.arrivals, window.micros / 1_000_000) <= window.count


@settings(max_examples=20, deadline=None)
@given(
    limits=st.builds(
        Limits,
        concurrency=st.integers(1, 12),
        rate=st.one_of(st.none(), st.sampled_from([0.1, 0.5, 1, 2.5, 3, 7, 10, 33.33, 40])),
        per=st.sampled_from([1, 1, 60]),
        burst=st.one_of(st.none(), st.integers(1, 40)),
    ),
    workers=st.integers(1, 20),
    transit=st.floats(0.0, 0.015),
    seconds=st.floats(0.1, 1.5),
    late=st.floats(0.0, 0.02),
    refusals=st.floats(0.0, 0.1),
    after=st.sampled_from([None, 0.01, 1.0, 15.0]),
    seed=st.integers(0, 1000),
)
def test_no_limit_is_overrun_whatever_comes(
    limits: Limits,
    workers: int,
    transit: float,
    seconds: float,
    late: float,
    refusals: float,
    after: float | None,
    seed: int,
) -> None:
    """Random arrivals, answers, pauses and late wake-ups; the vendor measures when requests arrive."""
    chance = random.Random(seed)
    length = 10.0 if limits.per == 1 else 130.0

    async def work() -> Vendor:
        limiter = Limiter(limits, ambient(seed, VirtualClock(lambda: chance.random() * late)))
        vendor = Vendor(
            limiter=limiter,
            transit=lambda: chance.random() * transit,
            seconds=lambda: chance.random() * seconds,
            refuses=lambda _number: LimitReached(after=after) if chance.random() < refusals else None,
        )

        async def come(number: int) -> None:
            await asyncio.sleep(chance.choice([0.0, chance.random() * length]))
            asker = Asker(flow=str(number % 4), key=str(number), priority=chance.choice(list(Priority)))
            await vendor.keep_asking(asker, length, prepare=chance.random() * 0.02)

        await asyncio.gather(*(come(number) for number in range(workers)))
        assert limiter.in_flight == 0
        assert limiter.standing().preparing == 0
        return vendor

    vendor = run(work)
    assert vendor.arrivals
    within_limits(vendor, limits)


@pytest.mark.parametrize(
    "limits",
    [
        Limits(concurrency=20, rate=5),
        Limits(concurrency=20, rate=2, burst=1),
        Limits(concurrency=20, rate=100, per=60),
        Limits(concurrency=4, rate=2.5),
    ],
    ids=str,
)
@pytest.mark.parametrize("answer", [0.004, 0.4], ids=["quick", "slow"])
def test_four_thousand_requests_use_nearly_all_of_a_rate_and_never_more(limits: Limits, answer: float) -> None:
    """While work waits all the time, for as long as so many may take."""
    chance = random.Random(7)
    assert limits.rate is not None
    length = 4_000 * limits.per / limits.rate

    async def work() -> Vendor:
        vendor = Vendor(
            limiter=Limiter(limits, ambient(7, VirtualClock(lambda: chance.random() * 0.002))),
            transit=lambda: chance.random() * 0.002,
            seconds=lambda: answer * chance.uniform(0.5, 1.5),
        )
        askers = [Asker(flow=str(number % 3), key=str(number)) for number in range(12)]
        await asyncio.gather(*(vendor.keep_asking(asker, length, prepare=0.008) for asker in askers))
        return vendor

    vendor = run(work)
    within_limits(vendor, limits)
    assert sum(arrival < length for arrival in vendor.arrivals) >= 0.97 * 4_000


def test_ten_minutes_keep_nearly_all_places_in_flight() -> None:
    """What is made durable before a request is made so while others are under way."""

    async def work() -> float:
        chance = random.Random(3)
        vendor = Vendor(limiter=Limiter(Limits(concurrency=5), ambient()), seconds=lambda: chance.uniform(0.2, 1.0))
        askers = [Asker(flow=str(number % 3), key=str(number)) for number in range(12)]
        await asyncio.gather(*(vendor.keep_asking(asker, 600.0, prepare=0.015) for asker in askers))
        assert vendor.highest == 5
        return len(vendor.arrivals) * 0.6 / 600.0 / 5

    assert run(work) >= 0.97


def test_starts_before_a_restart_are_taken_into_account() -> None:
    """A process that may follow another one begins as after starts at full pace."""

    async def work() -> None:
        limits = Limits(concurrency=50, rate=60, per=60)
        first = Vendor(limiter=Limiter(limits, ambient(), fresh=False))
        await asyncio.gather(*(first.ask(NOBODY, patient=True) for _ in range(90)))
        second = Vendor(limiter=Limiter(limits, ambient(), fresh=False), arrivals=first.arrivals)
        await asyncio.gather(*(second.ask(NOBODY, patient=True) for _ in range(90)))
        assert most_within(first.arrivals, 60.0) <= 60

    run(work)


def test_a_refusal_holds_everybody_and_then_one_finds_out() -> None:
    """Nobody sends before the time that was asked for, and the next goes alone."""

    async def work() -> None:
        vendor = Vendor(
            limiter=Limiter(Limits(concurrency=10), ambient()),
            refuses=lambda number: LimitReached(after=5.0) if number == 1 else None,
            seconds=lambda: 0.1,
        )
        ends = await asyncio.gather(*(vendor.ask(Asker(key=str(n))) for n in range(20)), return_exceptions=True)
        (told,) = [end for end in ends if isinstance(end, LimitReached)]
        assert told.after is not None
        assert 5.0 <= told.after <= 5.6
        # Ten were under way when it came; of the others, one alone found out that the account serves again.
        later = [arrival for arrival in vendor.arrivals if arrival > 0.05]
        assert len(later) == 10
        assert min(later) >= 5.1
        assert sorted(later)[1] >= min(later) + 0.1

    run(work)


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [(None, 0.02, 0.2), (0.5, 0.5, 0.55), (60.0, 60.0, 66.0), (1e9, 43_200.0, 43_230.0), (3600.0, 3600.0, 3630.0)],
)
def test_what_a_vendor_asks_for_is_honoured_spread_and_bounded(after: float | None, least: float, most: float) -> None:
    async def work() -> float:
        vendor = Vendor(limiter=Limiter(Limits(), ambient(seed=5)), refuses=lambda _number: LimitReached(after=after))
        with pytest.raises(LimitReached) as told:
            await vendor.ask(NOBODY)
        return told.value.after or 0.0

    assert least <= run(work) <= most


def test_a_storm_of_refusals_costs_few_calls() -> None:
    """Ten minutes in which every request is refused without a word of when to come back, then all is done at once."""

    async def work() -> None:
        storm = 600.0
        vendor = Vendor(
            limiter=Limiter(Limits(concurrency=10, rate=20), ambient()),
            refuses=lambda _number: LimitReached() if now() < storm else None,
        )
        done: list[float] = []

        async def one(number: int) -> None:
            while True:
                try:
                    await vendor.ask(Asker(key=str(number)))
                except LimitReached as error:
                    await asyncio.sleep(error.after or 1.0)
                else:
                    done.append(now())
                    return

        await asyncio.gather(*(one(number) for number in range(100)))
        extra = len(vendor.arrivals) - 100
        assert extra <= 100
        assert storm <= min(done)
        assert max(done) <= storm + 60.0

    run(work)


def test_a_lock_on_one_object_slows_nobody_else() -> None:
    async def work() -> None:
        vendor = Vendor(
            limiter=Limiter(Limits(concurrency=10), ambient(), topic="limit:test:vendor"),
            refuses=lambda number: LimitReached(kind=LimitKind.OBJECT) if number == 1 else None,
        )
        with pytest.raises(LimitReached) as told:
            await vendor.ask(NOBODY)
        assert told.value.on is None
        assert 0.2 <= (told.value.after or 0.0) <= 1.0
        before = now()
        await asyncio.gather(*(vendor.ask(NOBODY) for _ in range(10)))
        assert now() - before < 0.05

    run(work)


def test_a_month_end_posting_passes_a_back_fill_and_the_back_fill_still_moves() -> None:
    """Ninety of a hundred places go to what is urgent; none waits for ever."""

    async def work() -> Counter[int]:
        vendor = Vendor(limiter=Limiter(Limits(concurrency=1), ambient(), hands=Hands(1000)), seconds=lambda: 0.01)
        askers = [Asker(priority=priority, key=str(number)) for number in range(300) for priority in Priority]
        asking = [asyncio.create_task(vendor.ask(asker, patient=True)) for asker in askers]
        while len(vendor.askers) < 200:
            await asyncio.sleep(0.01)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        return Counter(asker.priority for asker in vendor.askers[:200])

    served = run(work)
    assert served[Priority.HIGH] == pytest.approx(180, abs=2)
    assert served[Priority.NORMAL] == pytest.approx(18, abs=2)
    assert served[Priority.LOW] == pytest.approx(2, abs=1)


def test_ten_thousand_of_one_key_starve_no_other() -> None:
    """One flow with thousands waiting shares the account evenly with one that has a few, and so do keys."""

    async def work() -> list[tuple[str, str]]:
        vendor = Vendor(limiter=Limiter(Limits(concurrency=1), ambient()), seconds=lambda: 0.01)
        many = [asyncio.create_task(vendor.ask(Asker(flow="many", key="a"), patient=True)) for _ in range(10_000)]
        await asyncio.sleep(0.001)
        few = [
            asyncio.create_task(vendor.ask(Asker(flow=flow, key=key), patient=True))
            for flow, key in [("many", "b"), ("other", "c")] * 5
        ]
        await asyncio.gather(*few)
        for task in many:
            task.cancel()
        await asyncio.gather(*many, return_exceptions=True)
        return [(asker.flow, asker.key) for asker in vendor.askers]

    order = run(work)
    # Half of the turns go to each flow, and within the first one half to each key.
    assert len(order) <= 30
    assert order.count(("other", "c")) == 5
    assert order.count(("many", "b")) == 5


def test_a_slow_account_holds_only_its_share_of_hands() -> None:
    """What is beyond it comes back later, and says for which row it waits."""

    async def work() -> None:
        limiter = Limiter(Limits(concurrency=4), ambient(), topic="limit:test:slow", hands=Hands(10))
        vendor = Vendor(limiter=limiter, seconds=lambda: 60.0)
        asking = [asyncio.create_task(vendor.ask(Asker(key=str(number)))) for number in range(50)]
        await asyncio.sleep(2.0)
        turned_away = [task for task in asking if task.done()]
        assert len(turned_away) == 40
        for task in turned_away:
            error = task.exception()
            assert isinstance(error, LimitReached)
            assert (error.on, error.code) == ("limit:test:slow", "account-busy")
        # Once that is known, nobody waits to learn it.
        before = now()
        with pytest.raises(LimitReached):
            await vendor.ask(Asker(key="late"))
        assert now() == before

    run(work)


@pytest.mark.parametrize("slow", [2, 4, 12])
def test_many_slow_accounts_leave_hands_free_for_others(slow: int) -> None:
    """However many targets hang at once: what one account may fill falls with what the others have."""

    async def work() -> None:
        hands = Hands(25)
        asking = []
        for name in range(slow):
            limiter = Limiter(Limits(concurrency=2), ambient(), topic=f"limit:test:{name}", hands=hands)
            vendor = Vendor(limiter=limiter, seconds=lambda: 60.0)
            asking += [asyncio.create_task(vendor.ask(Asker(key=str(number)))) for number in range(50)]
        await asyncio.sleep(2.0)
        assert hands.used <= 100 - hands.most
        assert hands.most >= 100 // (slow + 4)
        quick = Vendor(limiter=Limiter(Limits(concurrency=2), ambient(), hands=hands), seconds=lambda: 0.01)
        before = now()
        await asyncio.gather(*(quick.ask(Asker(key=str(number))) for number in range(6)))
        assert now() - before < 0.1
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        assert hands.used == 0

    run(work)


def test_who_is_urgent_takes_the_place_of_who_is_not() -> None:
    """Also where the account's share of hands is used up: one that is not urgent makes room."""

    async def work() -> None:
        limiter = Limiter(Limits(concurrency=1), ambient(), topic="limit:test:slow", hands=Hands(10))
        vendor = Vendor(limiter=limiter, seconds=lambda: 5.0)
        low = [asyncio.create_task(vendor.ask(Asker(priority=Priority.LOW, key=str(n)))) for n in range(10)]
        await asyncio.sleep(4.0)
        await vendor.ask(Asker(priority=Priority.HIGH, key="urgent"))
        assert now() <= 20.1
        ends = await asyncio.gather(*low, return_exceptions=True)
        assert sum(isinstance(end, LimitReached) for end in ends[-1:]) == 1

    run(work)


def test_who_is_cancelled_keeps_no_place() -> None:
    """At whatever moment: in the row, just let in, at the gate, or on the way."""

    async def work() -> None:
        limiter = Limiter(Limits(concurrency=3, rate=20), ambient())
        vendor = Vendor(limiter=limiter, seconds=lambda: 0.2)
        chance = random.Random(2)
        asking = [asyncio.create_task(vendor.ask(Asker(key=str(number)), prepare=0.05)) for number in range(200)]
        while not all(task.done() for task in asking):
            await asyncio.sleep(chance.random() * 0.1)
            chance.choice(asking).cancel()
        assert limiter.in_flight == 0
        standing = limiter.standing()
        assert (standing.preparing, dict(standing.waiting)) == (0, {})
        await asyncio.gather(*(vendor.ask(NOBODY) for _ in range(3)))
        assert vendor.highest == 3
        await asyncio.gather(*asking, return_exceptions=True)

    run(work)


def test_a_clock_that_is_set_back_stops_nobody() -> None:
    async def work() -> None:
        clock = VirtualClock()
        vendor = Vendor(limiter=Limiter(Limits(rate=10), ambient(clock=clock)))
        for number in range(60):
            if number == 30:
                clock.ahead -= timedelta(hours=1)
            await vendor.ask(NOBODY)
        assert now() <= 6.5
        assert most_within(vendor.arrivals, 1.0) <= 10

    run(work)


def test_a_quota_is_used_up_and_not_more_and_begins_anew() -> None:
    """In the zone it is counted in: here a day that begins at eleven in the evening, UTC."""

    async def work() -> None:
        limits = Limits(concurrency=10, quota=40, quota_per=QuotaPer.DAY, quota_zone="Europe/Vienna")
        limiter = Limiter(limits, ambient(), topic="limit:test:vendor")
        vendor = Vendor(limiter=limiter)
        ends = await asyncio.gather(*(vendor.ask(Asker(key=str(n))) for n in range(60)), return_exceptions=True)
        refused = [end for end in ends if isinstance(end, LimitReached)]
        assert (len(vendor.arrivals), len(refused)) == (40, 20)
        assert {end.code for end in refused} == {"quota-used"}
        assert all(end.after == pytest.approx(23 * 3600, abs=2) for end in refused)
        assert [use.used for use in limiter.standing().quotas] == [40]
        await asyncio.sleep(23 * 3600)
        await vendor.ask(NOBODY)
        assert [use.used for use in limiter.standing().quotas] == [1]

    run(work)


def test_limits_that_rise_let_more_in_at_once() -> None:
    async def work() -> None:
        allowed = [Limits(concurrency=1), Limits(concurrency=5)]
        limiter = Limiter(lambda at: (of_vendor(allowed[at.second >= 10]),), ambient())
        vendor = Vendor(limiter=limiter, seconds=lambda: 60.0)
        asking = [asyncio.create_task(vendor.ask(Asker(key=str(n)), patient=True)) for n in range(5)]
        await asyncio.sleep(9.0)
        assert vendor.in_flight == 1
        await asyncio.sleep(7.0)
        assert vendor.in_flight == 5
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    run(work)
