"""Months of events and steps on PostgreSQL: where rows lie, that names are known for ever, and what may go."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, insert, text, update
from sqlalchemy.exc import IntegrityError

from hub.audit.kinds import AuditKind
from hub.errors import FixData
from hub.model.ambient import Ambient, id_from
from hub.model.retention import Retention
from hub.operate.months import Gone, Months
from hub.runtime import doctor
from hub.runtime.clock import system_ambient
from hub.store import events as stored
from hub.store import partitions
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.events import Accept, Acceptance
from hub.store.migrating import Reach
from hub.store.outbox_tables import outbox
from hub.store.tables import attempts, events, runs, steps
from tests import postgres
from tests.store.declared import differences
from tests.store.test_committer import run

pytestmark = pytest.mark.processes

Store = tuple[Database, Committer]
#: The month in which the tables are made, by the server's clock.
NOW = datetime.now(UTC)
POLICY = Retention(payloads=timedelta(days=30), answers=timedelta(days=60), history=timedelta(days=90))


class Stopped:
    """A clock that shows one moment until it is set."""

    def __init__(self, moment: datetime) -> None:
        """Take the moment."""
        self.moment = moment

    def now(self) -> datetime:
        """Give the moment."""
        return self.moment

    async def sleep(self, seconds: float) -> None:
        """Wait for nothing."""


@pytest.fixture
async def store(tmp_path: Path, databases: postgres.Databases) -> AsyncIterator[Store]:
    """Give an open store in a database that no other test gets."""
    database = Database(tmp_path, databases.bare())
    committer = Committer(database, system_ambient(1))
    committer.start()
    yield database, committer
    await committer.stop()
    database.close()


def months_from_now(count: int) -> datetime:
    return partitions.after(partitions.month_of(NOW), count) + timedelta(days=3)


def name(moment: datetime, number: int, prefix: str = "event") -> str:
    return f"{id_from(prefix, moment)}{number:010}"


def arrival(moment: datetime, number: int, *, content: str = "00", environment: str = "test") -> Accept:
    """Give an event that came at a moment, and that no flow wants."""
    row: dict[str, Any] = {"id": name(moment, number), "environment": environment, "connection": "bank"}
    row |= {"type": "paid", "external_id": f"evt_{number}", "subject": f"s{number}", "state": "unrouted"}
    row |= {"via": "webhook", "deliveries": 1, "occurred_at": 1, "received_at": 1, "data": "{}", "body_hash": content}
    return Accept(event=row, runs=(), actor="connection:bank")


def rows(database: Database, statement: str) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def places(database: Database, table: str = "events") -> dict[str, int]:
    return dict(rows(database, f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1 ORDER BY 1"))  # noqa: S608


def pruned(database: Database) -> None:
    with database.writer.begin() as connection:
        for table in (events, runs):
            connection.execute(update(table).values(pruned_at=1))


def months(store: Store, at: datetime, policy: Retention | None = POLICY) -> Months:
    ambient = Ambient(clock=Stopped(at), random=random.Random(1))
    return Months(environment="test", database=store[0], committer=store[1], ambient=ambient, policy=lambda: policy)


async def test_each_row_lies_in_the_month_of_its_id(store: Store) -> None:
    """What fits no month lies among the others, and is found by its id all the same."""
    database, committer = store
    for number, ahead in enumerate((-30, 0, 1, 2, 40)):
        assert await committer.commit(arrival(months_from_now(ahead), number)) is Acceptance.NEW
    assert places(database) == {
        "events_first": 2,
        f"events_{months_from_now(1):%Y_%m}": 1,
        f"events_{months_from_now(2):%Y_%m}": 1,
        "events_other": 1,
    }
    with database.reading() as connection:
        for number, ahead in enumerate((-30, 0, 1, 2, 40)):
            row = stored.find(connection, name(months_from_now(ahead), number))
            assert row is not None and row["external_id"] == f"evt_{number}"


async def test_an_event_is_known_in_whichever_month_it_came(store: Store) -> None:
    """The same name in another month is a repeat, and another content of it is kept beside the first."""
    database, committer = store
    assert await committer.commit(arrival(months_from_now(0), 1)) is Acceptance.NEW
    assert await committer.commit(arrival(months_from_now(1), 1)) is Acceptance.REPEATED
    assert await committer.commit(arrival(months_from_now(40), 1)) is Acceptance.REPEATED
    assert await committer.commit(arrival(months_from_now(2), 1, content="11")) is Acceptance.CONFLICTING
    assert rows(database, "SELECT deliveries, body_hash FROM events ORDER BY id") == [(3, "00"), (1, "11")]
    # Whoever stores one without asking, such as a process of an older version, is refused by the name itself.
    with pytest.raises(IntegrityError), database.writer.begin() as connection:
        connection.execute(insert(events), {**arrival(months_from_now(2), 1).event, "id": "event_x"})
    assert rows(database, "SELECT count(*) FROM events") == [(2,)]


async def test_months_are_made_ahead_and_take_what_lies_among_the_others(store: Store) -> None:
    """Once is enough, also for two that make them at a time."""
    database, committer = store
    later = months_from_now(4)
    await committer.commit(arrival(later, 1))
    with database.writer.begin() as connection:
        row = {"run_id": name(later, 1, "run"), "path": "a", "ordinal": 1, "kind": "call", "state": "succeeded"}
        connection.execute(insert(steps), {**row, "started_at": 1})
    assert places(database) == {"events_other": 1} and places(database, "steps") == {"steps_other": 1}
    with database.reading() as connection:
        (finding,) = doctor._partitions(connection, NOW)
        assert finding.mark == "warn" and "1 of `events`, 1 of `steps`" in finding.found
    made = partitions.make(database.apart, later)
    assert made is not None and len(made) == 3 * (partitions.AHEAD + 1)
    assert partitions.make(database.apart, later) == []
    assert places(database) == {f"events_{later:%Y_%m}": 1}
    assert places(database, "steps") == {f"steps_{later:%Y_%m}": 1}
    # What was moved is the same event, and known.
    assert await committer.commit(arrival(later, 1)) is Acceptance.REPEATED
    with database.writer.connect() as connection:
        assert differences(connection) == []
        (finding,) = doctor._partitions(connection, later)
        assert finding.mark == "ok"
        (finding,) = doctor._partitions(connection, months_from_now(9))
        assert finding.mark == "warn" and f"{months_from_now(9):%Y-%m}" in finding.found


async def test_a_month_that_is_missing_in_between_is_no_gap(store: Store) -> None:
    """A scheduler that was away for months goes on with the present one; what came meanwhile lies among the others."""
    database, committer = store
    assert partitions.make(database.apart, months_from_now(6)) is not None
    assert await committer.commit(arrival(months_from_now(4), 1)) is Acceptance.NEW
    assert places(database) == {"events_other": 1}
    assert partitions.make(database.apart, months_from_now(4)) is not None


async def test_nobody_is_held_up_by_making_and_dropping(store: Store) -> None:
    """Who reads at that moment is let read; it is done the next time."""
    database, _committer = store
    with database.reading() as connection:
        connection.execute(text("SELECT count(*) FROM events")).scalar()
        assert partitions.make(database.apart, months_from_now(1)) is None
        with database.writer.connect() as own:
            (first,) = (each for each in partitions.existing(own) if each.name == "events_first")
        assert not partitions.drop(database.apart, first, "test")
    assert partitions.make(database.apart, months_from_now(1)) != []


async def test_a_month_goes_when_nothing_in_it_is_needed(store: Store) -> None:
    """By the rules of pruning; what went is known by its name for ever, and the audit log says which month."""
    database, committer = store
    at = months_from_now(0)
    await committer.commit(arrival(at, 1))
    await committer.commit(arrival(months_from_now(1), 2))
    old = run(1)
    run_id = name(at, 1, "run")
    with database.writer.begin() as connection:
        row = {**old, "id": run_id, "event_id": name(at, 1), "state": "succeeded", "blocking": False, "position": 1}
        connection.execute(insert(runs), {**row, "claimable_at": None, "created_at": 1, "updated_at": 1})
        step = {"run_id": run_id, "path": "a", "ordinal": 1, "kind": "call", "state": "succeeded", "started_at": 1}
        connection.execute(insert(steps), step)
        tried = {"run_id": run_id, "path": "a", "number": 1, "kind": "send", "outcome": "done"}
        connection.execute(insert(attempts), {**tried, "started_at": 1, "finished_at": 1})
    # The month has to be over for as long as the policy says.
    young = months(store, months_from_now(1) + timedelta(days=80))
    assert await young.drop(actor="local") == Gone()
    late = months(store, months_from_now(1) + timedelta(days=90))
    kept = ("attempts_first: runs", "steps_first: runs", "events_first: events")
    assert await months(store, late._ambient.now(), None).drop(actor="local") == Gone()
    assert await late.drop(actor="local") == Gone(kept=kept)
    assert rows(database, "SELECT count(*) FROM steps") == [(1,)]
    pruned(database)
    assert await late.drop(actor="local") == Gone(dropped=("attempts_first", "steps_first", "events_first"))
    assert rows(database, "SELECT external_id FROM events") == [("evt_2",)]
    assert rows(database, "SELECT count(*) FROM steps") == rows(database, "SELECT count(*) FROM attempts") == [(0,)]
    said = rows(database, f"SELECT entry FROM audit WHERE kind = '{AuditKind.HISTORY_DROPPED}'")  # noqa: S608
    assert [b"events_first" in bytes(entry) for (entry,) in said] == [False, False, True]
    assert await committer.commit(arrival(months_from_now(2), 1)) is Acceptance.REPEATED
    with database.reading() as connection, pytest.raises(FixData, match="dropped its month") as gone:
        stored.by_name(connection, "test", "bank", "evt_1")
    assert gone.value.code == "payload-pruned"


@pytest.mark.parametrize("why", ["events", "environment", "feed", "waits"])
async def test_a_month_of_events_stays_while_something_in_it_is_needed(store: Store, why: str) -> None:
    """An event that is not pruned, of another environment, that a feed has not done with, or that may be waited for."""
    database, committer = store
    at = months_from_now(0)
    await committer.commit(arrival(at, 1, environment="other" if why == "environment" else "test"))
    await committer.commit(arrival(months_from_now(1), 2))
    pruned(database)
    with database.writer.begin() as connection:
        if why == "events":
            connection.execute(update(events).values(pruned_at=None, state="quarantined"))
        elif why == "feed":
            told = {"environment": "test", "position": 1, "id": "evt_1", "type": "paid", "subject": "s", "key": "k"}
            connection.execute(insert(outbox), {**told, "at": 1, "event_id": name(at, 1)})
        elif why == "waits":
            # It was released late, so that a run which began before may come to wait for it.
            connection.execute(update(events).where(events.c.id == name(at, 1)).values(position=9))
            row = {**run(1), "id": name(at, 2, "run"), "event_id": name(months_from_now(1), 2), "state": "waiting"}
            connection.execute(insert(runs), {**row, "position": 1, "created_at": 1, "updated_at": 1})
    late = months(store, months_from_now(1) + timedelta(days=90))
    reason = "events" if why == "environment" else why
    found = await late.drop(actor="local")
    assert f"events_first: {reason}" in found.kept and "events_first" not in found.dropped
    assert len(rows(database, "SELECT id FROM events")) == 2


async def test_look_ups_by_id_and_by_name_meet_one_partition(store: Store) -> None:
    """However many months there are: the server plans for the ids that are asked for, also in the long run."""
    database, committer = store
    partitions.make(database.apart, months_from_now(3))
    for number in range(40):
        await committer.commit(arrival(months_from_now(number % 4), number))
    here = name(months_from_now(1), 1)
    asked = {
        "SELECT * FROM events WHERE id = $1": f"('{here}')",
        "SELECT * FROM events WHERE id = ANY($1)": f"(ARRAY['{here}'])",
        "UPDATE events SET deliveries = deliveries + 1 WHERE id = ANY($1)": f"(ARRAY['{here}'])",
        "SELECT * FROM steps WHERE run_id = ANY($1)": f"(ARRAY['{name(months_from_now(1), 1, 'run')}'])",
        "SELECT * FROM attempts WHERE run_id = $1": f"('{name(months_from_now(1), 1, 'run')}')",
    }
    assert len([each for each in partitions_of(database) if each.table is events]) >= 6
    with database.writer.begin() as connection:
        for place, (statement, given) in enumerate(asked.items()):
            kind = "text[]" if "ANY" in statement else "text"
            connection.exec_driver_sql(f"PREPARE p{place} ({kind}) AS {statement}")
            for _ in range(8):
                # By then the server has chosen which kind of plan it keeps to.
                connection.exec_driver_sql(f"EXECUTE p{place}{given}")
            plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN EXECUTE p{place}{given}"))
            scans = set(re.findall(r"Scan.* on (\w+?)(?:_pkey)?\b", plan))
            assert len(scans) == 1 and scans.pop().endswith(f"_{months_from_now(1):%Y_%m}"), plan
        known = stored._KNOWN.form("postgresql").sql
        for number in (1, 2, 3):
            known = known.replace("%s", f"${number}", 1)
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        connection.exec_driver_sql(f"PREPARE known (text, text, text[]) AS {known}")
        plan = "\n".join(row[0] for row in connection.exec_driver_sql("EXPLAIN EXECUTE known('test','bank','{evt_1}')"))
        assert "pk_event_names" in plan and set(re.findall(r"Scan.* on (\w+)", plan)) <= {
            "event_names",
            "pk_event_names",
        }
        # Repeats are counted by names: of the months only that of the event is gone into.
        counting = stored._COUNT.form("postgresql").sql
        for number in range(1, 5):
            counting = counting.replace("%s", f"${number}", 1)
        connection.exec_driver_sql("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
        connection.exec_driver_sql(f"PREPARE counting (int, text, text, text[]) AS {counting}")
        counted = "EXPLAIN (ANALYZE) EXECUTE counting(1, 'test', 'bank', '{evt_1}')"
        met = [row[0] for row in connection.exec_driver_sql(counted) if " on events_" in row[0] and "Scan" in row[0]]
        assert len(met) >= 6 and len([line for line in met if "never executed" not in line]) == 1, met


def partitions_of(database: Database) -> list[partitions.Partition]:
    with database.reading() as connection:
        return partitions.existing(connection)


def test_what_lay_in_plain_tables_lies_in_partitions_after_the_upgrade(
    tmp_path: Path, databases: postgres.Databases
) -> None:
    """Nothing is copied but names; what has an id of a later month lies there."""
    url = databases.bare()
    old = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    with old.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        for number, ahead in enumerate((-5, 0, 1, 50)):
            row = {**arrival(months_from_now(ahead), number).event, "data": '{"a":1}'}
            columns = ", ".join(row)
            values = ", ".join(f":{each}" for each in row)
            connection.execute(text(f"INSERT INTO events ({columns}) VALUES ({values})"), row)  # noqa: S608
    old.dispose()
    database = Database(tmp_path, url, reach=Reach.ALL)
    assert places(database) == {"events_first": 2, f"events_{months_from_now(1):%Y_%m}": 1, "events_other": 1}
    assert rows(database, "SELECT count(*) FROM event_names JOIN events ON id = event_id") == [(4,)]
    with database.writer.connect() as connection:
        assert differences(connection) == []
    database.close()


def test_months_and_their_bounds() -> None:
    """In UTC, and over the end of a year."""
    assert partitions.month_of(datetime.fromisoformat("2026-12-31T23:30:00-02:00")) == datetime(2027, 1, 1, tzinfo=UTC)
    assert partitions.after(datetime(2026, 11, 1, tzinfo=UTC), 2) == datetime(2027, 1, 1, tzinfo=UTC)
    assert partitions.after(datetime(2027, 1, 1, tzinfo=UTC), -1) == datetime(2026, 12, 1, tzinfo=UTC)
    month = datetime(2026, 12, 1, tzinfo=UTC)
    ambient = Ambient(clock=Stopped(month), random=random.Random(1))
    before = Ambient(clock=Stopped(month - timedelta(milliseconds=1)), random=random.Random(1))
    assert before.new_id("event") < partitions.bound(events, month) <= ambient.new_id("event")
    assert all(each >= partitions.bound(steps, month) for each in ambient.new_ids("run", 3))


async def test_tables_that_are_not_in_partitions_yet_serve_as_ever(
    tmp_path: Path, databases: postgres.Databases
) -> None:
    """Between the two steps that bring them there: names are known, and nothing is made or dropped."""
    database = Database(tmp_path, databases.bare())
    with database.writer.begin() as connection:
        for name in ("events", "steps", "attempts"):
            connection.exec_driver_sql(f"CREATE TABLE plain (LIKE {name} INCLUDING ALL)")
            connection.exec_driver_sql(f"DROP TABLE {name}")
            connection.exec_driver_sql(f"ALTER TABLE plain RENAME TO {name}")
        connection.exec_driver_sql(
            "CREATE TRIGGER name_events AFTER INSERT ON events REFERENCING NEW TABLE AS stored "
            "FOR EACH STATEMENT EXECUTE FUNCTION name_events()"
        )
    committer = Committer(database, system_ambient(1))
    committer.start()
    assert await committer.commit(arrival(months_from_now(0), 1)) is Acceptance.NEW
    assert await committer.commit(arrival(months_from_now(9), 1)) is Acceptance.REPEATED
    late = months((database, committer), months_from_now(20))
    assert await late.make() == [] and await late.drop(actor="local") == Gone()
    with database.reading() as connection:
        (finding,) = doctor._partitions(connection, NOW)
        assert finding.mark == "note"
    await committer.stop()
    database.close()
