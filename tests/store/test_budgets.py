"""Budgets in the store: quotas are never given beyond, rows are let go in order, whatever waits in them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select

from hub.audit.kinds import AuditKind
from hub.connections.budgets import StoredBudgets
from hub.model.ambient import to_micros
from hub.model.limits import Portion, QuotaPer
from hub.model.run import Priority
from hub.model.turns import Turns
from hub.runtime.clock import system_ambient
from hub.store import budgets, connections
from hub.store.committer import Committer, Transaction, Work
from hub.store.control_tables import quotas as table
from hub.store.database import Database
from hub.store.tables import audit, awaited, runs

TOPIC = budgets.topic(environment="test", name="erp")


class Store:
    """A database with its committer."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder)
        self.committer = Committer(self.database, system_ambient(1))

    async def do(self, work: Callable[[Transaction], Any]) -> Any:
        return await self.committer.commit(Work(work))

    async def wait(self, waiting: list[tuple[int, str]], on: str | None = TOPIC) -> None:
        """Let runs of a class and a flow wait, in this order."""
        rows = [
            {
                "id": f"{flow}-{priority}-{place:06}", "position": place, "environment": "test", "flow": flow,
                "bundle": "b", "event_id": "e", "key": str(place), "business_key": str(place), "state": "waiting",
                "blocking": True, "epoch": 1, "generation": 0, "priority": priority, "wait_kind": "limit",
                "wait_on": on if on is not None else f"many:{place}", "created_at": 0, "updated_at": 0,
            }
            for place, (priority, flow) in enumerate(waiting)
        ]  # fmt: skip
        await self.do(lambda tx: tx.connection.execute(insert(runs), rows))
        if on is None:
            among = [{"topic": TOPIC, "run_id": row["id"]} for row in rows]
            await self.do(lambda tx: tx.connection.execute(insert(awaited), among))

    def queued(self) -> Counter[str]:
        """Count the runs that were let go, by flow and class."""
        with self.database.reading() as connection:
            found = connection.execute(select(runs.c.flow, runs.c.priority).where(runs.c.state == "queued"))
            return Counter(f"{row.flow}-{row.priority}" for row in found)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path)
    made.committer.start()
    yield made
    await made.committer.stop()
    made.database.close()


class Shared:
    """The quotas of one account, as a process asks for them."""

    def __init__(self, store: Store) -> None:
        self.budgets = StoredBudgets(environment="test", committer=store.committer)

    async def take(self, begins: int, quota: int, count: int, per: QuotaPer = QuotaPer.DAY) -> tuple[int, int]:
        """Reserve of one quota."""
        return (await self.budgets.reserve("erp", [_portion(begins, quota, count, per)]))[0]

    def give_back(self, begins: int, count: int) -> None:
        """Return some."""
        self.budgets.give_back("erp", [_portion(begins, 0, count, QuotaPer.DAY)])


def _portion(begins: int, quota: int, count: int, per: QuotaPer) -> Portion:
    return Portion(per=per, zone="UTC", begins=begins, quota=quota, count=count)


async def test_many_who_reserve_at_once_never_get_more_than_the_quota(store: Store) -> None:
    shared = Shared(store)
    given = await asyncio.gather(*(shared.take(10, 100, 7) for _ in range(40)))
    assert sum(count for count, _ in given) == 100
    assert max(taken for _, taken in given) == 100
    shared.give_back(10, 5)
    assert await shared.take(10, 100, 7) == (5, 100)


async def test_several_quotas_are_taken_from_together_and_each_by_itself(store: Store) -> None:
    shared = StoredBudgets(environment="test", committer=store.committer)
    hour, month = _portion(30, 5, 4, QuotaPer.HOUR), _portion(10, 100, 2, QuotaPer.MONTH)
    assert await shared.reserve("erp", [hour, month]) == [(4, 4), (2, 2)]
    assert await shared.reserve("erp", [hour, month]) == [(1, 5), (2, 4)]
    shared.give_back("erp", [replace(hour, count=1), replace(month, count=3)])
    assert await shared.reserve("erp", [month, replace(month, zone="Europe/Vienna")]) == [(2, 3), (2, 2)]
    assert await shared.reserve("other", [hour]) == [(4, 4)]


async def test_a_clock_that_is_put_back_opens_no_quota_that_was_used_up(store: Store) -> None:
    """What was used in the later time counts now, and what is used now in the later one that is about to come."""
    shared, now = Shared(store), to_micros(datetime.now(UTC))
    assert await shared.take(now, 5, 3) == (3, 3)
    assert await shared.take(now + 10, 5, 1) == (1, 1)
    assert await shared.take(now, 5, 9) == (1, 5)
    shared.give_back(now, 1)
    assert await shared.take(now + 10, 5, 9) == (3, 5)
    assert await shared.take(now, 5, 9) == (0, 7)


async def test_a_time_that_a_wrong_clock_showed_keeps_what_was_used_in_it(store: Store) -> None:
    shared, now = Shared(store), to_micros(datetime.now(UTC))
    far = now + 400 * 86_400_000_000
    assert await shared.take(far, 5, 3) == (3, 3)
    assert await shared.take(now, 5, 1) == (1, 4)
    assert await shared.take(now + 10, 5, 4) == (4, 4)
    assert await shared.take(far, 5, 9) == (2, 5)


async def test_a_quota_of_another_time_neither_stops_nor_forgets_the_first(store: Store) -> None:
    """The month begins later than the day before it: each counts by itself."""
    shared, now = Shared(store), to_micros(datetime.now(UTC))
    assert await shared.take(now, 5, 4) == (4, 4)
    assert await shared.take(now - 10, 9, 4, QuotaPer.MONTH) == (4, 4)
    assert await shared.take(now + 20, 9, 4, QuotaPer.HOUR) == (4, 4)
    assert await shared.take(now - 10, 9, 9, QuotaPer.MONTH) == (5, 9)
    assert await shared.take(now, 5, 9) == (1, 5)


async def test_few_times_of_a_quota_are_kept(store: Store) -> None:
    shared = Shared(store)
    for begins in range(50):
        assert await shared.take(begins, 5, 4) == (4, 4)
    with store.database.reading() as connection:
        kept = list(connection.execute(select(table.c.begins).order_by(table.c.begins)).scalars())
    assert kept == list(range(42, 50))


async def test_a_lower_quota_gives_nothing_back(store: Store) -> None:
    shared = Shared(store)
    assert await shared.take(10, 50, 40) == (40, 40)
    assert await shared.take(10, 20, 5) == (0, 40)


async def test_what_was_learned_is_kept_until_nothing_is(store: Store) -> None:
    shared = StoredBudgets(environment="test", committer=store.committer)
    shared.keep("erp", {"rate": "7.5"})
    await store.do(lambda _tx: None)
    with store.database.reading() as connection:
        assert budgets.learned(connection, environment="test") == {"erp": {"rate": "7.5"}}
    shared.keep("erp", None)
    await store.do(lambda _tx: None)
    with store.database.reading() as connection:
        assert budgets.learned(connection, environment="test") == {}


async def test_a_row_is_let_go_by_class_and_evenly_by_flow(store: Store) -> None:
    """One flow with thousands in front of all others has no more than its turn."""
    waiting = [(Priority.NORMAL, "many")] * 3000 + [(Priority.NORMAL, "few")] * 5 + [(Priority.LOW, "back-fill")] * 50
    waiting += [(Priority.HIGH, "month-end")] * 8
    await store.wait([(int(priority), flow) for priority, flow in waiting])
    turns = Turns()
    assert await store.do(lambda tx: budgets.wake_some(tx, TOPIC, 20, turns)) == 20
    assert store.queued() == {"month-end-10": 8, "many-20": 6, "few-20": 5, "back-fill-30": 1}
    assert await store.do(lambda tx: budgets.wake_some(tx, TOPIC, 20, turns)) == 20
    assert store.queued()["back-fill-30"] == 3


async def test_who_waits_longest_in_a_flow_goes_first(store: Store) -> None:
    await store.wait([(20, "flow")] * 10)
    await store.do(lambda tx: budgets.wake_some(tx, TOPIC, 3, Turns()))
    with store.database.reading() as connection:
        found = connection.execute(select(runs.c.position).where(runs.c.state == "queued")).scalars()
        assert sorted(found) == [0, 1, 2]


async def test_a_run_that_waits_for_several_things_is_let_go_too(store: Store) -> None:
    await store.wait([(20, "flow")] * 3, on=None)
    with store.database.reading() as connection:
        assert budgets.waiting(connection, environment="test") == {"erp": 3}
    assert await store.do(lambda tx: budgets.wake_some(tx, TOPIC, 10, Turns())) == 3
    with store.database.reading() as connection:
        assert connection.execute(select(awaited.c.run_id)).all() == []
        assert budgets.waiting(connection, environment="test") == {}


@pytest.mark.embedded("asks its planner")
async def test_letting_go_reads_no_more_of_a_long_row_than_it_takes(store: Store) -> None:
    """The next flow is found by the index, not by going through those before it."""
    await store.wait([(20, "many")] * 10)
    with store.database.reading() as connection:
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT priority, flow FROM runs WHERE wait_on = 'x' AND state = 'waiting' "
            "AND (priority, flow) > (20, 'many') ORDER BY priority, flow LIMIT 1"
        ).all()
    told = " ".join(str(row[-1]) for row in plan)
    assert "ix_runs_wait_on (wait_on=? AND (priority,flow)>(?,?))" in told
    assert "TEMP B-TREE" not in told


async def test_a_connection_is_paused_once_by_all_who_find_out(store: Store) -> None:
    def pause(transaction: Transaction) -> None:
        connections.pause_once(transaction, environment="test", name="erp", reason="revoked", actor="worker_1")

    await asyncio.gather(*(store.do(pause) for _ in range(50)))
    with store.database.reading() as connection:
        kinds = list(connection.execute(select(audit.c.kind)).scalars())
    assert kinds.count(AuditKind.CONNECTION_PAUSED.value) == 1
