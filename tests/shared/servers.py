"""A PostgreSQL of the tests' own, which is stopped and started as they like."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from hub.proof.processes import Child, Processes
from hub.proof.servers import postgres
from hub.proof.servers.supervising import accepts, free_port
from hub.proof.servers.way import Cut, Way
from hub.store.database import Database

__all__ = ["Cut", "Server", "Way", "until"]

_TEMPLATE = "concord_template"


class Server:
    """One server with a migrated template; `database` makes a database of it."""

    def __init__(self, processes: Processes, room: Path, folder: Path) -> None:
        """Start it on a port that it keeps."""
        self._processes = processes
        self._room = room
        self._number = 0
        self.port = free_port()
        self._child: Child = self._start()
        self.url: str = self._child.hello["url"]
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.utf8'")
        Database(folder, self.of(_TEMPLATE)).close()

    def database(self) -> str:
        """Make a database with empty tables; gives its URL."""
        self._number += 1
        name = f"test_{self._number}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self.of(name)

    def of(self, name: str, port: int | None = None) -> str:
        """Give the URL of a database, as it is reached on another port."""
        url = make_url(self.url).set(database=name)
        return (url if port is None else url.set(port=port)).render_as_string(hide_password=False)

    def kill(self) -> None:
        """Let it end at once, as with the power; returns when nobody listens any more."""
        pid = self._child.hello["pid"]
        # Its other processes see that the first one is gone, and end; a new one waits for them.
        os.kill(pid, signal.SIGKILL)
        self._child.process.wait(20)
        self._child.stop()
        while accepts(self.port):
            time.sleep(0.02)

    def stop(self) -> None:
        """Let it end in order, with open transactions given up."""
        self._child.stop(20)

    def start(self) -> None:
        """Start it again."""
        self._child = self._start()

    def _start(self) -> Child:
        return self._processes.start("postgres", postgres.command(self._room, port=self.port))


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
