"""The whole suite on PostgreSQL: where `CONCORD_TEST_DATABASE` says so, each data directory is a database of a server.

One server is started for all processes of a run. A database is made of a migrated template and given from one test to
the next: emptying its tables takes a millisecond, and dropping a database makes the server write
everything to the disk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import psycopg
from sqlalchemy import make_url

from hub.cli import reach
from hub.proof.processes import Processes
from hub.proof.servers import postgres as server
from hub.proof.simulation import memory
from hub.store import (  # noqa: F401 - they declare tables
    account_tables,
    control_tables,
    outbox_tables,
    postgres,
    process_tables,
    thing_tables,
)
from hub.store.database import Database
from hub.store.migrating import NEWEST, Reach
from hub.store.tables import metadata

WANTED = os.environ.get("CONCORD_TEST_DATABASE", "sqlite") == "postgresql"
_TEMPLATE = "concord_template"
#: What every machine has: the order is the server's own.
_ORDER = "ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_EMPTY = "; ".join(
    (
        # All that is put together here are names of tables.
        *(f'DELETE FROM "{table.name}"' for table in reversed(metadata.sorted_tables)),  # noqa: S608
        f"UPDATE alembic_version SET version_num = '{NEWEST}'",  # noqa: S608
    )
)


@contextmanager
def serving() -> Iterator[str]:
    """Start a server with the template; gives its URL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="concord-tests-")))
        processes = stack.enter_context(Processes(folder / "logs"))
        room = stack.enter_context(server.room())
        settings = ("max_connections=500", "shared_buffers=256MB", "autovacuum_naptime=10s")
        url: str = processes.start("postgres", server.command(room, settings=settings)).hello["url"]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0 {_ORDER}")
        Database(folder / "template", named(url, _TEMPLATE)).close()
        yield url


def named(url: str, database: str) -> str:
    """Give the URL of another database of the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


class Databases:
    """The databases of one process of a test run, each for a data directory as long as that is in use."""

    def __init__(self, url: str, worker: str) -> None:
        """Take the server's URL, and a name that no other process has."""
        self._url = url
        self._worker = re.sub(r"\W", "_", worker)
        self._numbers = count()
        self._free: list[str] = []
        self._of: dict[Path, str] = {}
        self._open: dict[Path, int] = {}
        self._admin: dict[str, psycopg.Connection[Any]] = {}

    def url_of(self, directory: Path) -> str:
        """Give the URL of a directory's database; a directory that has none gets an empty one."""
        directory = directory.resolve()
        if directory not in self._of:
            self.take_back()
            self._of[directory] = self._free.pop() if self._free else self._made(_TEMPLATE)
        return named(self._url, self._of[directory])

    def has(self, directory: Path) -> bool:
        """Tell whether a directory has a database."""
        return directory.resolve() in self._of

    def share(self, directory: Path, other: Path) -> None:
        """Let another directory have the same database, as two machines would."""
        self.url_of(directory)
        self._of[other.resolve()] = self._of[directory.resolve()]

    def opened(self, directory: Path) -> None:
        """Take note that a directory's data is open once more."""
        self._open[directory.resolve()] = self._open.get(directory.resolve(), 0) + 1

    def closed(self, directory: Path) -> None:
        """Take note that it is closed."""
        self._open[directory.resolve()] -= 1

    def take_back(self, folder: Path | None = None) -> None:
        """Empty the databases of directories that are gone, or that lie in a folder nobody needs any more."""
        for directory, name in list(self._of.items()):
            ended = folder is not None and directory.is_relative_to(folder.resolve())
            # One that was never opened here is another process's, which makes it.
            gone = self._open.get(directory) == 0 and not directory.exists()
            if ended or gone:
                del self._of[directory]
                self._open.pop(directory, None)
                if name not in self._of.values():
                    self._empty(name)

    def bare(self) -> str:
        """Give the URL of a database without any table; it goes with the server."""
        return named(self._url, self._made("template0"))

    def close(self) -> None:
        """Close the connections by which databases were made and emptied; the server ends with all of them."""
        for connection in self._admin.values():
            connection.close()

    def _made(self, template: str) -> str:
        name = f"test_{self._worker}_{next(self._numbers)}"
        self._root().execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def _root(self) -> psycopg.Connection[Any]:
        return self._connected("postgres")

    def _connected(self, name: str) -> psycopg.Connection[Any]:
        if name not in self._admin:
            self._admin[name] = psycopg.connect(named(self._url, name), autocommit=True)
        return self._admin[name]

    def _empty(self, name: str) -> None:
        connection = self._connected(name)
        connection.execute(_OTHERS)
        connection.execute(_EMPTY)
        self._free.append(name)


_databases: Databases | None = None
_begin, _close, _assert_data = Database.__init__, Database.close, reach.assert_data


def databases() -> Databases:
    """Give the databases of this process."""
    assert _databases is not None, "the tests do not run on PostgreSQL"
    return _databases


def environ(directory: Path) -> dict[str, str]:
    """Give what a process of its own is started with, so that it finds a directory's data."""
    return {**os.environ, "CONCORD_DATABASE": databases().url_of(directory)} if WANTED else dict(os.environ)


def _begin_on_server(self: Database, directory: Path, url: str | None = None, *, reach: Reach = Reach.NEEDED) -> None:
    """Open a data directory as a database of the server."""
    _begin(self, directory, url or databases().url_of(directory), reach=reach)
    databases().opened(directory)


def _close_on_server(self: Database) -> None:
    _close(self)
    databases().closed(self.directory)


def _assert_data_on_server(data: Path, *, begins: bool = False) -> None:
    """Let commands find the data that a test has made in a directory."""
    if not databases().has(data):
        _assert_data(data, begins=begins)


class _InFile(Database):
    """A data directory with its file."""

    def __init__(self, directory: Path) -> None:
        """Open it."""
        _begin(self, directory)

    def close(self) -> None:
        """Close it."""
        _close(self)


def begin(url: str, worker: str) -> None:
    """Let every `Database` of this process be on the server; a commit does not wait for the disk."""
    global _databases  # noqa: PLW0603 - one server for a process, as there is one environment
    _databases = Databases(url, worker)
    # A machine that is busy with other tests stands still for longer than a hub may.
    slow = {"synchronous_commit": "off", "idle_in_transaction_session_timeout": "60s"}
    postgres.WRITER = MappingProxyType({**postgres.WRITER, **slow})
    Database.__init__ = _begin_on_server  # type: ignore[method-assign]
    Database.close = _close_on_server  # type: ignore[method-assign]
    # The simulation has its data in memory, whatever the suite has.
    memory.Database = _InFile  # type: ignore[assignment, attr-defined]
    reach.assert_data = _assert_data_on_server
