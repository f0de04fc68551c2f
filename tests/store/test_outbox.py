"""What a feed is to tell is written with the change that makes it so, where a feed is kept, and nowhere else."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from hub.errors import Conflict
from hub.model.event import EventState
from hub.runtime.clock import system_ambient
from hub.sdk import exact_json
from hub.store import cases, marks, outbox
from hub.store.committer import Committer, Transaction, Work, whole
from hub.store.database import Database
from hub.store.events import Acceptance, find
from hub.store.outbox import Fact, Published
from hub.store.outbox_tables import outbox as table
from hub.store.releases import Release
from hub.store.run_orders import cancel
from hub.store.tables import counters, runs
from tests.store.test_awaited_events import arrival

Store = tuple[Database, Committer]


@pytest.fixture
async def telling(tmp_path: Path) -> AsyncIterator[Store]:
    database = Database(tmp_path)
    committer = Committer(database, system_ambient(1))
    committer.tells = True
    committer.start()
    yield database, committer
    await committer.stop()
    database.close()


def told(database: Database) -> list[tuple[int, str, str]]:
    with database.reading() as connection:
        rows = connection.execute(select(table.c.position, table.c.id, table.c.type).order_by(table.c.position))
        return [(row.position, row.id, row.type) for row in rows]


def fact(number: int, *, environment: str = "test") -> Fact:
    about: dict[str, Any] = {"subject": f"s{number}", "key": f"k{number}", "data": {"number": number}}
    return Fact(id=f"fact_{number}", environment=environment, type="concord.tried", **about)


async def test_nothing_is_written_where_no_feed_is_kept(store: Store) -> None:
    database, committer = store
    heard: list[bool] = []
    committer.on_told = lambda: heard.append(True)
    await committer.commit(arrival(1, "INV-1"))
    await committer.commit(Work(lambda transaction: outbox.tell(transaction, [fact(1)])))
    assert told(database) == [] and heard == []


async def test_an_event_is_told_once_in_the_order_of_commits(telling: Store) -> None:
    """A repeat, and another content under a known id, are no new facts."""
    database, committer = telling
    heard: list[bool] = []
    committer.on_told = lambda: heard.append(True)
    first = arrival(1, "INV-1")
    assert await committer.commit(first) is Acceptance.NEW
    assert await committer.commit(first) is Acceptance.REPEATED
    other = replace(first, event={**first.event, "id": "event_9", "body_hash": "11"})
    assert await committer.commit(other) is Acceptance.CONFLICTING
    await committer.commit(arrival(2, "", state="unrouted"))
    assert told(database) == [(1, "evt_1", "bank.payment.booked"), (2, "evt_2", "bank.payment.booked")]
    assert heard == [True, True]
    with database.reading() as connection:
        rows = outbox.some(connection, "test", after=0, limit=9, largest=1000)
        assert [(row["key"], row["connection"], row["payload"]) for row in rows] == [
            ("INV-1", "bank", "{}"),
            ("evt_2", "bank", "{}"),
        ]
        assert outbox.some(connection, "other", after=0, limit=9, largest=1000) == []
        (small, _) = outbox.some(connection, "test", after=0, limit=9, largest=1)
        assert (small["payload"], small["size"]) == (None, 2)


async def test_an_event_is_named_as_its_vendor_names_it(telling: Store) -> None:
    """So that one that is taken anew after a backup was restored is known again; of a long name its hash."""
    database, committer = telling
    for name in ("x" * 200, "x" * 201, ""):
        given = arrival(len(name), "INV-1")
        await committer.commit(replace(given, event={**given.event, "external_id": name}))
    names = [name for _, name, _ in told(database)]
    assert names[0] == "x" * 200 and names[1].startswith("sha256:") and names[2] == "event_0"


async def test_an_event_that_was_held_back_is_told_when_it_is_released(telling: Store) -> None:
    database, committer = telling
    await committer.commit(arrival(1, "INV-1", state="quarantined"))
    await committer.commit(arrival(2, "INV-2", state="unrouted"))
    assert [name for _, name, _ in told(database)] == ["evt_2"]
    for number in (1, 2, 1):
        with database.reading() as connection:
            row = find(connection, f"event_{number}")
        assert row is not None
        more: dict[str, Any] = {"flags": None, "runs": (), "became": (), "bundle": "b", "actor": "ada", "reason": "ok"}
        release = Release(event={**row, "state": row["state"]}, state=EventState.ACCEPTED, **more)
        if number == 1 and row["state"] == "accepted":
            release = replace(release, event={**row, "state": "quarantined"})
            with pytest.raises(Conflict):
                await committer.commit(release)
        else:
            await committer.commit(release)
    # What no flow wanted had happened before.
    assert [name for _, name, _ in told(database)] == ["evt_2", "evt_1"]


async def test_what_is_rolled_back_is_not_told(telling: Store) -> None:
    database, committer = telling

    def fails(transaction: Transaction) -> None:
        outbox.tell(transaction, [fact(1)])
        raise Conflict

    with pytest.raises(Conflict):
        await committer.commit(Work(fails))
    await committer.commit(Work(lambda transaction: outbox.tell(transaction, [fact(2)])))
    assert told(database) == [(1, "fact_2", "concord.tried")]


async def test_places_are_given_when_all_else_is_done(telling: Store) -> None:
    """Until the commit others wait for theirs. What a part has told that was rolled back is in none of them."""
    database, committer = telling

    def work(transaction: Transaction) -> None:
        outbox.tell(transaction, [fact(1)])
        with contextlib.suppress(Conflict), whole(transaction):
            outbox.tell(transaction, [fact(2)])
            raise Conflict
        outbox.tell(transaction, [fact(3), fact(4, environment="other")])
        taken = select(func.count()).select_from(counters).where(counters.c.name == "outbox")
        assert transaction.connection.execute(taken).scalar_one() == 0

    await committer.commit(Work(work))
    assert [(place, name) for place, name, _ in told(database)] == [(1, "fact_1"), (2, "fact_3"), (3, "fact_4")]


async def test_ends_of_runs_and_exceptions_are_told(telling: Store) -> None:
    database, committer = telling
    run: dict[str, Any] = {"id": "run_1", "position": 1, "environment": "test", "flow": "f", "bundle": "b"}
    run |= {"event_id": "event_0", "key": "INV-1", "business_key": "k", "state": "queued", "blocking": True}
    run |= {"epoch": 0, "generation": 0, "created_at": 1, "updated_at": 1, "money_minor": 1999, "money_currency": "EUR"}
    case: dict[str, Any] = {"id": "case_1", "environment": "test", "flow": "f", "run_id": "run_1", "path": "post"}
    case |= {"business_key": "k", "reason": "fix-data", "fingerprint": "f", "detail": "d", "facts": "{}"}
    failure = cases.Failure(row={**case, "state": "open", "opened_at": 5}, code="fix-data", failing=frozenset({"post"}))

    def begin(transaction: Transaction) -> None:
        transaction.connection.execute(insert(runs), run)
        words = dict.fromkeys(("runbook", "entity", "money_minor", "money_currency"))
        cases.tell(transaction, replace(failure, row={**words, **failure.row}), actor="worker")

    await committer.commit(Work(begin))
    await committer.commit(Work(lambda transaction: cancel(transaction, "run_1", actor="ada", reason="no")))
    kinds = ["concord.case.opened", "concord.run.cancelled", "concord.case.closed"]
    assert [kind for _, _, kind in told(database)] == kinds
    with database.reading() as connection:
        opened, ended, closed = outbox.some(connection, "test", after=0, limit=9, largest=1000)
    assert [row["key"] for row in (opened, ended, closed)] == ["INV-1"] * 3
    assert [row["id"] for row in (opened, ended, closed)] == ["case_1.opened", "run_1.cancelled.0", "case_1.closed"]
    data = exact_json.loads(ended["data"])
    assert (data["state"], data["money_minor"], data["money_currency"]) == ("cancelled", 1999, "EUR")
    assert exact_json.loads(closed["data"])["state"] == "closed"


async def test_only_what_is_published_and_old_is_taken_away(telling: Store) -> None:
    """In portions, the oldest first."""
    database, committer = telling
    facts = [fact(number) for number in range(1, 8)]
    await committer.commit(Work(lambda transaction: outbox.tell(transaction, [*facts, fact(8, environment="other")])))

    def age(transaction: Transaction) -> None:
        transaction.connection.execute(update(table).where(table.c.position <= 6).values(at=10))
        outbox.mark(transaction, "test", Published(position=5, made="m", last=5))

    await committer.commit(Work(age))

    async def prune(limit: int) -> int:
        done: int = await committer.commit(Work(lambda tx: outbox.prune(tx, "test", before=11, limit=limit)))
        return done

    with database.reading() as connection:
        assert outbox.backlog(connection, "test") == (2, 10)
    assert [await prune(3), await prune(3), await prune(3)] == [3, 2, 0]
    assert [position for position, _, _ in told(database)] == [6, 7, 8]
    with database.reading() as connection:
        reached = outbox.published(connection, "test")
    assert (reached.position, reached.made, reached.last) == (5, "m", 5) and reached.at > 10


async def test_whether_a_feed_is_kept_is_written_down(telling: Store) -> None:
    database, committer = telling

    def kept() -> bool:
        with database.reading() as connection:
            return outbox.is_kept(connection, "test")

    assert not kept()
    for each in (True, False):
        await committer.commit(Work(lambda tx, each=each: outbox.keep(tx, "test", kept=each)))  # type: ignore[misc]
        assert kept() is each
    await committer.commit(Work(lambda transaction: outbox.tell(transaction, [fact(1), fact(2, environment="other")])))
    await committer.commit(Work(lambda transaction: outbox.clear(transaction, "test")))
    assert [name for _, name, _ in told(database)] == ["fact_2"]


async def test_what_a_newer_version_says_of_a_feed_is_passed_over(telling: Store) -> None:
    """Publishers of two versions follow each other in an upgrade, and read each other's mark."""
    database, committer = telling
    written = {"position": 7, "made": "m", "last": 9, "of_a_newer_version": {"more": 1}}
    await committer.commit(Work(lambda transaction: marks.put(transaction, "feed:test", written)))
    with database.reading() as connection:
        reached = outbox.published(connection, "test")
    assert (reached.position, reached.made, reached.last, reached.holes) == (7, "m", 9, 0)
