"""The pace of an account follows its policy as the clock moves: the lowest applies, and each change is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hub.connections.bounds import Bound, of_vendor
from hub.connections.limiter import Limiter
from hub.connections.throttle import Throttle
from hub.errors import LimitReached
from hub.policy.compiler import compile_policy
from hub.policy.rules import Decision, RulePolicy
from hub.sdk.connector import Limits
from tests.connections.virtual import VirtualClock, ambient, run


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
        self.clock = VirtualClock()
        self.policy = policy
        self.kept: list[tuple[str, int, tuple[str, ...]]] = []
        throttle = Throttle(
            policy=lambda: (self.policy, "revision"),
            keep=self._keep,
            environment="test",
            connection="tax",
            connector="avatax",
        )

        def sources(now: datetime) -> list[Bound]:
            said = throttle(now)
            return [of_vendor(limits)] if said is None else [of_vendor(limits), said]

        self.limiter = Limiter(sources, ambient(clock=self.clock))

    def _keep(self, decision: Decision, bundle: str, connection: str, at: datetime) -> None:
        assert (bundle, connection, at) == ("revision", "tax", self.clock.now())
        assert decision.inputs == {"hour": at.hour, "weekday": at.isoweekday()}
        self.kept.append((decision.policy, decision.version, decision.rules))

    def at(self, *moment: int) -> None:
        """Set the clock."""
        self.clock.ahead += datetime(*moment, tzinfo=UTC) - self.clock.now()  # type: ignore[arg-type,misc]

    async def use(self) -> tuple[int, float | None]:
        async with self.limiter.permit(), self.limiter.sending():
            return self.limiter.limits.concurrency, self.limiter.limits.rate


def test_the_lowest_applies_and_each_change_is_kept() -> None:
    async def work() -> None:
        account = Account(night(rate=Decimal("2.5"), concurrency=4), Limits(concurrency=10, rate=5))
        assert await account.use() == (4, 2.5)
        for _ in range(20):
            await account.use()
        standing = account.limiter.standing()
        assert standing.by["rate"] == standing.by["concurrency"] == "policy night (night, always)"
        account.at(2026, 1, 1, 5, 0)
        assert await account.use() == (8, 5)
        account.at(2026, 1, 2, 4, 0)
        assert await account.use() == (4, 2.5)
        assert account.kept == [
            ("night", 1, ("night", "always")),
            ("night", 1, ("always",)),
            ("night", 1, ("night", "always")),
        ]

    run(work)


def test_what_the_policy_allows_beyond_the_account_changes_nothing() -> None:
    async def work() -> None:
        account = Account(night(rate=1000, concurrency=500), Limits(concurrency=3, rate=7))
        assert await account.use() == (3, 7)
        assert account.limiter.standing().by["rate"] == "vendor"

    run(work)


def test_a_policy_gives_bursts_and_quotas_too() -> None:
    async def work() -> None:
        account = Account(night(rate=20, burst=1, quota=3), Limits(concurrency=10))
        for _ in range(3):
            await account.use()
        limits = account.limiter.limits
        assert limits.burst == 1
        assert [use.quota.count for use in account.limiter.standing().quotas] == [3]
        with pytest.raises(LimitReached) as told:
            await account.use()
        assert told.value.code == "quota-used"

    run(work)


def test_another_revision_counts_within_seconds() -> None:
    async def work() -> None:
        account = Account(night(rate=1), Limits(concurrency=10))
        assert (await account.use())[1] == 1
        account.policy = night(version=2, rate=9)
        await asyncio.sleep(6)
        assert (await account.use())[1] == 9
        account.policy = None
        await asyncio.sleep(6)
        assert await account.use() == (10, None)
        assert [version for _, version, _ in account.kept] == [1, 2]

    run(work)


def test_a_policy_that_fails_leaves_the_last_answer() -> None:
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

    async def work() -> None:
        assert await Account(broken, Limits(concurrency=10, rate=5)).use() == (10, 5)

    run(work)


def test_who_waits_for_a_slow_turn_goes_on_when_the_pace_rises() -> None:
    """Nobody sleeps through the end of a throttle."""

    async def work() -> None:
        account = Account(night(rate=Decimal("0.05")), Limits(concurrency=10))
        began = account.clock.now()
        await asyncio.gather(*(account.use() for _ in range(2)))
        assert account.clock.now() - began >= timedelta(seconds=19)
        account.at(2026, 1, 2, 4, 59, 58)
        await account.use()
        await account.use()
        assert account.clock.now() <= datetime(2026, 1, 2, 5, 0, 10, tzinfo=UTC)

    run(work)


def test_who_would_wait_too_long_for_a_turn_comes_back_later() -> None:
    """A worker's hands are not filled with sleepers."""

    async def work() -> None:
        account = Account(night(rate=Decimal("0.05")), Limits(concurrency=10))
        ends = await asyncio.gather(*(account.use() for _ in range(6)), return_exceptions=True)
        assert sum(isinstance(end, LimitReached) for end in ends) == 4

    run(work)
