"""What goes wrong between workers that share an account, in virtual time: outages, ends, and news in between."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from hub.connections.breaker import BreakerState
from hub.connections.ledger import MICROS, Ask, Ledger, exchange
from hub.connections.limiter import Limiter
from hub.errors import LimitKind, LimitReached, NotSent, OutcomeUnknown
from hub.model.ambient import to_micros
from hub.model.limits import Asker
from hub.sdk.connector import Limits
from tests.connections.shared import Database, Worker
from tests.connections.virtual import ZERO, Vendor, ambient, most_within, now, run

NOBODY = Asker()


def vendor(worker: Worker, *, seconds: float) -> Vendor:
    """Count what arrives of all; `worker` stands for whoever asks."""
    return Vendor(limiter=worker.limiter, seconds=lambda: seconds)


async def none() -> None:
    """Probe nothing: the target is down."""
    raise NotSent


@pytest.mark.parametrize("learned", ["a pause and a lower limit", "an open breaker"])
def test_what_was_learned_while_an_asking_failed_reaches_the_others(learned: str) -> None:
    """What is asked again is what was asked before; what came since goes with the next."""

    async def work() -> None:
        database, limits = Database(), Limits(rate=40, concurrency=20)
        one, other = (Worker(database, limits, name) for name in ("one", "other"))
        found = vendor(other, seconds=0.01)
        await vendor(one, seconds=0.01).ask(NOBODY)
        async with one.limiter.permit(NOBODY), one.limiter.sending() as start:
            database.away = True
            # By then what it asks once a second has failed.
            await asyncio.sleep(1.5)
            if learned == "an open breaker":
                for _ in range(10):
                    one.limiter.failed(start, OutcomeUnknown(), none)
            else:
                one.limiter.refused(start, LimitReached(after=30.0, kind=LimitKind.RATE, status=429))
        await asyncio.sleep(0.5)
        database.away = False
        until = now() + 3
        while now() < until:
            with contextlib.suppress(LimitReached):
                await found.ask(NOBODY)
            await asyncio.sleep(0.1)
        standing = other.limiter.standing()
        if learned == "an open breaker":
            assert standing.breaker is BreakerState.OPEN
        else:
            assert standing.paused_until is not None
            assert standing.learned_rate is not None

    run(work)


def test_a_target_that_answers_a_probe_and_then_fails_again_is_down_for_the_others() -> None:
    """Both are told within one asking: what came later holds."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=20)
        one, other = (Worker(database, limits, name) for name in ("one", "other"))
        probed = asyncio.Event()

        async def probe() -> None:
            # The answer comes when the ledger cannot be asked.
            database.away = True
            await asyncio.sleep(0.5)
            probed.set()

        await vendor(other, seconds=0.01).ask(NOBODY)
        async with one.limiter.permit(NOBODY), one.limiter.sending() as start:
            for _ in range(10):
                one.limiter.failed(start, OutcomeUnknown(), probe)
        await probed.wait()
        await asyncio.sleep(0)
        async with one.limiter.permit(NOBODY), one.limiter.sending() as start:
            one.limiter.failed(start, OutcomeUnknown(), none)
        assert one.limiter.is_open
        database.away = False
        await asyncio.sleep(1.5)
        with pytest.raises(LimitReached) as told:
            await vendor(other, seconds=0.01).ask(NOBODY)
        assert told.value.code == "target-down"
        assert other.limiter.is_open

    run(work)


@pytest.mark.parametrize(
    ("holds", "later"),
    [
        pytest.param(1, 3.0, id="one that held something asks long before"),
        pytest.param(0, 0.5, id="one that held nothing asks a little before"),
    ],
)
def test_after_the_database_was_away_nobody_has_what_is_in_use(holds: int, later: float) -> None:
    """The vendor has become slow just before: by what was told its requests should have ended long ago."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=6)
        one, other = (Worker(database, limits, name, lasts=60) for name in ("one", "other"))
        for worker in (one, other):
            await vendor(worker, seconds=0.3).ask(NOBODY)
        slow = [asyncio.create_task(vendor(other, seconds=25).ask(NOBODY)) for _ in range(6 - holds)]
        slow += [asyncio.create_task(vendor(one, seconds=25).ask(NOBODY)) for _ in range(holds)]
        await asyncio.sleep(4)
        assert (one.limiter.in_flight, other.limiter.in_flight) == (holds, 6 - holds)
        database.away = True
        await asyncio.sleep(9)
        many = [asyncio.create_task(vendor(one, seconds=0.3).ask(NOBODY, patient=True)) for _ in range(20)]
        other.line.crashed = True
        database.away = False
        highest = 0
        for step in range(400):
            await asyncio.sleep(0.05)
            other.line.crashed = step * 0.05 < later
            highest = max(highest, one.limiter.in_flight + other.limiter.in_flight)
        assert highest == 6
        await asyncio.gather(*slow, *many)
        assert other.limiter.in_flight == 0

    run(work)


def test_who_has_more_under_way_than_permits_is_counted_with_what_is_under_way() -> None:
    """Whose lease was over begins without permits, and with what it still has at the vendor."""
    ledger = Ledger()

    def ask(name: str, number: int, in_flight: int = 0) -> int:
        asked = Ask(number=number, concurrency=5, wanted=5, in_flight=in_flight)
        return exchange(ledger, name, asked, MICROS).permits

    assert ask("one", 1, in_flight=4) == 5
    assert ask("other", 1) == 0
    assert ask("one", 2, in_flight=4) < 4
    assert ask("other", 2) == 1


def test_who_was_cut_off_is_counted_with_what_it_has_under_way_until_that_ends() -> None:
    """Its permits are others' by then, who give them back; and they have them again when its requests have ended."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=6)
        one, other = (Worker(database, limits, name, lasts=60) for name in ("one", "other"))
        await vendor(other, seconds=0.3).ask(NOBODY)
        one.work(vendor(one, seconds=0.3), 40, many=1)
        slow = [asyncio.create_task(vendor(other, seconds=20).ask(NOBODY)) for _ in range(5)]
        await asyncio.sleep(4)
        assert other.limiter.in_flight == 5
        other.line.crashed = True
        one.work(vendor(one, seconds=0.3), 40, many=20)
        await asyncio.sleep(11.5)
        assert (one.limiter.in_flight, other.limiter.in_flight) == (6, 5)
        other.line.crashed = False
        await asyncio.sleep(2)
        assert other.limiter.in_flight == 5
        assert one.limiter.in_flight <= 1
        await asyncio.gather(*slow)
        await asyncio.sleep(1.5)
        assert one.limiter.in_flight == 6

    run(work)


def test_who_ends_in_order_keeps_the_permits_of_what_it_breaks_off() -> None:
    """The vendor goes on with that: the others have its permits when it has likely ended, and all else at once."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=6)
        one, other = (Worker(database, limits, name, lasts=60) for name in ("one", "other"))
        await vendor(one, seconds=0.3).ask(NOBODY)
        slow = [asyncio.create_task(vendor(one, seconds=8).ask(NOBODY)) for _ in range(4)]
        await asyncio.sleep(3)
        other.work(vendor(other, seconds=0.3), 40, many=20)
        for task in slow:
            task.cancel()
        # What it asks of the ledger meanwhile is answered.
        await asyncio.sleep(0.1)
        one.limiter.close()
        one.line.crashed = True
        await asyncio.sleep(1)
        assert other.limiter.in_flight == 2
        ended = now() + 4
        while now() < ended:
            await asyncio.sleep(0.05)
            assert other.limiter.in_flight <= 2
        # The lease, and twice the age of the oldest.
        await asyncio.sleep(5 + 6.5 - 5)
        assert other.limiter.in_flight == 6

    run(work)


def test_what_is_broken_off_counts_on_where_the_process_goes_on() -> None:
    async def work() -> None:
        database, limits = Database(), Limits(concurrency=6)
        one = Worker(database, limits, "one", lasts=60)
        await vendor(one, seconds=0.3).ask(NOBODY)
        slow = [asyncio.create_task(vendor(one, seconds=8).ask(NOBODY)) for _ in range(4)]
        await asyncio.sleep(3)
        for task in slow:
            task.cancel()
        await asyncio.sleep(4)
        assert one.limiter.in_flight == 4
        await asyncio.sleep(3)
        assert one.limiter.in_flight == 0

    run(work)


@pytest.mark.parametrize("shared", [True, False])
def test_what_is_held_up_before_it_leaves_leaves_at_its_pace(*, shared: bool) -> None:
    """What must be durable before takes three seconds: what passed the gate meanwhile does not leave all at once."""

    async def work() -> None:
        limits, arrivals, durable = Limits(rate=10, concurrency=50), list[float](), asyncio.Event()
        limiter = Worker(Database(), limits, "one").limiter if shared else Limiter(limits, ambient())

        async def leave() -> None:
            await durable.wait()

        async def ask() -> None:
            async with limiter.permit(NOBODY, patient=True), limiter.sending(leave=leave) as start:
                assert start.sent == pytest.approx(to_micros(ZERO) + now() * 1_000_000, abs=1)
                arrivals.append(now())
                await asyncio.sleep(0.3)
                limiter.served(start)

        asks = [asyncio.create_task(ask()) for _ in range(60)]
        await asyncio.sleep(3)
        durable.set()
        await asyncio.gather(*asks)
        assert most_within(arrivals, 1) <= 10
        assert now() <= 3 + 60 / 10 + 1.5

    run(work)


def test_what_did_not_leave_costs_no_place() -> None:
    async def work() -> None:
        limiter, durable = Limiter(Limits(rate=30, per=60, burst=30, concurrency=50), ambient()), asyncio.Event()

        async def leave() -> None:
            await durable.wait()

        async def ask() -> None:
            async with limiter.permit(NOBODY, patient=True), limiter.sending(leave=leave) as start:
                limiter.served(start)

        asks = [asyncio.create_task(ask()) for _ in range(30)]
        await asyncio.sleep(3)
        assert limiter.in_flight >= 20
        durable.set()
        await asyncio.gather(*asks)
        assert now() < 5

    run(work)


def test_what_is_held_up_until_the_lease_is_over_does_not_leave() -> None:
    """Its permit is another's by then."""

    async def work() -> None:
        database, limits = Database(), Limits(concurrency=1)
        one, other = (Worker(database, limits, name, lasts=10) for name in ("one", "other"))
        durable, left = asyncio.Event(), list[float]()

        async def leave() -> None:
            await durable.wait()

        async def ask() -> None:
            async with one.limiter.permit(NOBODY, patient=True), one.limiter.sending(leave=leave):
                left.append(now())

        task = asyncio.create_task(ask())
        await asyncio.sleep(0.5)
        one.line.crashed = True
        slow = asyncio.create_task(vendor(other, seconds=10).ask(NOBODY, patient=True))
        await asyncio.sleep(20)
        assert other.limiter.in_flight == 1
        durable.set()
        await asyncio.sleep(1)
        assert left == []
        one.line.crashed = False
        await asyncio.gather(slow, task)
        assert left

    run(work)
