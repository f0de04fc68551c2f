"""A PostgreSQL of the tests' own, which is stopped and started as they like, and a way to it that breaks."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from hub.proof.processes import Child, Processes
from hub.proof.servers import postgres
from hub.proof.servers.supervising import accepts, free_port
from hub.store.database import Database

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


class Cut(StrEnum):
    """What a way does at the next commit: the commit gets lost, or its answer, or it comes when nobody waits for it."""

    BEFORE = "before"
    AFTER = "after"
    AT_ONCE = "at_once"
    LATE = "late"


class Way:
    """A way to the server over a port of its own: each connection is passed on until it is cut."""

    def __init__(self, port: int) -> None:
        """Listen, and pass on to a port."""
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._next: Cut | None = None
        self._for_good = False
        self._closed = False
        self.refuses = False
        self.cut = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def cut_at_commit(self, how: Cut, *, for_good: bool = False) -> None:
        """Break the next connection that commits; `for_good`, nobody gets through from then on until `unblock`."""
        self._for_good = for_good
        self._next = how

    def block(self) -> None:
        """Break everything, and let nobody through until `unblock`."""
        self.refuses = True
        for pair in self._pairs:
            _shut(*pair)
        self._pairs.clear()

    def unblock(self) -> None:
        """Let everybody through."""
        self.refuses = False

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        self._listening.close()
        self.block()

    def _serve(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                client.close()
                continue
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((client, server))
            threading.Thread(target=self._pass, args=(client, server), daemon=True).start()

    def _pass(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for each in ready:
                    data = each.recv(1 << 16)
                    if not data:
                        _shut(client, server)
                        return
                    if each is client and self._next is not None and b"COMMIT\0" in data:
                        how, self._next = self._next, None
                        self.refuses = self._for_good
                        self.cut += 1
                        self._break(client, server, data, how)
                        return
                    (server if each is client else client).sendall(data)
        _shut(client, server)

    def _break(self, client: socket.socket, server: socket.socket, data: bytes, how: Cut) -> None:
        match how:
            case Cut.BEFORE:
                pass
            case Cut.AFTER:
                server.sendall(data)
                # What it answers says that it is durable, and nobody hears it.
                server.recv(1 << 16)
            case Cut.AT_ONCE:
                server.sendall(data)
            case Cut.LATE:
                _shut(client)
                time.sleep(0.3)
                server.sendall(data)
                server.recv(1 << 16)
        _shut(client, server)


def _shut(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
