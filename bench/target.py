"""The target of the measurements: answers every POST after five milliseconds, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop
from aiohttp import web

SECONDS = 0.005


async def _serve() -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(SECONDS)
        return web.Response(body=b'{"id":"doc_1"}', content_type="application/json")

    app = web.Application()
    app.router.add_post("/documents", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # Hundreds connect at once: with a shorter queue some of them would try again only after a second.
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
    await site.start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    # It ends with the measuring process: when nobody holds the other end of stdin any more.
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def running() -> Iterator[str]:
    """Start the target; gives its address, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.target"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)


if __name__ == "__main__":
    uvloop.run(_serve())
