"""Vendors' sandboxes inside a simulation: their real applications on the virtual clock, spoken to without sockets."""

from __future__ import annotations

import asyncio
import http.client
import io
from collections.abc import Mapping, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from hub.errors import OutcomeUnknown
from hub.model.exchange import Request, Response
from hub.proof.sandboxes import CONNECTORS
from hub.proof.simulation.clock import BEGINNING
from hub.sandbox.clock import Clock
from hub.sandbox.main import find
from hub.sandbox.middleware import gate
from hub.sandbox.world import Post, World


class LoopClock(Clock):
    """A sandbox's clock that shows the loop's own time; it never leaps, whatever the hub's machine shows."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin where the loop does."""
        super().__init__()
        self._loop = loop

    def now(self) -> datetime:
        """Give the time as an aware UTC datetime."""
        return BEGINNING + timedelta(seconds=self._loop.time()) + self._ahead

    def timestamp(self) -> int:
        """Give the time in whole seconds since 1970."""
        return int(self.now().timestamp())

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""
        return self._loop.time() + self._ahead.total_seconds()


class Line(asyncio.Transport):
    """The server's end of a connection that exists in memory alone; `closed` is done with all that was written."""

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        """Connect."""
        super().__init__()
        self._loop = loop
        self._protocol = protocol
        self._written = bytearray()
        self._closing = False
        self.closed: asyncio.Future[bytes | None] = loop.create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what the server answers."""
        self._written += data

    def is_closing(self) -> bool:
        """Tell whether the connection has ended, or is about to."""
        return self._closing

    def close(self) -> None:
        """End in order: what was written arrives."""
        self._end(bytes(self._written))

    def abort(self) -> None:
        """Break: nothing arrives."""
        self._end(None)

    def _end(self, arrived: bytes | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._loop.call_soon(self._protocol.connection_lost, None)
        if not self.closed.done():
            self.closed.set_result(arrived)

    def pause_reading(self) -> None:
        """Nothing more comes."""

    def resume_reading(self) -> None:
        """Nothing more comes."""

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Keep the one protocol."""

    def get_write_buffer_size(self) -> int:
        """Give 0: everything written has gone."""
        return 0


async def nobody(_url: str, _headers: Mapping[str, str], _body: bytes, _seconds: float) -> int | None:
    """Take no message: the hub reads this vendor by its streams. No way out into the world is opened."""
    return None


class Sandboxed:
    """One vendor's sandbox, open as long as the trial."""

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, *, seed: int, post: Post | None = None) -> None:
        """Build the vendor's application as the kit does, on the loop's clock; `post` delivers its webhooks, if any."""
        sandbox = find(CONNECTORS.get(name, name))
        self.name = name
        self.host = f"{name}.sandbox"
        self.world = World(name=name, seed=seed, fault_kinds=sandbox.fault_kinds, clock=LoopClock(loop))
        self.world.post = nobody if post is None else post
        self.world.url = f"https://{self.host}"
        self._loop = loop
        application = sandbox.build(self.world)
        application.middlewares.insert(0, gate(self.world, sandbox.render))
        self._runner = web.AppRunner(application, access_log=None)

    async def open(self) -> Mapping[str, Any]:
        """Start the application; gives what a client must know."""
        await self._runner.setup()
        return self.world.books.announce()

    async def seed(self, wish: Mapping[str, Any]) -> Any:
        """Create what is wished for."""
        return await self.world.books.seed(wish)

    def books(self) -> Mapping[str, Any]:
        """Give everything that the vendor accepted."""
        return self.world.books.snapshot()

    def requests(self) -> Sequence[Mapping[str, Any]]:
        """Give the request log, oldest first."""
        return [entry.to_json() for entry in self.world.requests.since(0)]

    async def answer(self, request: Request, headers: Mapping[str, str] | None = None) -> Response:
        """Have a request served; raises `OutcomeUnknown` when the connection breaks."""
        server = self._runner.server
        assert server is not None
        protocol = server()
        line = Line(self._loop, protocol)
        # What the vendor does for it and plans for later is no part of the process that asks, and outlives it.
        own = Context()
        own.run(protocol.connection_made, line)
        own.run(protocol.data_received, _wire(request, headers or {}))
        arrived = await line.closed
        if arrived is None:
            raise OutcomeUnknown("The connection broke.", code="connection-broken")
        return _read(arrived, request.method)


def _wire(request: Request, headers: Mapping[str, str]) -> bytes:
    url = urlsplit(request.url)
    target = url.path + (f"?{url.query}" if url.query else "")
    told = {
        "host": url.netloc,
        "connection": "close",
        "content-length": str(len(request.body)),
        **{name.lower(): value for name, value in {**request.headers, **headers}.items()},
    }
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items()), "", ""]
    return "\r\n".join(lines).encode() + request.body


class _Arrived:
    """What the standard library takes for a socket: the bytes that have arrived."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _read(data: bytes, method: str) -> Response:
    answer = http.client.HTTPResponse(_Arrived(data), method=method)  # type: ignore[arg-type]
    try:
        answer.begin()
        body = answer.read()
    except (http.client.HTTPException, OSError) as error:
        raise OutcomeUnknown("The answer cannot be read.", code="connection-broken") from error
    return Response(
        status=answer.status, headers={name.lower(): value for name, value in answer.getheaders()}, body=body
    )
