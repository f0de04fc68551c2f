"""The committer: groups become durable together, harm no other, and keep one chain of audit entries."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.audit.verification import verify_chain
from hub.errors import Conflict, FixData, HubError, StaleLease, ToldToStop
from hub.model.ambient import Ambient
from hub.model.run import Stopping
from hub.runtime.clock import SystemClock
from hub.store import audit, crossrefs, merges, run_orders, runs, stopping, tables
from hub.store.claims import Claim, Claimed
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.events import Accept, Acceptance
from hub.store.history import Lease, Record
from hub.store.replays import Replay, replay
from hub.store.tables import effects
from hub.store.things import By
from tests.store.asked import asked


def ambient() -> Ambient:
    """Give the real clock and seeded chance."""
    return Ambient(clock=SystemClock(), random=random.Random(1))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Database, Committer]]:
    """Give an open store."""
    database = Database(tmp_path)
    committer = Committer(database, ambient())
    committer.start()
    yield database, committer
    await committer.stop()
    database.close()


def event(number: int, content: str = "") -> dict[str, Any]:
    """Give an event's row."""
    return {
        "id": f"event_{number}_{content}",
        "environment": "test",
        "connection": "vendor",
        "external_id": f"evt_{number}",
        "type": "vendor.made",
        "subject": "",
        "schema": None,
        "occurred_at": 1,
        "received_at": 1,
        "via": "webhook",
        "state": "accepted",
        "deliveries": 1,
        "data": "{}",
        "record_key": None,
        "body_hash": f"hash{content}",
        "entity": None,
        "reason": None,
    }


def run(number: int, key: str = "k") -> dict[str, Any]:
    """Give a queued run's row."""
    return {
        "id": f"run_{number}",
        "environment": "test",
        "entity": None,
        "flow": "tested",
        "bundle": "b1",
        "event_id": f"event_{number}_",
        "key": key,
        "business_key": f"thing:{number}",
        "state": "queued",
        "blocking": True,
        "claimable_at": 1,
        "epoch": 0,
        "generation": 0,
        "created_at": 1,
        "updated_at": 1,
    }


def accept(number: int, key: str = "k", content: str = "") -> Accept:
    """Give an acceptance with one run."""
    return Accept(event=event(number, content), runs=[run(number, key)], actor="connection:vendor")


async def claim(committer: Committer, limit: int = 10) -> Claimed:
    """Claim as a worker."""
    claimed: Claimed = await committer.commit(Claim(environment="test", owner="w", limit=limit))
    return claimed


@pytest.mark.embedded("one process owns a file")
async def test_a_second_process_on_the_same_data_is_refused(tmp_path: Path) -> None:
    """The message says what to do."""
    first = Database(tmp_path)
    with pytest.raises(Conflict, match="choose another with --data"):
        Database(tmp_path)
    first.close()
    Database(tmp_path).close()


async def test_who_has_lost_a_run_hears_no_order_about_it(store: tuple[Database, Committer]) -> None:
    """It would begin to end what another works on."""
    _, committer = store
    await committer.commit(accept(1))
    await claim(committer)
    await committer.commit(Work(lambda tx: runs.hand_back(tx, environment="test", owner="w")))
    await claim(committer)
    await committer.commit(Work(lambda tx: stopping.tell_to_stop(tx, "run_1", Stopping.CANCEL, {"actor": "local"})))
    # It was taken twice, and handed back in between.
    for epoch, said in ((1, StaleLease), (2, StaleLease), (3, ToldToStop)):
        turning = Work(partial(stopping.turn_back, run_id="run_1", epoch=epoch, reason="r", actor="w"))
        with pytest.raises(said):
            await committer.commit(turning)


async def test_who_has_lost_a_run_tells_of_nothing_for_it(store: tuple[Database, Committer]) -> None:
    """Not even what whoever has it now tells of in the same moment counts as told by the other."""
    database, committer = store
    await committer.commit(accept(1))
    await claim(committer)
    await committer.commit(Work(lambda tx: runs.hand_back(tx, environment="test", owner="w")))
    await claim(committer)

    def telling(number: int, epoch: int, run_id: str = "run_1") -> Accept:
        return replace(accept(number, f"k{number}"), caller=Lease(run_id, epoch))

    async def told(*accepts: Accept) -> list[Any]:
        results = await asyncio.gather(*map(committer.commit, accepts), return_exceptions=True)
        return [type(each) if isinstance(each, HubError) else each for each in results]

    lost = [telling(2, 1), telling(3, 2), telling(4, 3, "run_9")]
    assert await told(*lost, telling(2, 3), accept(5)) == [StaleLease] * 3 + [Acceptance.NEW] * 2
    assert await told(telling(2, 1), telling(2, 3)) == [StaleLease, Acceptance.REPEATED]
    await committer.commit(Work(lambda tx: stopping.tell_to_stop(tx, "run_1", Stopping.CANCEL, {"actor": "local"})))
    assert await told(telling(6, 3), accept(7)) == [ToldToStop, Acceptance.NEW]
    with database.reading() as connection:
        events = connection.execute(select(tables.events.c.id)).scalars().all()
        begun = connection.execute(select(tables.runs.c.id)).scalars().all()
    assert sorted(events) == [f"event_{number}_" for number in (1, 2, 5, 7)]
    assert sorted(begun) == [f"run_{number}" for number in (1, 2, 5, 7)]


async def test_nothing_is_asked_of_runs_for_what_comes_from_outside(store: tuple[Database, Committer]) -> None:
    """The door is as fast as what it asks."""
    _, committer = store
    await committer.commit(accept(1))
    with asked() as outside:
        await committer.commit(accept(2))
    with asked() as inside, pytest.raises(StaleLease):
        await committer.commit(replace(accept(3), caller=Lease("run_1", 7)))
    assert [any("runs.epoch" in each for each in statements) for statements in (outside, inside)] == [False, True]


@pytest.mark.parametrize("name", ["a\0b", "\0", "a\0", "", "\u2028", 'a"\\b', "\x7f", "\N{GRINNING FACE}"])
async def test_an_event_is_known_again_by_whatever_name(store: tuple[Database, Committer], name: str) -> None:
    """A vendor's ids are a vendor's; one that could not be found again would be refused each time it comes."""
    _, committer = store
    first, other = (
        Accept(event={**event(1, content), "external_id": name}, runs=[], actor="test") for content in ("", "forged")
    )
    assert await committer.commit(first) is Acceptance.NEW
    assert await committer.commit(first) is Acceptance.REPEATED
    assert await committer.commit(other) is Acceptance.CONFLICTING


async def test_an_event_is_accepted_once_also_within_one_group(store: tuple[Database, Committer]) -> None:
    """Repeats are counted, other content under the same id is kept apart, and one run exists."""
    database, committer = store
    results = await asyncio.gather(
        *(committer.commit(accept(1)) for _ in range(5)), committer.commit(accept(1, content="forged"))
    )
    assert sorted(results) == [Acceptance.CONFLICTING, Acceptance.NEW, *[Acceptance.REPEATED] * 4]
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT external_id, state, deliveries FROM events ORDER BY 1").all()
        count = connection.exec_driver_sql("SELECT count(*) FROM runs").scalar()
    assert [tuple(row) for row in rows] == [("evt_1", "accepted", 5), ("evt_1#hashforged", "rejected", 1)]
    assert count == 1


async def test_what_is_fetched_counts_as_no_delivery(store: tuple[Database, Committer]) -> None:
    """An event that was read from a stream, before or after a webhook brought it, was delivered once."""
    database, committer = store
    fetched = {**event(1), "deliveries": 0, "via": "poll"}
    for arrived in (fetched, event(1), fetched):
        await committer.commit(Accept(event=arrived, runs=[], actor="test"))
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT deliveries FROM events").scalars().all() == [1]


async def test_runs_of_one_key_are_claimed_one_after_the_other(store: tuple[Database, Committer]) -> None:
    """Other keys are not held back."""
    _, committer = store
    for number, key in enumerate(["a", "a", "b", "a"], start=1):
        await committer.commit(accept(number, key))
    first = await claim(committer)
    assert [each.run["id"] for each in first.runs] == ["run_1", "run_3"]
    assert (await claim(committer)).runs == []
    done = {"state": "succeeded", "blocking": False}
    await committer.commit(Record(run_id="run_1", epoch=1, change=done))
    assert [each.run["id"] for each in (await claim(committer)).runs] == ["run_2"]


async def test_a_worker_that_lost_its_run_can_record_nothing(store: tuple[Database, Committer]) -> None:
    """The epoch fences it, and the others of its group are not harmed."""
    database, committer = store
    await committer.commit(accept(1, "a"))
    await committer.commit(accept(2, "b"))
    await claim(committer)
    await committer.commit(Work(lambda tx: runs.recover(tx, environment="test", actor="w")))
    await claim(committer)
    step = {"path": "s", "ordinal": 0, "kind": "map", "state": "succeeded", "started_at": 1, "finished_at": 1}
    row = {"input": None, "output": None, "answer": None, "answer_schema": None, "rule": None, "error": None}
    stale = committer.submit(Record(run_id="run_1", epoch=1, steps=[{**step, **row, "run_id": "run_1"}]))
    fresh = committer.submit(Record(run_id="run_2", epoch=3, steps=[{**step, **row, "run_id": "run_2"}]))
    with pytest.raises(StaleLease):
        await stale
    await fresh
    with database.reading() as connection:
        assert connection.exec_driver_sql("SELECT run_id FROM steps").scalars().all() == ["run_2"]


def intent(number: int) -> Record:
    """Give the record of a run that intends the write `e1`, which another one has failed to make."""
    row = dict.fromkeys(column.name for column in effects.c) | {
        "key": "e1",
        "environment": "test",
        "connection": "vendor",
        "operation": "thing.write",
        "idempotency": "unsafe",
        "business_key": "thing:1",
        "path": "write",
        "generation": 0,
        "run_id": f"run_{number}",
        "state": "intent",
        "method": "POST",
        "url": "https://vendor.example/",
        "headers": "{}",
        "body": b"",
        "body_hash": "hash",
        "repeats": 0,
        "renewals": 0,
        "created_at": 1,
    }
    return Record(run_id=f"run_{number}", epoch=1, intents=[row])


async def test_of_two_runs_in_one_group_one_gets_a_failed_write(store: tuple[Database, Committer]) -> None:
    """Both saw that it had surely done nothing; only one may make it again."""
    _database, committer = store
    for number in (1, 2, 3):
        await committer.commit(accept(number, key=str(number)))
    await claim(committer)
    assert await committer.commit(intent(1)) is None
    await committer.commit(Work(lambda tx: tx.connection.execute(update(effects).values(state="failed"))))
    # While this one is at work, the other two gather in one group.
    busy = committer.submit(Work(lambda tx: time.sleep(0.1)))
    await asyncio.sleep(0.02)
    standing = await asyncio.gather(committer.commit(intent(2)), committer.commit(intent(3)))
    await busy
    assert [row is None for row in standing] == [True, False]
    assert standing[1][0]["run_id"] == "run_2"


async def test_nobody_takes_a_write_from_a_run_that_has_gone_on_meanwhile(store: tuple[Database, Committer]) -> None:
    """Its run stood still when somebody looked, and was told to go on since: two would find out and send."""
    _database, committer = store
    for number in (1, 2):
        await committer.commit(accept(number, key=str(number)))
    await claim(committer)
    await committer.commit(intent(1))
    seen = intent(1).intents[0]
    for state, taken in (("running", False), ("queued", False), ("parked", True)):
        change = update(tables.runs).where(tables.runs.c.id == "run_1").values(state=state)
        await committer.commit(Work(lambda tx, change=change: tx.connection.execute(change)))  # type: ignore[misc]
        left = await committer.commit(Record(run_id="run_2", epoch=1, taken=[seen]))
        assert (left is None) == taken


async def test_what_cannot_be_stored_harms_no_other(store: tuple[Database, Committer]) -> None:
    """A number too large for its column is refused alone, and the committer lives on."""
    _database, committer = store
    await committer.commit(accept(1))
    busy = committer.submit(Work(lambda tx: time.sleep(0.1)))
    await asyncio.sleep(0.02)
    record = Record(run_id="run_1", epoch=0, change={"state": "parked", "money_minor": 2**70})
    wrong, right = committer.submit(record), committer.submit(accept(2, key="other"))
    with pytest.raises(HubError, match="does not fit") as refused:
        await wrong
    assert refused.value.code == "integrity"
    assert await right is Acceptance.NEW
    await busy
    assert await committer.commit(accept(3, key="third")) is Acceptance.NEW


async def test_another_environment_holds_no_run_back(store: tuple[Database, Committer]) -> None:
    """The order of a key is that of one environment."""
    _database, committer = store
    elsewhere = Accept(
        event=event(1) | {"environment": "live"}, runs=[run(1) | {"environment": "live"}], actor="connection:vendor"
    )
    await committer.commit(elsewhere)
    await committer.commit(accept(2))
    assert [item.run["id"] for item in (await claim(committer)).runs] == ["run_2"]


async def test_what_a_person_has_ended_behind_another_stays_ended(store: tuple[Database, Committer]) -> None:
    """The one before it lets the next of its key go, and that is not the ended one."""
    database, committer = store
    for number in (1, 2, 3):
        await committer.commit(accept(number))
    assert [item.run["id"] for item in (await claim(committer)).runs] == ["run_1"]
    await committer.commit(Work(lambda tx: run_orders.cancel(tx, "run_2", actor="p", reason="test")))
    await committer.commit(Record(run_id="run_1", epoch=1, change={"state": "succeeded", "blocking": False}))
    assert [item.run["id"] for item in (await claim(committer)).runs] == ["run_3"]
    with database.reading() as connection:
        found = runs.find(connection, "run_2")
    assert found is not None
    assert found["state"] == "cancelled"


async def test_a_replay_does_not_work_beside_a_later_run_of_its_key(store: tuple[Database, Committer]) -> None:
    """It waits until the one that has gone past it rests."""
    _database, committer = store
    for number in (1, 2):
        await committer.commit(accept(number))
    await committer.commit(Work(lambda tx: run_orders.cancel(tx, "run_1", actor="p", reason="test")))
    assert [item.run["id"] for item in (await claim(committer)).runs] == ["run_2"]
    await committer.commit(Work(lambda tx: replay(tx, "run_1", Replay(new_id="run_3", actor="p"))))
    assert (await claim(committer)).runs == []
    await committer.commit(Record(run_id="run_2", epoch=1, change={"state": "succeeded", "blocking": False}))
    assert [item.run["id"] for item in (await claim(committer)).runs] == ["run_3"]


async def test_a_refused_work_undoes_only_itself(store: tuple[Database, Committer]) -> None:
    """Its audit entries go with it."""
    database, committer = store

    def refused(transaction: Transaction) -> None:
        crossrefs.put(transaction, _link({"stripe": "cus_1", "netsuite": "1"}))
        raise FixData

    good = committer.submit(Work(lambda tx: crossrefs.put(tx, _link({"stripe": "cus_2", "netsuite": "2"}))))
    bad = committer.submit(Work(refused))
    await good
    with pytest.raises(FixData):
        await bad
    with database.reading() as connection:
        assert _found(connection, "cus_2") == "2"
        assert _found(connection, "cus_1") is None
        (head,) = audit.logs(connection)
        assert head.size == 1
        assert verify_chain(audit.entries(connection, "main"), head) == []


async def test_a_thing_has_one_id_in_a_system_unless_a_person_changes_it(store: tuple[Database, Committer]) -> None:
    """A flow can never re-tie what stands; `replace` can."""
    database, committer = store
    await committer.commit(Work(lambda tx: crossrefs.put(tx, _link({"stripe": "cus_1", "netsuite": "1"}))))
    with pytest.raises(FixData):
        await committer.commit(Work(lambda tx: crossrefs.put(tx, _link({"stripe": "cus_1", "netsuite": "9"}))))
    changed = _link({"stripe": "cus_1", "netsuite": "9"}, replace=True)
    await committer.commit(Work(lambda tx: crossrefs.put(tx, changed)))
    await committer.commit(Work(lambda tx: crossrefs.put(tx, _link({"stripe": "cus_1", "sap": "S1"}))))
    with database.reading() as connection:
        assert _found(connection, "cus_1") == "9"
        found = crossrefs.find(
            connection, environment="test", entity="customer", system="sap", id="S1", want="netsuite"
        )
        assert found == "9"


async def test_a_person_may_give_a_thing_an_id_that_names_another_one(store: tuple[Database, Committer]) -> None:
    """Both ties that it had before are taken back; what else the other one is called stays."""
    database, committer = store
    links = [_link({"stripe": "a", "netsuite": "1"}), _link({"sap": "b", "netsuite": "9"})]
    for link in (*links, _link({"stripe": "a", "netsuite": "9"}, replace=True)):
        await committer.commit(Work(lambda tx, link=link: crossrefs.put(tx, link)))  # type: ignore[misc]
    with database.reading() as connection:
        assert _found(connection, "a") == "9"
        rows = connection.exec_driver_sql("select system, id, thing from crossrefs order by system").all()
        assert [tuple(row) for row in rows] == [
            ("netsuite", "9", "thing_a_1"),
            ("sap", "b", "thing_b_9"),
            ("stripe", "a", "thing_a_1"),
        ]
        kinds = connection.exec_driver_sql("select kind from audit order by sequence").scalars()
        assert [kind.removeprefix("crossref.") for kind in kinds] == [
            *("linked", "linked", "unlinked", "unlinked", "linked")
        ]


async def test_what_a_run_ties_anew_takes_the_place_of_its_own_tie(store: tuple[Database, Committer]) -> None:
    """Also where something is known of the new id already: it is the one that is given to others."""
    database, committer = store
    links = [_link({"stripe": "a", "netsuite": "1"}, run="run_1"), _link({"netsuite": "9"})]
    for link in (*links, _link({"stripe": "a", "netsuite": "9"}, run="run_1")):
        await committer.commit(Work(lambda tx, link=link: crossrefs.put(tx, link)))  # type: ignore[misc]
    with database.reading() as connection:
        assert _found(connection, "a") == "9"


async def test_an_alias_does_not_stand_in_the_way_of_what_a_run_ties_anew(store: tuple[Database, Committer]) -> None:
    """It stays an alias: neither is it given to others, nor are they given nothing."""
    database, committer = store
    by = By(environment="test", entity="customer", actor="person:p_ada", change="merge_1")
    links = [_link({"stripe": "a", "netsuite": "1"}, run="run_1"), _link({"netsuite": "2"}), _link({"netsuite": "9"})]
    for link in links:
        await committer.commit(Work(lambda tx, link=link: crossrefs.put(tx, link)))  # type: ignore[misc]
    await committer.commit(Work(lambda tx: merges.absorb(tx, by, into="thing_a_1", gone="thing_2")))
    again = _link({"stripe": "a", "netsuite": "9"}, run="run_1")
    await committer.commit(Work(lambda tx: crossrefs.put(tx, again)))
    with database.reading() as connection:
        assert _found(connection, "a") == "9"
        rows = connection.exec_driver_sql("select id, rank from crossrefs where system = 'netsuite' order by id").all()
        ranks = {row.id: row.rank for row in rows}
        assert ranks.keys() == {"2", "9"} and ranks["9"] == 0 < ranks["2"]


def _link(ids: dict[str, str], *, replace: bool = False, run: str | None = None) -> crossrefs.Link:
    return crossrefs.Link(
        environment="test",
        entity="customer",
        ids=ids,
        thing="thing_" + "_".join(ids.values()),
        actor="local",
        replace=replace,
        line=[run] if run else [],
        path="link" if run else None,
    )


def _found(connection: Any, id: str) -> str | None:
    return crossrefs.find(connection, environment="test", entity="customer", system="stripe", id=id, want="netsuite")
