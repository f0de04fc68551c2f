"""Newer tables under those who work: who waits for whom, who is refused, and that nobody is held up."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog

from hub.errors import Fatal, Refused, RetryLater
from hub.proof import upgrade_steps
from hub.proof.upgrade_steps import Rehearsed
from hub.runtime.tables import bring, examined, looking_at, tables_of
from hub.store import leases, migrating, upgrading
from hub.store.database import Database
from hub.store.migrating import NEWEST, Reach
from tests.shared.servers import Server


@pytest.fixture
def url(server: Server) -> str:
    """Give a database with the tables of this version."""
    return server.database()


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rehearsed]:
    """Let this process be of a version with three further steps."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrating.__file__).parent / "migrations", folder)
    rehearsed = upgrade_steps.write(folder / "versions")
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "LOCATION", str(folder))
        patch.setattr(migrating, "NEWEST", rehearsed.takes_away)
        migrating.steps.cache_clear()
        yield rehearsed
    migrating.steps.cache_clear()


def found(url: str) -> str | None:
    """Give the step that a database has come to."""
    with looking_at(Path(), url) as connection:
        return migrating.revision(connection)


def begin(url: str, name: str, tables: str | None) -> None:
    """Let a worker live whose process knows so many steps."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO workers (id, environment, committer, roles, version, started_at, heartbeat_at, lease_until, "
            "tables) VALUES (%s, 'test', %s, 'worker', '0.0.9', 1, 1, 1, %s)",
            [name, name, tables],
        )


def end(url: str) -> None:
    """Let every worker have ended."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE workers SET ended_at = 2")


def test_what_adds_is_done_while_older_ones_live_and_what_takes_away_after_them(
    url: str, newer: Rehearsed, tmp_path: Path
) -> None:
    """The start does what is needed; the rest is refused with the names of those who need it, until they have ended."""
    begin(url, "worker_old", NEWEST)
    begin(url, "worker_oldest", None)
    Database(tmp_path / "a", url).close()
    assert found(url) == newer.indexes
    with pytest.raises(Refused, match="have not ended") as refused:
        bring(tmp_path / "a", url, Reach.ALL)
    assert refused.value.code == "older-workers" and refused.value.facts["number"] == 2
    assert "worker_old (0.0.9)" in str(refused.value.facts["workers"])
    with looking_at(tmp_path, url) as connection:
        (left,) = tables_of(connection).outstanding
        assert (left.step, len(left.needed_by)) == (newer.takes_away, 2)
        assert "2 processes still need it" in examined(connection).found
    end(url)
    bring(tmp_path / "a", url, Reach.ALL)
    assert found(url) == newer.takes_away
    with looking_at(tmp_path, url) as connection:
        assert tables_of(connection).outstanding == [] and examined(connection).mark == "ok"


def test_a_worker_makes_no_tables(url: str, newer: Rehearsed, tmp_path: Path) -> None:
    """It says what to start first; where the tables are there it goes on, also without what is done in the end."""
    with pytest.raises(Refused, match="role api") as refused:
        Database(tmp_path / "w", url, reach=Reach.NOTHING)
    assert refused.value.facts == {"found": NEWEST, "needed": newer.indexes}
    assert found(url) == NEWEST
    Database(tmp_path / "a", url).close()
    Database(tmp_path / "w", url, reach=Reach.NOTHING).close()


def test_an_older_process_works_on_what_was_added_to_and_not_on_what_was_taken_from(
    url: str, newer: Rehearsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was there before or starts now; a worker of its that begins tells of itself under the same lock."""
    later = migrating.NEWEST
    Database(tmp_path / "a", url).close()
    monkeypatch.setattr(migrating, "NEWEST", NEWEST)
    running = Database(tmp_path / "old", url)
    more: dict[str, Any] = {"environment": "test", "committer": "c", "roles": "worker", "version": "0.1.0"}
    with running.apart.connect() as connection, connection.begin():
        leases.begin(connection, worker="worker_1", seconds=10, **more)
    monkeypatch.setattr(migrating, "NEWEST", later)
    with pytest.raises(Refused, match="worker_1"):
        bring(tmp_path / "a", url, Reach.ALL)
    end(url)
    bring(tmp_path / "a", url, Reach.ALL)
    monkeypatch.setattr(migrating, "NEWEST", NEWEST)
    with (
        running.apart.connect() as connection,
        connection.begin(),
        pytest.raises(Fatal, match="newer version of Concord"),
    ):
        leases.begin(connection, worker="worker_2", seconds=10, **more)
    running.close()
    with pytest.raises(Fatal, match="newer version of Concord"):
        Database(tmp_path / "old", url)


def test_nobody_is_held_up_by_a_step_that_waits_for_a_table(url: str, newer: Rehearsed, tmp_path: Path) -> None:
    """It lets go of its place again and again, so that others write meanwhile; in the end it has its turn."""
    report, other = psycopg.connect(url), psycopg.connect(url, autocommit=True)
    report.execute("SELECT count(*) FROM runs")
    upgrade = threading.Thread(target=lambda: Database(tmp_path / "a", url).close())
    upgrade.start()
    longest = 0.0
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        began = time.monotonic()
        other.execute("UPDATE runs SET updated_at = 1")
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    assert upgrade.is_alive() and found(url) == NEWEST
    # It waited for the lock of the table, and others behind it for as long as its own wait lasted.
    assert 0.1 < longest < 2.0
    report.close()
    other.close()
    upgrade.join(30)
    assert found(url) == newer.indexes


def test_a_table_that_is_in_use_all_the_time_is_told_of(
    url: str, newer: Rehearsed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is done by half."""
    monkeypatch.setattr(upgrading, "PATIENCE", 0.2)
    monkeypatch.setattr(upgrading, "LOCK_TIMEOUT", "100ms")
    with psycopg.connect(url) as report:
        report.execute("SELECT count(*) FROM runs")
        with pytest.raises(RetryLater, match="in use all the time"):
            Database(tmp_path / "a", url)
    assert found(url) == NEWEST
    with looking_at(tmp_path, url) as connection:
        assert tables_of(connection).needed == newer.indexes


def test_an_index_that_was_broken_off_is_made_anew(url: str, newer: Rehearsed, tmp_path: Path) -> None:
    """One that the server left unusable counts for nothing; those of rows and of all are made as they were meant."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE INDEX ix_rehearsed_runs ON runs (environment, updated_at)")
        # A table in partitions: of the whole one only the word is there, and of its parts one, which is not usable.
        connection.execute("CREATE INDEX ix_rehearsed_events ON ONLY events (received_at) WHERE state = 'accepted'")
        connection.execute("CREATE INDEX ix_rehearsed_events_other ON events_other (received_at)")
        broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (%s::regclass, %s::regclass)"
        connection.execute(broken, ["ix_rehearsed_runs", "ix_rehearsed_events_other"])
    Database(tmp_path / "a", url).close()
    with psycopg.connect(url) as connection:
        made = connection.execute(
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON oid = indexrelid "
            "WHERE relname LIKE 'ix_rehearsed%' ORDER BY relname"
        ).fetchall()
        parts = connection.execute(
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass UNION ALL "
            "SELECT count(*) FROM pg_inherits WHERE inhparent = 'ix_rehearsed_events'::regclass"
        ).fetchall()
    assert all(usable for _, usable in made)
    assert [name for name, _ in made if not name.startswith("ix_rehearsed_events_")] == [
        "ix_rehearsed_events",
        "ix_rehearsed_runs",
    ]
    # Each month has its own, made as it was meant: the one that was not usable had no condition.
    assert parts[0] == parts[1] and parts[0][0] > 1 and len(made) == parts[0][0] + 2
    assert found(url) == newer.indexes


def test_of_several_that_start_at_once_one_does_it(url: str, newer: Rehearsed, tmp_path: Path) -> None:
    """The others wait for it, find it done, and none fails."""
    failed: list[BaseException] = []

    def start(name: str) -> None:
        try:
            Database(tmp_path / name, url).close()
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    with structlog.testing.capture_logs():
        threads = [threading.Thread(target=start, args=(f"hub-{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert failed == [] and found(url) == newer.indexes
