"""Runs that wait for an event go on when it is taken in, in the same transaction, and others do not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from hub.model.event import EventState
from hub.store import events
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.events import Accept, Acceptance, find
from hub.store.releases import Release
from hub.store.tables import runs
from tests.store.asked import asked


def arrival(number: int, subject: str, *, type: str = "bank.payment.booked", state: str = "accepted") -> Accept:
    """Give an event about a subject."""
    row: dict[str, Any] = {"id": f"event_{number}", "environment": "test", "connection": "bank", "type": type}
    row |= {"external_id": f"evt_{number}", "subject": subject, "state": state, "via": "webhook", "deliveries": 1}
    row |= {"occurred_at": 1, "received_at": 1, "data": "{}", "body_hash": "00", "flags": None, "reason": None}
    return Accept(event=row, runs=(), actor="connection:bank")


async def wait(committer: Committer, *subjects: str) -> None:
    """Have a run wait for a payment about each subject, and one more for something else."""
    rows = []
    topics = [events.topic(environment="test", type="bank.payment.booked", subject=each) for each in subjects]
    for number, topic in enumerate([*topics, "approval:a_1"]):
        row: dict[str, Any] = {"id": f"run_{number}", "position": number, "environment": "test", "flow": "f"}
        row |= {"bundle": "b", "event_id": "event_0", "key": str(number), "business_key": "k", "state": "waiting"}
        row |= {"blocking": True, "wait_kind": "event", "wait_on": topic, "epoch": 1, "generation": 0}
        rows.append({**row, "created_at": 1, "updated_at": 1})

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(insert(runs), rows)

    await committer.commit(Work(work))


def waiting(database: Database) -> list[str]:
    """Name the runs that still wait; every other one can be claimed."""
    with database.reading() as connection:
        rows = connection.execute(select(runs.c.id, runs.c.state, runs.c.claimable_at).order_by(runs.c.id)).all()
    assert all((row.state == "queued") is (row.claimable_at is not None) for row in rows)
    return [row.id for row in rows if row.state == "waiting"]


async def test_an_event_lets_those_go_on_that_wait_for_it(store: tuple[Database, Committer]) -> None:
    """By its type and its subject, whether a flow wants it or not."""
    database, committer = store
    await wait(committer, "INV-1", "INV-2", "INV-3")
    woken: list[bool] = []
    committer.on_wake = lambda: woken.append(True)
    await committer.commit(arrival(1, "INV-9"))
    await committer.commit(arrival(2, "INV-1", type="bank.payment.returned"))
    assert waiting(database) == ["run_0", "run_1", "run_2", "run_3"]
    assert not woken
    await committer.commit(arrival(3, "INV-1"))
    await committer.commit(arrival(4, "INV-2", state="unrouted"))
    assert waiting(database) == ["run_2", "run_3"]
    assert len(woken) == 2


async def test_what_is_held_back_wakes_nobody_until_it_is_released(store: tuple[Database, Committer]) -> None:
    """A quarantined event has not happened yet."""
    database, committer = store
    await wait(committer, "INV-1")
    kept = arrival(1, "INV-1", state="quarantined")
    await committer.commit(kept)
    assert waiting(database) == ["run_0", "run_1"]
    with database.reading() as connection:
        row = find(connection, kept.event["id"])
    assert row is not None
    release = Release(
        event=row,
        state=EventState.UNROUTED,
        flags=None,
        runs=(),
        became=(),
        bundle="b",
        actor="person:p_1",
        reason="It is right.",
    )
    await committer.commit(release)
    assert waiting(database) == ["run_1"]


async def test_a_repeated_event_wakes_nobody(store: tuple[Database, Committer]) -> None:
    """Who began to wait after it waits for the next one."""
    database, committer = store
    await committer.commit(arrival(1, "INV-1"))
    await wait(committer, "INV-1")
    await committer.commit(arrival(1, "INV-1"))
    assert waiting(database) == ["run_0", "run_1"]


@pytest.mark.embedded("asks its planner")
async def test_while_nobody_waits_an_event_costs_one_look_into_an_index(store: tuple[Database, Committer]) -> None:
    """And no change of a run."""
    database, committer = store
    await wait(committer)
    with asked() as seen:
        await committer.commit(arrival(1, "INV-1"))
    looks = [statement for statement in seen if "wait_on" in statement]
    assert len(looks) == 1
    assert not any(statement.startswith("UPDATE runs") for statement in seen)
    with database.reading() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {looks[0]}", ("event:", "event;") * 2).all()
    assert any("USING INDEX ix_runs_wait_on" in row[-1] for row in plan), plan
    assert not any("SCAN" in row[-1] and "CONSTANT" not in row[-1] for row in plan), plan


async def test_a_run_that_does_not_wait_is_left_alone(store: tuple[Database, Committer]) -> None:
    """One that was cancelled meanwhile does not come back to life."""
    database, committer = store
    await wait(committer, "INV-1")
    done = update(runs).where(runs.c.id == "run_0").values(state="cancelled")

    def work(transaction: Transaction) -> None:
        transaction.connection.execute(done)

    await committer.commit(Work(work))
    await committer.commit(arrival(1, "INV-1"))
    with database.reading() as connection:
        assert connection.execute(select(runs.c.state).where(runs.c.id == "run_0")).scalar() == "cancelled"


async def test_another_content_under_a_known_id_wakes_nobody(store: tuple[Database, Committer]) -> None:
    """It is kept beside the first, for a person to look at, and has not happened for those who wait."""
    database, committer = store
    await committer.commit(arrival(1, "INV-9"))
    await wait(committer, "INV-1")
    woken: list[bool] = []
    committer.on_wake = lambda: woken.append(True)
    other = arrival(1, "INV-1")
    row = {**other.event, "id": "event_2", "body_hash": "01"}
    assert await committer.commit(replace(other, event=row)) is Acceptance.CONFLICTING
    assert waiting(database) == ["run_0", "run_1"]
    assert not woken
