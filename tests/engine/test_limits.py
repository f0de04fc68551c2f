"""Limits in the engine: what an account cannot take now waits durably, in order, and uses no attempt."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.audit.kinds import AuditKind
from hub.connections.breaker import BreakerState
from hub.model.effect import Idempotency
from hub.model.event import Via
from hub.model.exchange import Request, Response
from hub.model.limits import QuotaPer
from hub.model.run import Priority
from hub.sdk.connector import Limits
from hub.store.committer import Transaction, Work
from hub.store.control_tables import quotas
from hub.store.tables import attempts, audit, cases, runs
from hub.workspace.bundle import Bundle
from tests.engine.house import SPEED, FastClock, House, _event, bundle
from tests.engine.test_once import FILES, ONE_WRITE, things
from tests.engine.vendor import Vendor

HASTY = "policy: patient\nkind: retry\nattempts: 3\nfirst: 0.02\nfactor: 1\nceiling: 0.02\njitter: 0.5\n"


@dataclass(slots=True)
class SlowVendor(Vendor):
    """A vendor that takes its time; `seconds` are the clock's."""

    seconds: float = 5.0

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve after a while."""
        response = await Vendor.send(self, request, headers, timeout)
        await asyncio.sleep(self.seconds / SPEED)
        return response


def flow(kind: Idempotency = Idempotency.NATIVE, policy: str | None = None) -> Bundle:
    """Compile the flow of one write, tried again as a policy says."""
    files = FILES if policy is None else {**FILES, "policies__patient.yaml": policy}
    return bundle(ONE_WRITE.format(kind=kind.value), **files)


def rows(house: House, *columns: Any) -> list[Any]:
    """Read rows."""
    with house.database.reading() as connection:
        return list(connection.execute(select(*columns)))


async def waiting(house: House, count: int, seconds: float = 10.0) -> None:
    """Wait until so many runs wait in the account's row."""
    async with asyncio.timeout(seconds):
        while len([1 for row in rows(house, runs.c.wait_on) if row.wait_on == "limit:test:vendor"]) < count:
            await asyncio.sleep(0.005)


async def test_what_exceeds_an_accounts_share_waits_durably_and_uses_no_attempt(tmp_path: Path) -> None:
    vendor = SlowVendor(seconds=20.0)
    house = House(tmp_path, vendor, flow(), limits=Limits(concurrency=1), share=4)
    await house.start()
    await house.give(*things(30))
    await waiting(house, 20)
    async with asyncio.timeout(5):
        while house.worker.in_flight > 4:
            await asyncio.sleep(0.005)
    kinds = {(row.state, row.wait_kind) for row in rows(house, runs.c.state, runs.c.wait_kind) if row.wait_kind}
    assert kinds == {("waiting", "limit")}
    vendor.seconds = 0.01
    assert await house.settled() == {"succeeded": 30}
    assert len(vendor.documents) == 30
    assert {row.number for row in rows(house, attempts.c.number)} == {1}
    assert rows(house, cases) == []
    await house.stop()


async def test_the_row_goes_on_in_order_of_urgency(tmp_path: Path) -> None:
    """A month-end posting that came last goes before a back-fill that has waited for long."""
    vendor = SlowVendor(seconds=40.0)
    urgent = ONE_WRITE.format(kind="native").replace("key: data.key", "priority: high\nkey: data.key")
    house = House(tmp_path, vendor, bundle(urgent, **FILES), limits=Limits(concurrency=1), share=3)
    await house.start()
    named = {Priority.LOW: "low", Priority.NORMAL: "normal", Priority.HIGH: "high"}
    for count, priority in ((12, Priority.LOW), (5, Priority.NORMAL), (5, Priority.HIGH)):
        for number in range(count):
            name = f"{named[priority]}{number}"
            event = _event({"id": name, "key": name, "value": "1"}, None)
            await house.intake.accept("vendor", [event], Via.API, priority=priority)
        if priority is Priority.LOW:
            await waiting(house, 8)
    await waiting(house, 17)
    vendor.seconds = 0.5
    assert await house.settled() == {"succeeded": 22}
    order = [str(document["key"]).rstrip("0123456789") for document in vendor.documents]
    # Of the low ones some were in hand before any other came, and every tenth place is left to those who come after.
    before_the_last = order[: len(order) - order[::-1].index("high")]
    assert before_the_last.count("low") <= 5
    assert before_the_last.count("normal") <= 3
    await house.stop()


async def test_a_crash_loses_nobody_in_the_row(tmp_path: Path) -> None:
    """At whatever moment the process dies; the next one lets them go, without waiting for their time."""
    vendor = SlowVendor(seconds=1.0)
    chance, clock = random.Random(5), FastClock()
    for life in range(6):
        house = House(tmp_path, vendor, flow(Idempotency.UPSERT), limits=Limits(concurrency=2), share=5, clock=clock)
        await house.start()
        if life == 0:
            await house.give(*things(60))
        await asyncio.sleep(chance.uniform(0.02, 0.2))
        await house.crash()
    house = House(tmp_path, vendor, flow(Idempotency.UPSERT), limits=Limits(concurrency=2), share=5, clock=clock)
    await house.start()
    assert await house.settled() == {"succeeded": 60}
    assert sorted(document["key"] for document in vendor.documents) == sorted(f"t{number}" for number in range(60))
    await house.stop()


async def test_a_storm_of_refusals_uses_no_attempt_and_few_calls(tmp_path: Path) -> None:
    """With a policy of three attempts; after the storm everything is done."""
    storm = True
    vendor = Vendor(fault=lambda _request, _number: "429" if storm else None)
    house = House(tmp_path, vendor, flow(policy=HASTY))
    await house.start()
    await house.give(*things(40))
    await asyncio.sleep(2.0)
    assert vendor.number <= 30
    storm = False
    assert await house.settled() == {"succeeded": 40}
    assert len(vendor.documents) == 40
    await house.stop()


@pytest.mark.parametrize("fault", ["refused-connection", "500-before", "lost-before"])
async def test_an_outage_opens_the_breaker_and_loses_nothing(tmp_path: Path, fault: str) -> None:
    """While the target is down it gets a probe now and then, and no run uses its attempts up."""
    down = True
    vendor = Vendor(fault=lambda _request, _number: fault if down else None)
    patient = HASTY.replace("attempts: 3", "attempts: 20").replace("ceiling: 0.02", "ceiling: 5").replace("0.02", "5")
    house = House(tmp_path, vendor, flow(Idempotency.UPSERT, patient))
    await house.start()
    await house.give(*things(40))
    limiter = house.accounts["vendor"].limiter
    async with asyncio.timeout(10):
        while not limiter.is_open:
            await asyncio.sleep(0.005)
    before = vendor.number
    # Two minutes of the clock: those that were under way fail, and then one is sent at a time.
    await asyncio.sleep(120 / SPEED)
    assert vendor.number - before <= 8 + 10
    standing = limiter.standing()
    assert (standing.breaker, standing.probe_at is not None) == (BreakerState.OPEN, True)
    down = False
    assert await house.settled() == {"succeeded": 40}
    assert limiter.standing().breaker is BreakerState.CLOSED
    assert len(vendor.documents) == 40
    assert rows(house, cases) == []
    await house.stop()


async def test_a_quota_is_exact_through_crashes_and_restarts(tmp_path: Path) -> None:
    """Never above it in a day, whatever dies; a crash costs a small part of it, an orderly end nothing."""
    vendor, clock, chance = Vendor(), FastClock(), random.Random(3)
    limits = Limits(concurrency=4, quota=100, quota_per=QuotaPer.DAY)
    for life in range(8):
        house = House(tmp_path, vendor, flow(), limits=limits, clock=clock)
        await house.start()
        if life == 0:
            await house.give(*things(120))
        await asyncio.sleep(chance.uniform(0.005, 0.05))
        await (house.crash() if life % 2 else house.stop())
        assert vendor.number <= 100
    house = House(tmp_path, vendor, flow(), limits=limits, clock=clock)
    await house.start()
    limiter = house.accounts["vendor"].limiter
    async with asyncio.timeout(10):
        while [use.used for use in limiter.standing().quotas] != [100]:
            await asyncio.sleep(0.005)
    await house.settled(waiting=["limit"])
    assert 90 <= vendor.number <= 100
    assert [row.used for row in rows(house, quotas.c.used)] == [100]
    ends = limiter.standing().quotas[0].ends
    assert ends is not None
    clock.leap(ends - clock.now() + timedelta(seconds=1))
    house.budgets.start()
    assert await house.settled() == {"succeeded": 120}
    await house.stop()


async def test_a_quota_of_another_time_takes_effect_at_once(tmp_path: Path) -> None:
    """A day's quota is changed to a month's in the middle of the month; the month's is new and does not stand still."""
    vendor, clock = Vendor(), FastClock()
    for life, (quota, per) in enumerate([(100, QuotaPer.DAY), (3000, QuotaPer.MONTH), (500, QuotaPer.HOUR)], start=1):
        house = House(tmp_path, vendor, flow(), limits=Limits(concurrency=4, quota=quota, quota_per=per), clock=clock)
        before = vendor.number
        await house.start()
        await house.give(*({**thing, "id": f"{thing['id']}-{life}"} for thing in things(5)))
        assert await house.settled() == {"succeeded": 5 * life}
        (use,) = house.accounts["vendor"].limiter.standing().quotas
        # One whose turn had passed when it was to leave stays counted; what was used in another life does not.
        assert use.used is not None and 0 <= use.used - (vendor.number - before) < 5
        await house.stop()


async def test_what_was_learned_outlives_the_process(tmp_path: Path) -> None:
    vendor, clock = Vendor(fault=lambda _request, number: "429" if number in (5, 12) else None), FastClock()
    house = House(tmp_path, vendor, flow(), clock=clock, limits=Limits(concurrency=8, rate=40))
    await house.start()
    await house.give(*things(20))
    assert await house.settled() == {"succeeded": 20}
    learned = house.accounts["vendor"].limiter.standing().learned_rate
    assert learned is not None
    await house.stop()
    house = House(tmp_path, vendor, flow(), clock=clock, limits=Limits(concurrency=8, rate=40))
    await house.start()
    assert house.accounts["vendor"].limiter.standing().learned_rate == pytest.approx(learned, abs=0.01)
    await house.stop()


async def test_a_revoked_credential_is_one_alert_for_four_hundred_runs(tmp_path: Path) -> None:
    """All are on their way when it is found out; none becomes a case, and there is one entry in the audit."""
    revoked = True
    vendor = SlowVendor(fault=lambda _request, _number: "401" if revoked else None, seconds=2.0)
    house = House(tmp_path, vendor, flow(), limits=Limits(concurrency=400), share=400)
    await house.start()
    await house.give(*things(400))
    await house.settled(waiting=["connection"])
    paused = [row for row in rows(house, audit.c.kind) if row.kind == AuditKind.CONNECTION_PAUSED.value]
    assert len(paused) == 1
    assert rows(house, cases) == []
    revoked = False
    vendor.seconds = 0.01
    await house.orders.set_connection("vendor", active=True, reason="renewed", actor="person:p_1")
    assert await house.settled() == {"succeeded": 400}
    await house.stop()


async def test_what_was_sent_with_an_old_credential_pauses_no_new_one(tmp_path: Path) -> None:
    """It was renewed while requests were on their way: they are refused, and their runs go on with the new one."""
    revoked = True
    vendor = SlowVendor(fault=lambda _request, _number: "401" if revoked else None, seconds=20.0)
    house = House(tmp_path, vendor, flow(), limits=Limits(concurrency=10))
    await house.start()
    await house.give(*things(10))
    async with asyncio.timeout(10):
        while house.accounts["vendor"].limiter.in_flight < 10:
            await asyncio.sleep(0.005)
    revoked, vendor.seconds = False, 0.01
    house.accounts["vendor"] = replace(house.accounts["vendor"])
    assert await house.settled() == {"succeeded": 10}
    assert len(vendor.documents) == 10
    assert AuditKind.CONNECTION_PAUSED.value not in {row.kind for row in rows(house, audit.c.kind)}
    await house.stop()


async def test_a_run_that_nobody_lets_go_comes_back_by_itself(tmp_path: Path) -> None:
    """The time of its wait is a safety: here the process forgets that somebody waits."""
    vendor, clock = SlowVendor(seconds=20.0), FastClock()
    house = House(tmp_path, vendor, flow(), limits=Limits(concurrency=1), share=2, clock=clock)
    await house.start()
    await house.give(*things(6))
    await waiting(house, 4)
    vendor.seconds = 0.01

    def lose(transaction: Transaction) -> None:
        transaction.connection.execute(update(runs).where(runs.c.wait_on.is_not(None)).values(wait_on="elsewhere"))

    await house.committer.commit(Work(lose))
    clock.leap(timedelta(minutes=31))
    house.worker.wake()
    assert await house.settled() == {"succeeded": 6}
    await house.stop()
