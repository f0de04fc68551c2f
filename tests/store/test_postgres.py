"""Data on a server of PostgreSQL: what a start asks for, what it says, and what its sessions may do."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import DBAPIError

from hub.audit.kinds import AuditKind
from hub.connections.keys import VaultKey
from hub.connections.signing_key import signing_key
from hub.errors import DatabaseAway, Fatal, HubError, Refused, RetryLater
from hub.operate.sealing import Sealer
from hub.proof.servers.supervising import free_port
from hub.runtime.clock import system_ambient
from hub.store import postgres as stored
from hub.store.audit import Note
from hub.store.committer import Committer, Work
from hub.store.database import Database
from tests import postgres

pytestmark = pytest.mark.processes


@pytest.fixture
def url(databases: postgres.Databases) -> str:
    """Give a database without tables."""
    return databases.bare()


def opened(directory: Path, url: str) -> HubError:
    """Open it, and give what is said against it."""
    with pytest.raises(HubError) as refused:
        Database(directory, url)
    return refused.value


def change(url: str, statement: str) -> None:
    """Change something as another program would."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_every_text_is_compared_by_its_bytes(tmp_path: Path, url: str) -> None:
    """Whatever the country of the database: order and ranges of names rest on it."""
    Database(tmp_path, url).close()
    with psycopg.connect(url) as connection:
        found = connection.execute(
            "SELECT collation_name, count(*) FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version' GROUP BY 1"
        ).fetchall()
    assert [name for name, _number in found] == ["C"]
    assert found[0][1] > 200


def test_several_that_start_together_make_the_tables_once(tmp_path: Path, url: str) -> None:
    """One makes them; the others wait for it, and find them made."""
    said: list[str] = []

    def start() -> None:
        try:
            Database(tmp_path, url).close()
        except HubError as error:
            said.append(str(error))

    starts = [threading.Thread(target=start) for _ in range(3)]
    for each in starts:
        each.start()
    for each in starts:
        each.join(60)
    assert said == []
    database = Database(tmp_path, url)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM counters")).scalar() == 0
    database.close()


def test_who_reads_sees_one_state_and_cannot_write(tmp_path: Path, url: str) -> None:
    """A look-up sees what was committed last, each time."""
    database = Database(tmp_path, url)
    asked = text("SELECT value FROM counters WHERE name = 'x'")

    def count(value: int) -> None:
        with database.writer.begin() as connection:
            connection.execute(text("DELETE FROM counters"))
            connection.execute(text("INSERT INTO counters VALUES ('x', :value)"), {"value": value})

    count(1)
    with database.reading() as connection:
        assert connection.execute(asked).scalar() == 1
        count(2)
        assert (connection.execute(asked).scalar(), database.looking.execute(asked).scalar()) == (1, 2)
        with pytest.raises(DBAPIError, match="read-only"):
            connection.execute(text("DELETE FROM counters"))
    with pytest.raises(DBAPIError, match="read-only"):
        database.looking.execute(text("DELETE FROM counters"))
    count(3)
    assert database.looking.execute(asked).scalar() == 3
    database.close()


def test_a_look_up_goes_on_when_the_server_is_back(tmp_path: Path, url: str) -> None:
    """One that meets the end of a connection is told so; the next one has another."""
    database = Database(tmp_path, url)

    def pid(connection: Connection) -> int:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())

    first = pid(database.looking)
    with database.reading() as connection:
        second = pid(connection)
    for each in (first, second):
        change(url, f"SELECT pg_terminate_backend({each})")
    with pytest.raises(DatabaseAway):
        pid(database.looking)
    assert pid(database.looking) != first
    with database.reading() as connection:
        assert pid(connection) != second
    database.close()


def test_what_a_thread_still_reads_with_is_closed_when_it_is_given_back(tmp_path: Path, url: str) -> None:
    """A hub that ends leaves no session behind."""
    database = Database(tmp_path, url)
    with database.reading() as connection:
        own = connection.connection.dbapi_connection
        assert isinstance(own, psycopg.Connection)
        connection.execute(text("SELECT 1"))
        database.close()
        assert not own.closed
    assert own.closed


def test_who_stands_still_in_a_transaction_gives_it_up(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go on; whoever stood still is told that nothing of it counts."""
    monkeypatch.setattr(stored, "WRITER", {**stored.WRITER, "idle_in_transaction_session_timeout": "100ms"})
    database = Database(tmp_path, url)
    with database.writer.connect() as stopped:
        stopped.execute(text("LOCK TABLE counters"))
        with database.writer.begin() as other:
            began = time.monotonic()
            other.execute(text("INSERT INTO counters VALUES ('x', 1)"))
            assert time.monotonic() - began < 5
        with pytest.raises(DBAPIError) as lost:
            stopped.execute(text("SELECT 1"))
        assert lost.value.connection_invalidated
    database.close()


@pytest.mark.parametrize("setting", [each[0] for each in stored._DURABLE])
def test_a_server_that_would_lose_what_was_acknowledged_is_refused(
    tmp_path: Path, url: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is changed; the setting is named."""
    turned = [(name, "other" if name == setting else wanted, why) for name, wanted, why in stored._DURABLE]
    monkeypatch.setattr(stored, "_DURABLE", turned)
    error = opened(tmp_path, url)
    assert isinstance(error, Fatal)
    assert (error.code, error.facts["setting"]) == ("database-settings", setting)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('counters')").fetchone() == (None,)


def test_what_no_hub_can_use_is_refused(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too old a server, and a database that does not keep every character."""
    monkeypatch.setattr(stored, "OLDEST", 990000)
    old = opened(tmp_path, url)
    assert (old.code, old.facts["needed"]) == ("database-too-old", 99)
    monkeypatch.undo()
    name = f"{url.rpartition('/')[2]}_ascii"
    change(url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    error = opened(tmp_path, postgres.named(url, name))
    assert isinstance(error, Refused)
    assert (error.code, error.facts["found"]) == ("database-encoding", "SQL_ASCII")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hidden@127.0.0.1/hub",
        "postgresql://me:hid@den@127.0.0.1/hub",
        "postgresql://me:hidden/x@127.0.0.1/hub",
        "postgresql://me:hidden%zz@127.0.0.1/hub",
        "postgresql://me:hidden@127.0.0.1/hub?passwort=hidden",
    ],
)
def test_a_url_that_cannot_be_read_is_told_without_a_word_of_it(tmp_path: Path, url: str) -> None:
    """Whatever of it was meant as the password."""
    error = opened(tmp_path, url)
    assert isinstance(error, Refused)
    assert error.code == "database-url"
    assert not any(word in str(error) + repr(error) for word in ("hidden", "hid@den", "den@"))


def test_a_server_that_does_not_answer_is_named_without_the_password(tmp_path: Path, url: str) -> None:
    """As is one that does not let the hub in."""
    nobody = f"postgresql://me:sesame@127.0.0.1:{free_port()}/hub"
    wrong = url.replace(url.split(":")[2].split("@", maxsplit=1)[0], "sesame")
    for place in (nobody, wrong):
        error = opened(tmp_path, place)
        assert isinstance(error, RetryLater)
        assert error.code == "database-away"
        assert "sesame" not in str(error) + repr(error)
        assert f"@127.0.0.1:{place.rpartition(':')[2].partition('/')[0]}/" in str(error.facts["database"])


def test_a_user_that_may_make_no_tables_is_told_so(tmp_path: Path, url: str) -> None:
    """In the server's words, which name what is missing."""
    guest = f"{url.rpartition('/')[2]}_guest"
    change(url, f"CREATE ROLE {guest} LOGIN PASSWORD 'sesame'")
    place = make_url(url).set(username=guest, password="sesame").render_as_string(hide_password=False)
    error = opened(tmp_path, place)
    assert isinstance(error, Refused)
    assert (error.code, error.facts["reason"]) == ("database-refused", "permission denied for schema public")
    assert "sesame" not in str(error)


async def test_another_database_than_before_is_refused(tmp_path: Path, databases: postgres.Databases, url: str) -> None:
    """The signed heads beside it say what was vouched for; an empty database, or an older one, has less."""
    first, empty = databases.bare(), databases.bare()
    older = Database(tmp_path / "other", url)
    database = Database(tmp_path, first)
    committer = Committer(database, system_ambient(1))
    committer.start()
    note = Note(kind=AuditKind.RUN_SUCCEEDED, actor="worker_1", subjects={"run": "run_1"})
    await committer.commit(Work(lambda tx: tx.entries.append(note)))
    key = signing_key(VaultKey(material=bytes(range(32)), source="test"))
    Sealer(database=database, ambient=system_ambient(1), key_id=key.id, signer=key.sign).seal()
    await committer.stop()
    database.close()
    older.close()
    assert opened(tmp_path, url).code == "end-missing"
    assert opened(tmp_path, empty).code == "database-missing"
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('counters')").fetchone() == (None,)
    Database(tmp_path, first).close()


def test_a_url_is_shown_without_its_password() -> None:
    """Host, port, database and user are what people compare."""
    shown: Mapping[str, str] = {
        "postgresql://me:secret@db.example:5433/hub?sslmode=require": "postgresql://me@db.example:5433/hub",
        "postgresql://db.example/hub": "postgresql://db.example:5432/hub",
        "postgresql://me@one:5432,two:5433/hub": "postgresql://me@one,two:5432,5433/hub",
    }
    assert {each: stored.shown(each) for each in shown} == shown
