"""The target of the measurements: answers every POST after five milliseconds, in a process of its own.

Its first argument says otherwise: a number of seconds.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager

import uvloop
from aiohttp import web

from bench import aside

SECONDS = 0.005


async def _serve(seconds: float) -> None:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(seconds)
        return web.Response(body=b'{"id":"doc_1"}', content_type="application/json")

    app = web.Application()
    app.router.add_post("/documents", answer)
    await aside.serve(app)


def running() -> AbstractContextManager[str]:
    """Start the target; gives its address, and ends it."""
    return aside.running("bench.target")


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
