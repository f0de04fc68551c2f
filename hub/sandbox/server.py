"""Runs one sandbox: the vendor's application on one port, the control API on another."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from hub.sandbox.certificates import client_file, issue
from hub.sandbox.control import control_application
from hub.sandbox.exact_json import dumps
from hub.sandbox.middleware import gate
from hub.sandbox.problem import Problem, plain_problem
from hub.sandbox.world import World

#: The longest address that is read at all, in bytes; vendors have limits of their own below it.
LONGEST_LINE = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """One vendor's sandbox as its package declares it.

    `build(world)` sets `world.books` and gives the vendor's application; `render` puts 429, 500 and 503 into the
    vendor's words; `fault_kinds` are the faults that the vendor's own code asks for with `world.faults.hit`.
    """

    name: str
    build: Callable[[World], web.Application]
    render: Callable[[Problem], web.Response] = plain_problem
    fault_kinds: frozenset[str] = frozenset()
    #: Common names of those who may sign in with a certificate over https.
    clients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Where and how a sandbox listens; port 0 takes a free one."""

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int = 0
    tls: bool = False
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A sandbox that serves; `announcement` is what a client must know, as one JSON object."""

    world: World
    announcement: Mapping[str, Any]

    @property
    def url(self) -> str:
        """Give the vendor's base URL without a trailing slash."""
        return str(self.announcement["url"])

    @property
    def control_url(self) -> str:
        """Give the control API's base URL without a trailing slash; its paths begin with `/_control/`."""
        return str(self.announcement["control_url"])


@asynccontextmanager
async def running(sandbox: Sandbox, options: Options | None = None) -> AsyncIterator[Running]:
    """Serve a sandbox in this event loop until the block ends."""
    chosen = options or Options()
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        context: ssl.SSLContext | None = None
        authority: Path | None = None
        if chosen.tls:
            context, authority = issue(Path(folder), chosen.host, clients=sandbox.clients)
        world = World(name=sandbox.name, seed=chosen.seed, fault_kinds=sandbox.fault_kinds)
        application = sandbox.build(world)
        application.middlewares.insert(0, gate(world, sandbox.render))
        vendor = web.AppRunner(application, access_log=None, shutdown_timeout=0.5, max_line_size=LONGEST_LINE)
        control = web.AppRunner(control_application(world), access_log=None, shutdown_timeout=0.5)
        try:
            await vendor.setup()
            await control.setup()
            port = await _listen(vendor, chosen.host, chosen.port, context)
            control_port = await _listen(control, chosen.host, chosen.control_port, None)
            world.url = f"{'https' if context else 'http'}://{chosen.host}:{port}"
            announcement: dict[str, Any] = {
                "name": sandbox.name,
                "url": world.url,
                "control_url": f"http://{chosen.host}:{control_port}",
                "pid": os.getpid(),
                **({"ca_file": str(authority)} if authority else {}),
                **({"client_files": _client_files(sandbox, Path(folder))} if authority and sandbox.clients else {}),
                **world.books.announce(),
            }
            yield Running(world=world, announcement=announcement)
        finally:
            await vendor.cleanup()
            await control.cleanup()


async def serve_forever(sandbox: Sandbox, options: Options) -> None:
    """Serve until SIGTERM or SIGINT, after one JSON line on stdout that tells the addresses."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(sandbox, options) as served:
        sys.stdout.write(dumps(served.announcement).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def _client_files(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    return {name: str(client_file(folder, name)) for name in sandbox.clients}


async def _listen(runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext | None) -> int:
    site = web.TCPSite(runner, host, port, ssl_context=context, backlog=1024)
    await site.start()
    return int(runner.addresses[-1][1])
