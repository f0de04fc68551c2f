"""Data in a file of SQLite: settings that durability rests on are set and read back, and one process owns a file."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool, StaticPool

from hub.errors import Conflict, Fatal, Refused
from hub.store import damage, heads, machine, migrating
from hub.store.migrating import Reach

FILE_NAME = "concord.db"
#: The folder in which a restore puts files together; it is there only until they are complete.
RESTORING = "restoring"
LOCK_NAME = "hub.lock"


class File:
    """One SQLite file in a data directory: a single writing connection, and a small pool that only reads.

    SQLite 3.7.0 to 3.51.2 can corrupt a write-ahead log that several connections checkpoint, so exactly one
    connection writes and checkpoints, and a second process on the same file is refused.
    """

    def __init__(self, directory: Path) -> None:
        """Lock the directory, look for damage, bring the file to the newest schema, and check its settings."""
        self._directory = directory
        self._path = directory / FILE_NAME
        self._lock = _lock(directory)
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        _assert_local(self._directory)
        _assert_complete(self._directory)
        damage.look(self._path)
        # SQLite gives a new file, and the log beside it, to be read by everybody.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.writer: Engine = create_engine(
            f"sqlite:///{self._path}",
            poolclass=StaticPool,
            connect_args={"check_same_thread": False, "cached_statements": 1000},
        )
        event.listen(self.writer, "connect", _prepare_writer)
        event.listen(self.writer, "begin", _begin_immediate)
        try:
            with self.writer.connect() as connection:
                _migrate(connection)
            with self.writer.connect() as connection:
                _assert_settings(connection)
                damage.check_end(connection, self._directory)
        except BaseException:
            self.writer.dispose()
            raise
        self.reader: Engine = create_engine(
            f"sqlite:///file:{self._path}?mode=ro&uri=true",
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=4,
            connect_args={"check_same_thread": False},
        )
        event.listen(self.reader, "connect", _prepare_reader)

    def begin_reading(self, connection: Connection) -> None:
        """Begin a transaction: from here on the connection sees one state."""
        connection.exec_driver_sql("BEGIN")

    def close(self) -> None:
        """Close everything and give the directory free."""
        self.reader.dispose()
        self.writer.dispose()
        os.close(self._lock)


def is_full(error: SQLAlchemyError) -> bool:
    """Tell whether a commit failed because the disk is full: SQLite then rolls it back whole."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF == sqlite3.SQLITE_FULL


@contextmanager
def owning(directory: Path) -> Iterator[None]:
    """Keep every hub from a data directory while its files are read or put in place; `Conflict` while one uses it."""
    handle = _lock(directory)
    try:
        yield
    finally:
        os.close(handle)


def _lock(directory: Path) -> int:
    handle = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise Conflict(
            "Another hub process is using this data directory; stop it or choose another with --data. Several "
            "processes work together where they share a PostgreSQL database, which --database names: see "
            "docs/scaling.md.",
            code="data-in-use",
            directory=str(directory),
        ) from None
    return handle


def _assert_local(directory: Path) -> None:
    kind = machine.file_system(directory)
    if machine.is_network(kind):
        raise Refused(
            "The data directory lies on a network file system, where locks and syncs do not hold; "
            "put it on a local disk.",
            code="network-file-system",
            directory=str(directory),
            kind=kind,
        )


def _assert_complete(directory: Path) -> None:
    """Refuse to begin an empty database where there should be one."""
    if (directory / FILE_NAME).exists():
        return
    if (directory / RESTORING).exists():
        raise Fatal(
            "A restore into this data directory was broken off. Run `concord restore` again.",
            code="restore-unfinished",
            directory=str(directory),
        )
    if heads.last(directory) is not None:
        raise Fatal(
            f"The database is gone, and signed heads of its audit log are there. {damage.WHAT_TO_DO}",
            code="database-missing",
            directory=str(directory),
        )


def _prepare_writer(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for statement in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA busy_timeout=5000",
        "PRAGMA trusted_schema=OFF",
        "PRAGMA mmap_size=0",
        "PRAGMA cache_size=-65536",
        "PRAGMA temp_store=MEMORY",
        "PRAGMA wal_autocheckpoint=4000",
    ):
        connection.execute(statement)


def _prepare_reader(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None
    for statement in ("PRAGMA query_only=ON", "PRAGMA busy_timeout=5000", "PRAGMA wal_autocheckpoint=0"):
        connection.execute(statement)


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _migrate(connection: Connection) -> None:
    with connection.begin():
        stands = migrating.standing(connection)
    migrating.assert_workable(stands)
    # Nobody else works on the file, so that what adds and what takes away is done at once.
    if migrating.outstanding(stands.found, Reach.ALL):
        migrating.upgrade(connection)


def _assert_settings(connection: Connection) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    for name, value in wanted.items():
        found = connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        if found != value:
            raise Fatal(
                "The database does not keep a setting that durability needs.", setting=name, wanted=value, found=found
            )
