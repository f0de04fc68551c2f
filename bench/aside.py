"""Something to speak to in a process of its own, so that its work is not counted as the hub's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web


async def serve(app: web.Application) -> None:
    """Serve an application on any port, tell its address on stdout, and end when stdin does."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # Hundreds connect at once: with a shorter queue some of them would try again only after a second.
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    # It ends with the measuring process: when nobody holds the other end of stdin any more.
    await asyncio.to_thread(sys.stdin.read)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A process that serves: its address and its number."""

    url: str
    pid: int


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Aside]:
    """Start a module that serves; gives it, and ends it."""
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Aside(url=process.stdout.readline().strip(), pid=process.pid)
    finally:
        process.stdin.close()
        process.wait(timeout=10)


@contextmanager
def running(module: str) -> Iterator[str]:
    """Start a module that serves; gives its address, and ends it."""
    with started(module) as found:
        yield found.url
