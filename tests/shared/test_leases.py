"""Leases on one database: whose is over loses its runs once, to whoever sees it first, and records nothing any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from hub.errors import StaleLease
from hub.model.ambient import to_micros
from hub.runtime import clock as clocks
from hub.runtime.clock import system_ambient
from hub.runtime.heartbeat import Heartbeat
from hub.store import leases, postgres
from hub.store.claims import Claim, Claimed
from hub.store.committer import Committer, Work
from hub.store.history import Record
from tests.shared.desk import Desk
from tests.store.test_committer import accept

pytestmark = pytest.mark.processes

DONE = {"state": "succeeded", "blocking": False}


@pytest.fixture
async def two(desk: Desk) -> AsyncIterator[tuple[Committer, Committer]]:
    """Give the committers of two processes."""
    async with desk.committing() as one, desk.committing("b") as other:
        yield one, other


@pytest.fixture
def apart(desk: Desk) -> Iterator[Engine]:
    made = postgres._engine(desk.direct, postgres.WRITER)
    yield made
    made.dispose()


def lease(apart: Engine, worker: str, seconds: float, committer: str = "c") -> None:
    with apart.begin() as connection:
        given = {"environment": "test", "committer": committer, "roles": "worker", "version": "1"}
        leases.begin(connection, worker=worker, seconds=seconds, **given)


def prolonged(apart: Engine, worker: str, seconds: float = 10) -> bool:
    with apart.begin() as connection:
        return leases.prolong(connection, worker=worker, seconds=seconds)


def taking(actor: str) -> Work:
    return Work(partial(leases.take_back, environment="test", actor=actor))


async def claimed(committer: Committer, owner: str, limit: int = 10) -> list[str]:
    found: Claimed = await committer.commit(Claim(environment="test", owner=owner, limit=limit))
    return [each.run["id"] for each in found.runs]


def told(desk: Desk, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(desk.direct) as connection:
        return connection.execute(statement).fetchall()


async def test_of_two_that_see_it_one_takes_the_runs_back(
    desk: Desk, two: tuple[Committer, Committer], apart: Engine
) -> None:
    one, other = two
    for number in range(6):
        await one.commit(accept(number, key=str(number)))
    lease(apart, "gone", 0.0)
    lease(apart, "living", 60.0)
    assert len(await claimed(one, "gone", 3)) == 3
    mine = await claimed(other, "living", 2)
    both = await asyncio.gather(one.commit(taking("a")), other.commit(taking("b")))
    assert sorted(both) == [0, 3]
    assert await one.commit(taking("a")) == 0
    assert {run for (run,) in told(desk, "SELECT id FROM runs WHERE owner = 'living'")} == set(mine)
    assert told(
        desk, "SELECT kind, count(*) FROM audit WHERE kind LIKE 'run.rec%' OR kind LIKE 'worker.%' GROUP BY 1"
    ) == [
        ("run.recovered", 3),
        ("worker.lost", 1),
    ]


async def test_who_has_lost_its_lease_records_nothing_and_takes_nothing(
    desk: Desk, two: tuple[Committer, Committer], apart: Engine
) -> None:
    one, other = two
    await one.commit(accept(1, key="1"))
    await one.commit(accept(2, key="2"))
    lease(apart, "slow", 0.0)
    assert await claimed(one, "slow", 1) == ["run_1"]
    assert await other.commit(taking("b")) == 1
    with pytest.raises(StaleLease):
        await one.commit(Record(run_id="run_1", epoch=1, change=DONE))
    assert await claimed(one, "slow") == []
    assert not prolonged(apart, "slow")
    lease(apart, "anew", 10.0)
    assert sorted(await claimed(one, "anew")) == ["run_1", "run_2"]
    await one.commit(Record(run_id="run_1", epoch=3, change=DONE))
    assert told(desk, "SELECT state FROM runs WHERE id = 'run_1'") == [("succeeded",)]


async def test_who_is_late_and_was_not_missed_goes_on(two: tuple[Committer, Committer], apart: Engine) -> None:
    """A database that was away for longer than a lease takes no run from anybody."""
    one, other = two
    await one.commit(accept(1))
    lease(apart, "late", 0.0)
    assert await claimed(one, "late") == ["run_1"]
    assert prolonged(apart, "late")
    assert await other.commit(taking("b")) == 0
    await one.commit(Record(run_id="run_1", epoch=1, change=DONE))


async def test_what_belongs_to_nobody_that_is_known_is_taken_back(two: tuple[Committer, Committer]) -> None:
    one, other = two
    await one.commit(accept(1))
    assert await claimed(one, "unheard_of") == ["run_1"]
    assert await other.commit(taking("b")) == 1


async def test_a_claim_passes_by_what_another_has_in_its_hands(desk: Desk, two: tuple[Committer, Committer]) -> None:
    one, _ = two
    for number in range(4):
        await one.commit(accept(number, key=str(number)))
    with psycopg.connect(desk.direct) as connection:
        connection.execute("SELECT * FROM runs WHERE id IN ('run_0', 'run_2') FOR UPDATE")
        assert await asyncio.wait_for(claimed(one, "w"), 5) == ["run_1", "run_3"]
        connection.rollback()
    assert await claimed(one, "w") == ["run_0", "run_2"]


async def test_two_that_claim_at_once_share_what_is_there(two: tuple[Committer, Committer]) -> None:
    one, other = two
    await asyncio.gather(*(one.commit(accept(number, key=str(number % 20))) for number in range(60)))
    taken: list[str] = []
    for _ in range(10):
        for mine in await asyncio.gather(claimed(one, "w1", 3), claimed(other, "w2", 3)):
            taken += mine
            for run_id in mine:
                await one.commit(Record(run_id=run_id, epoch=1, change=DONE))
    assert sorted(taken) == sorted({f"run_{number}" for number in range(60)})


@contextmanager
def beating(apart: Engine, worker: str, seconds: float) -> Iterator[dict[str, int]]:
    """Keep a worker's lease; gives how often it was told what."""
    heard = {"over": 0, "lost": 0}

    def hear(what: str) -> Callable[[], None]:
        return lambda: heard.update({what: heard[what] + 1})

    heartbeat = Heartbeat(apart, environment="test", committer="c", roles="worker", version="1", seconds=seconds)
    heartbeat.on_over, heartbeat.on_lost = hear("over"), hear("lost")
    heartbeat.begin(worker)
    heartbeat.start()
    try:
        yield heard
    finally:
        heartbeat.stop()


async def test_a_heartbeat_keeps_the_lease_and_sees_that_another_is_over(
    desk: Desk, two: tuple[Committer, Committer], apart: Engine
) -> None:
    one, _ = two
    lease(apart, "gone", 0.0)
    with beating(apart, "w", 0.6) as heard:
        await asyncio.sleep(0.5)
        # It has not seen for a whole lease that others were silent.
        assert heard["over"] == 0
        await asyncio.sleep(1.0)
        assert heard["over"] > 0
        assert await one.commit(taking("w")) == 0
        assert heard["lost"] == 0
        # A beat may come in between, and prolong it once more.
        while told(desk, "SELECT ended_at FROM workers WHERE id = 'w'") == [(None,)]:
            assert prolonged(apart, "w", 0.0)
            assert await one.commit(taking("other")) == 0
        await asyncio.sleep(0.5)
        assert heard["lost"] == 1


async def test_that_another_is_over_is_seen_at_once(two: tuple[Committer, Committer], apart: Engine) -> None:
    """The heartbeat comes each second, and before that where a lease ends that was not prolonged."""
    with beating(apart, "w", 3.0) as heard:
        await asyncio.sleep(3.1)
        lease(apart, "gone", 1.25)
        await asyncio.sleep(1.15)
        assert heard["over"] == 0
        await asyncio.sleep(0.45)
        assert heard["over"] == 1


async def test_a_loop_that_stands_still_keeps_no_lease(apart: Engine) -> None:
    """It does no work, however well its other threads are."""
    with beating(apart, "w", 0.6) as heard:
        await asyncio.sleep(0.3)
        time.sleep(2.0)  # noqa: ASYNC251 - it is what is tested
        with apart.begin() as connection:
            assert (leases.soonest_end(connection, environment="test") or 0) < 0
        await asyncio.sleep(0.5)
        with apart.begin() as connection:
            assert (leases.soonest_end(connection, environment="test") or 0) > 0
        assert heard["lost"] == 0


async def test_logs_are_gone_on_with_and_do_not_grow_in_number(desk: Desk, apart: Engine) -> None:
    """One that has ended gives its log free; one that is gone loses it a while after its lease, and takes another."""

    async def use(committer: Committer) -> str:
        await committer.commit(taking("w"))
        return str(dict(told(desk, "SELECT id, chain FROM committers"))[committer.name])

    for _ in range(3):
        async with desk.committing() as one, desk.committing("b") as other:
            assert [await use(one), await use(other)] == ["main", "main-2"]
    assert told(desk, "SELECT count(*) FROM committers") == [(0,)]
    async with desk.committing() as sleeping, desk.committing("b") as other:
        assert await use(sleeping) == "main"
        with psycopg.connect(desk.direct) as connection:
            connection.execute("UPDATE committers SET at = at - 60000000")
        lease(apart, "w", 60.0, committer=sleeping.name)
        assert await use(other) == "main-2"
    async with desk.committing() as sleeping, desk.committing("b") as other:
        assert await use(sleeping) == "main"
        with psycopg.connect(desk.direct) as connection:
            connection.execute("UPDATE committers SET at = at - 60000000")
        assert await use(other) == "main"
        assert await use(sleeping) == "main-2"
    assert desk.audited() == 0


def test_what_no_living_worker_makes_sense_of_is_known(apart: Engine) -> None:
    """Each tells with its heartbeat; one that only takes in, or that has ended, does not count."""
    with apart.begin() as connection:
        for name, roles in (("one", "worker"), ("two", "worker,scheduler"), ("api", "api"), ("gone", "worker")):
            given = {"environment": "revisions", "committer": name, "roles": roles, "version": "1"}
            leases.begin(connection, worker=name, seconds=30, **given)
        connection.exec_driver_sql("UPDATE workers SET ended_at = 1 WHERE id = 'gone'")

    def refused(**told: tuple[str, ...]) -> frozenset[str]:
        with apart.begin() as connection:
            for name, revisions in told.items():
                assert leases.prolong(connection, worker=name, seconds=30, refused=revisions)
            return leases.refused_by_all(connection, environment="revisions")

    assert refused(one=("a", "b")) == frozenset()
    assert refused(two=("b", "c")) == {"b"}
    assert refused(two=()) == frozenset()
    with apart.begin() as connection:
        assert leases.refused_by_all(connection, environment="nobody") == frozenset()


async def test_a_machine_whose_clock_is_wrong_goes_by_the_databases(
    desk: Desk, apart: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that is signed with a wrong time is refused, and the whole connection is paused for it."""

    def off() -> float:
        return abs((clock.now() - datetime.now(UTC)).total_seconds())

    ambient = system_ambient()
    clock = ambient.clock
    monkeypatch.setattr(clocks, "machine_time", lambda: datetime.now(UTC) + timedelta(hours=1))
    assert off() > 3500
    given = {"environment": "test", "committer": "c", "roles": "worker", "version": "1"}
    Heartbeat(apart, seconds=10, hear=ambient.hear, **given).begin("wrong")
    assert off() < 1
    # A group tells it, too, and what comes late puts nothing back.
    other = system_ambient()
    async with desk.committing("b", other) as committer:
        await committer.commit(accept(1))
    clock = other.clock
    assert off() < 1
    before = clock.now()
    assert other.hear is not None
    other.hear(to_micros(before) - 900_000)
    assert clock.now() >= before
    # A clock of the database that was itself put back is followed.
    other.hear(to_micros(before) - 7_200_000_000)
    assert off() > 7000
