"""The pace of an account follows its policy as the clock moves: the lowest applies, and each change is kept."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hub.connections.limiter import Limiter
from hub.connections.throttle import Throttle
from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.policy.compiler import compile_policy
from hub.policy.rules import Decision, RulePolicy
from hub.sdk.connector import Limits


class Clock:
    """A clock that stands still until it is moved, and lets sleepers pass by moving on itself."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, 0, 0, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        wakes = self.time + timedelta(seconds=seconds)
        await asyncio.sleep(0)
        self.time = max(self.time, wakes)


def night(version: int = 1, **then: object) -> RulePolicy:
    policy = compile_policy(
        {
            "policy": "night",
            "kind": "throttle",
            "version": version,
            "match": "all",
            "rules": [
                {"name": "night", "when": "hour < `5`", "then": then},
                {"name": "always", "when": "weekday <= `7`", "then": {"concurrency": 8}},
            ],
        },
        {},
    )
    assert isinstance(policy, RulePolicy)
    return policy


class Account:
    """A limiter with a throttle, as an account has them."""

    def __init__(self, policy: RulePolicy | None, limits: Limits) -> None:
        self.clock = Clock()
        self.policy = policy
        self.kept: list[tuple[str, int, tuple[str, ...]]] = []
        self.limiter = Limiter(
            Throttle(
                limits=limits,
                policy=lambda: (self.policy, "revision"),
                keep=self._keep,
                environment="test",
                connection="tax",
                connector="tax",
            ),
            Ambient(clock=self.clock, random=random.Random(1)),
        )

    def _keep(self, decision: Decision, bundle: str, connection: str, at: datetime) -> None:
        assert (bundle, connection, at) == ("revision", "tax", self.clock.now())
        assert decision.inputs == {"hour": at.hour, "weekday": at.isoweekday()}
        self.kept.append((decision.policy, decision.version, decision.rules))

    async def use(self) -> Limits:
        async with self.limiter.permit():
            return self.limiter.limits


async def test_the_lowest_applies_and_each_change_is_kept() -> None:
    account = Account(night(rate=Decimal("2.5"), concurrency=4), Limits(concurrency=10, rate=5))
    assert await account.use() == Limits(concurrency=4, rate=2.5)
    for _ in range(20):
        await account.use()
    account.clock.time = datetime(2026, 1, 1, 5, 0, tzinfo=UTC)
    assert await account.use() == Limits(concurrency=8, rate=5)
    account.clock.time = datetime(2026, 1, 2, 4, 0, tzinfo=UTC)
    assert await account.use() == Limits(concurrency=4, rate=2.5)
    assert account.kept == [
        ("night", 1, ("night", "always")),
        ("night", 1, ("always",)),
        ("night", 1, ("night", "always")),
    ]


async def test_what_the_policy_allows_beyond_the_account_changes_nothing() -> None:
    account = Account(night(rate=1000, concurrency=500), Limits(concurrency=3, rate=7))
    assert await account.use() == Limits(concurrency=3, rate=7)


async def test_another_revision_counts_within_seconds() -> None:
    account = Account(night(rate=1), Limits(concurrency=10))
    assert (await account.use()).rate == 1
    account.policy = night(version=2, rate=9)
    account.clock.time += timedelta(seconds=6)
    assert (await account.use()).rate == 9
    account.policy = None
    account.clock.time += timedelta(seconds=6)
    assert await account.use() == Limits(concurrency=10)
    assert [version for _, version, _ in account.kept] == [1, 2]


async def test_a_policy_that_fails_leaves_the_last_answer() -> None:
    broken = compile_policy(
        {
            "policy": "broken",
            "kind": "throttle",
            "version": 1,
            "match": "first",
            "rules": [{"name": "x", "then": {"rate": "=hour"}}],
        },
        {},
    )
    assert isinstance(broken, RulePolicy)
    account = Account(broken, Limits(concurrency=10, rate=5))
    assert await account.use() == Limits(concurrency=10, rate=5)


async def test_who_waits_for_a_slow_turn_goes_on_when_the_pace_rises() -> None:
    """Nobody sleeps through the end of a throttle."""
    account = Account(night(rate=Decimal("0.05")), Limits(concurrency=10))
    began = account.clock.now()
    await asyncio.gather(*(account.use() for _ in range(2)))
    assert account.clock.now() - began >= timedelta(seconds=19)
    account.clock.time = datetime(2026, 1, 2, 4, 59, 50, tzinfo=UTC)
    began = account.clock.now()
    await asyncio.gather(*(account.use() for _ in range(4)))
    assert account.clock.now() - began <= timedelta(seconds=20)
    assert max(account.clock.slept) <= 5.0


async def test_who_would_wait_too_long_for_a_turn_comes_back_later() -> None:
    """A worker's hands are not filled with sleepers."""
    account = Account(night(rate=Decimal("0.05")), Limits(concurrency=10))
    ends = await asyncio.gather(*(account.use() for _ in range(6)), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, LimitReached)]
    assert len(refused) == 2
    assert [end.after for end in refused] == [80.0, 80.0]


async def test_fewer_and_more_requests_in_flight() -> None:
    """Never more than allowed; who waits in the row is let in when more are allowed, and a cancelled one holds none."""
    account = Account(night(concurrency=2), Limits(concurrency=5))
    release, inside = asyncio.Event(), []

    async def one(number: int) -> None:
        async with account.limiter.permit():
            inside.append(number)
            await release.wait()

    tasks = [asyncio.create_task(one(number)) for number in range(7)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inside == [0, 1]
    tasks[2].cancel()
    await asyncio.gather(tasks[2], return_exceptions=True)
    account.clock.time = datetime(2026, 1, 1, 6, 0, tzinfo=UTC)
    tasks.append(asyncio.create_task(one(7)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert inside == [0, 1, 3, 4, 5]
    release.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert inside == [0, 1, 3, 4, 5, 6, 7]
    assert account.limiter.in_flight == 0
