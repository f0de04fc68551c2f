"""Several quotas at once, by the real tables on virtual time: none is exceeded, whatever clocks and processes do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine

from hub.connections.bounds import Bound, Quota, lowest
from hub.connections.limiter import Limiter
from hub.connections.quota import term
from hub.errors import LimitReached
from hub.model.ambient import to_micros
from hub.model.limits import Asker, Portion, QuotaPer
from hub.model.turns import Turns
from hub.store import budgets
from hub.store.committer import Transaction
from hub.store.control_tables import quotas
from hub.store.tables import metadata
from tests.connections.virtual import Vendor, VirtualClock, ambient, run

HOUR, DAY = 3600.0, 86_400.0
LIMITS = st.lists(
    st.builds(
        Bound,
        source=st.just("somebody"),
        quota=st.integers(1, 8),
        quota_per=st.sampled_from(QuotaPer),
        quota_zone=st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kolkata"]),
    ),
    min_size=1,
    max_size=4,
)


class Tables:
    """The tables of quotas, durable at once, as every process of a hub shares them."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.engine = create_engine("sqlite://")
        metadata.create_all(self.engine, tables=[quotas])

    async def reserve(self, budget: str, wanted: Sequence[Portion]) -> Sequence[tuple[int, int]]:
        """Take of each quota."""
        with self.engine.begin() as connection:
            transaction = Transaction(connection=connection, now=to_micros(self.clock.now()))
            return budgets.reserve(transaction, environment="test", name=budget, wanted=wanted)

    def give_back(self, budget: str, unused: Sequence[Portion]) -> None:
        """Return to each."""
        with self.engine.begin() as connection:
            transaction = Transaction(connection=connection, now=to_micros(self.clock.now()))
            budgets.give_back(transaction, environment="test", name=budget, unused=unused)

    def keep(self, budget: str, learned: Mapping[str, Any] | None) -> None:
        """Nothing is learned here."""

    async def wake(self, topic: str, count: int, turns: Turns) -> int:
        """Nobody waits here."""
        return 0


@dataclass
class Stage:
    """A hub with two processes on one account, and a vendor that counts by the hub's clock."""

    limits: list[Bound]
    clock: VirtualClock = field(default_factory=VirtualClock)
    sent: Counter[tuple[Quota, datetime]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.tables = Tables(self.clock)
        self.begin()

    def begin(self) -> None:
        """Start both processes."""
        self.vendors = [Vendor(limiter=self._limiter()) for _ in range(2)]

    def _limiter(self) -> Limiter:
        return Limiter(lambda _now: self.limits, ambient(clock=self.clock), name="erp", topic="t", store=self.tables)

    async def send(self, process: int, count: int) -> int:
        """Send as many as go out; none may be one too many of what applies to it."""
        for number in range(count):
            try:
                await self.vendors[process].ask(Asker())
            except LimitReached:
                return number
            for quota in lowest(self.limits).quotas:
                begins = term(self.clock.now(), quota.per, quota.zone).begins
                # Of times and zones, not of how many: what is sent counts under a changed number too.
                named = (Quota(count=0, per=quota.per, zone=quota.zone), begins)
                self.sent[named] += 1
                assert self.sent[named] <= quota.count
        return count

    async def change(self, limits: list[Bound]) -> None:
        """Let other limits apply; they are asked for every second."""
        self.limits = limits
        for vendor in self.vendors:
            vendor.limiter.standing()
        await asyncio.sleep(2.0)

    def stop(self) -> None:
        """Stop both processes in order."""
        for vendor in self.vendors:
            vendor.limiter.close()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 1), st.integers(1, 9)),
        st.tuples(st.just("wait"), st.sampled_from([60.0, HOUR, 7 * HOUR, DAY, 20 * DAY])),
        st.tuples(st.just("leap"), st.sampled_from([-3 * DAY, -5 * HOUR, -600.0, 600.0, 5 * HOUR, 3 * DAY])),
        st.tuples(st.just("limits"), LIMITS),
        st.tuples(st.sampled_from(["crash", "stop"])),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(limits=LIMITS, steps=STEPS)
def test_none_of_several_quotas_is_ever_exceeded_nor_blocked_for_good(
    limits: list[Bound], steps: list[tuple[Any, ...]]
) -> None:
    async def work() -> None:
        stage = Stage(limits)
        for what, *facts in steps:
            match what:
                case "send":
                    await stage.send(*facts)
                case "wait":
                    await asyncio.sleep(facts[0])
                case "leap":
                    stage.clock.ahead += timedelta(seconds=facts[0])
                case "limits":
                    await stage.change(facts[0])
                case _:
                    if what == "stop":
                        stage.stop()
                    stage.begin()
        # No clock has ever shown a time as late as this.
        await asyncio.sleep(120 * DAY)
        assert await stage.send(0, 1) == 1

    run(work)


def test_ten_an_hour_are_never_more_though_a_hundred_a_day_are_allowed() -> None:
    async def work() -> None:
        stage = Stage(
            [
                Bound(source="vendor", quota=10, quota_per=QuotaPer.HOUR),
                Bound(source="file", quota=25, quota_per=QuotaPer.DAY),
            ]
        )
        assert [await stage.send(0, 150), await stage.send(1, 150)] == [10, 0]
        await asyncio.sleep(HOUR)
        assert await stage.send(1, 150) == 10
        await asyncio.sleep(HOUR)
        # Then the day is used up; each process may have had the last ones in hand.
        assert await stage.send(0, 150) + await stage.send(1, 150) == 5
        await asyncio.sleep(HOUR)
        assert await stage.send(0, 150) + await stage.send(1, 150) == 0
        uses = {use.quota.source: use.used for use in stage.vendors[0].limiter.standing().quotas}
        assert uses["file"] == 25

    run(work)


def test_a_quota_that_applies_by_day_leaves_the_one_of_the_month_as_it_is() -> None:
    """And what was used of it is still used when it applies again on the same day."""
    month = Bound(source="vendor", quota=1000, quota_per=QuotaPer.MONTH)
    by_day = Bound(source="policy", quota=20, quota_per=QuotaPer.DAY)

    async def work() -> None:
        stage = Stage([month, by_day])
        assert await stage.send(0, 150) == 20
        await stage.change([month])
        assert await stage.send(0, 30) == 30
        await stage.change([month, by_day])
        assert await stage.send(0, 1) == 0
        stage.begin()
        assert await stage.send(1, 1) == 0
        await asyncio.sleep(DAY)
        assert await stage.send(1, 150) == 20

    run(work)


def test_what_a_wrong_clock_used_up_is_used_up_now_and_not_until_its_time_has_come() -> None:
    async def work() -> None:
        stage = Stage([Bound(source="vendor", quota=3, quota_per=QuotaPer.DAY)])
        stage.clock.ahead += timedelta(days=300)
        assert await stage.send(0, 9) == 3
        stage.clock.ahead -= timedelta(days=300)
        assert [await stage.send(process, 9) for process in (0, 1)] == [0, 0]
        await asyncio.sleep(DAY)
        assert await stage.send(0, 9) == 3

    run(work)
