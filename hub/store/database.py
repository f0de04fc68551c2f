"""The database of a hub: a file of SQLite in the data directory, or PostgreSQL where a URL says so.

Everybody else works with what is the same in both: statements of SQLAlchemy, and those of `hub/store/statements.py`.
What is SQLite's own stands in `hub/store/sqlite.py`, what is PostgreSQL's own in `hub/store/postgres.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import DatabaseAway
from hub.store import sqlite
from hub.store.copying import sync
from hub.store.migrating import Reach


class Home(Protocol):
    """Where the data is: an engine whose one connection writes, and one whose connections cannot."""

    writer: Engine
    reader: Engine

    def begin_reading(self, connection: Connection) -> None:
        """Let a reader's connection see one state from here on."""

    def close(self) -> None:
        """Close everything."""


@runtime_checkable
class Shared(Protocol):
    """Data that several processes have at a time."""

    apart: Engine


class Database:
    """A hub's data: who writes goes through `writer`, who reads through `looking` or `reading`.

    The data directory holds what is not in tables: signed heads of the audit log, the address of a serving hub, and
    the database itself where that is a file.
    """

    #: `sqlite` or `postgresql`.
    dialect: str
    writer: Engine
    reader: Engine
    #: Until when nobody asks for a database that was away (monotonic seconds).
    _away_until = 0.0

    def __init__(self, directory: Path, url: str | None = None, *, reach: Reach = Reach.NEEDED) -> None:
        """Open the data, bring it to the tables that this version needs, and check what durability rests on.

        Without a `url` it is a file in the directory, which then belongs to this process alone (`Conflict` while
        another one has it), and always comes to the newest tables; `reach` says how far a server's database is brought.
        Raises `Refused` for a place that cannot be used, `RetryLater` for a server that does not answer, and `Fatal`
        for damage and for settings that would lose what was acknowledged.
        """
        if not directory.exists():
            directory.mkdir(parents=True, mode=0o700)
            # Files in it are on the disk only when the folder itself is.
            sync(directory.parent)
        self.directory = directory
        self._looking: Connection | None = None
        #: What is closed before the data is, such as a replica.
        self.beside: list[Callable[[], None]] = []
        self._home = _opened(directory, url, reach)
        self.writer, self.reader = self._home.writer, self._home.reader
        self.dialect = self.writer.dialect.name

    @property
    def looking(self) -> Connection:
        """Give the one connection for look-ups of the event loop; each statement sees the last committed state.

        It stays open, because opening one costs more than the look-up itself. Only one thread may use it.
        """
        if self._looking is not None and self._looking.invalidated:
            # The server has gone away meanwhile, and may be there again.
            self._looking.close()
            self._looking = None
        if self._looking is None:
            self._looking = self._reached().execution_options(isolation_level="AUTOCOMMIT", reads=True)
        return self._looking

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees the last committed state, the same with every statement, and cannot write."""
        with self._reached().execution_options(reads=True) as connection:
            self._home.begin_reading(connection)
            yield connection

    def _reached(self) -> Connection:
        """Give a reader's connection; a database that is away is asked only now and then, so that nobody waits."""
        if time.monotonic() < self._away_until:
            raise DatabaseAway("The database cannot be read just now.", after=_AWAY_SECONDS)
        try:
            return self.reader.connect()
        except DatabaseAway:
            self._away_until = time.monotonic() + _AWAY_SECONDS
            raise

    @property
    def apart(self) -> Engine:
        """Give an engine whose connections neither changes nor readers use; only where processes share the data."""
        assert isinstance(self._home, Shared)
        return self._home.apart

    def close(self) -> None:
        """Close everything and give the data free."""
        while self.beside:
            self.beside.pop()()
        if self._looking is not None:
            self._looking.close()
        self._home.close()


def _opened(directory: Path, url: str | None, reach: Reach) -> Home:
    if url is None:
        return sqlite.File(directory)
    # Its driver is installed only where it is used.
    from hub.store import postgres  # noqa: PLC0415

    return postgres.Server(directory, url, reach)


def is_full(error: SQLAlchemyError) -> bool:
    """Tell whether a commit failed because the disk is full: it is then rolled back whole."""
    return sqlite.is_full(error) or getattr(getattr(error, "orig", None), "sqlstate", None) == _DISK_FULL


#: So long nobody asks again for a database that was away (seconds).
_AWAY_SECONDS = 1.0
#: PostgreSQL's word for it.
_DISK_FULL = "53100"
