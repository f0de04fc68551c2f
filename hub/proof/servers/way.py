"""A way to a server that breaks, or lets nothing through: a proxy, where the network itself cannot be cut."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from enum import StrEnum


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
        #: So often something was sent behind an answer, or first: each time somebody waits for the way there and back.
        self.trips = 0
        #: Set while what comes is passed on.
        self._passes = threading.Event()
        self._passes.set()
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

    def hold(self) -> None:
        """Pass nothing on, either way, and close nothing: whoever waits is not told."""
        self._passes.clear()

    def let_go(self) -> None:
        """Pass on again, first what has come meanwhile."""
        self._passes.set()

    def close(self) -> None:
        """Listen no more."""
        self._passes.set()
        self._closed = True
        self._listening.close()
        self.block()

    def _serve(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._passes.wait()
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
        last = server
        with contextlib.suppress(OSError, ValueError):
            while True:
                ready, _, _ = select.select([client, server], [], [])
                self._passes.wait()
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
                    self.trips += each is client and last is server
                    last = each
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
