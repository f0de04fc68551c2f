"""A vendor that counts what arrives: each request the moment it is there, and how many are being worked on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from aiohttp import web

from hub.sdk import exact_json

#: Seconds that each part of the vendor takes for a request; what is not named takes five milliseconds.
TAKES: Mapping[str, float] = {"places": 0.4, "minute": 0.05, "slow": 20.0}


@dataclass(slots=True)
class Part:
    """One part of the vendor, as an account of its own."""

    arrivals: list[float] = field(default_factory=list)
    in_flight: int = 0
    highest: int = 0
    busy: float = 0.0
    since: float = 0.0

    def change(self, by: int) -> None:
        """Count one more or one less that is being worked on."""
        now = time.monotonic()
        self.busy += self.in_flight * (now - self.since)
        self.since = now
        self.in_flight += by
        self.highest = max(self.highest, self.in_flight)


async def _serve() -> None:
    parts: dict[str, Part] = {}

    async def answer(request: web.Request) -> web.Response:
        name = request.match_info["part"]
        part = parts.setdefault(name, Part(since=time.monotonic()))
        part.arrivals.append(time.monotonic())
        part.change(1)
        try:
            await request.read()
            await asyncio.sleep(TAKES.get(name, 0.005))
        finally:
            part.change(-1)
        return web.Response(body=b'{"id":"doc_1"}', content_type="application/json")

    async def measured(request: web.Request) -> web.Response:
        part = parts.get(request.match_info["part"], Part())
        part.change(0)
        body = {
            "arrivals": [str(at) for at in part.arrivals],
            "highest": part.highest,
            "busy": str(part.busy),
            "now": str(part.since),
        }
        return web.Response(body=exact_json.dumps(body), content_type="application/json")

    app = web.Application()
    app.router.add_post("/{part}/documents", answer)
    app.router.add_get("/{part}/measured", measured)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"http://127.0.0.1:{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    # It ends with the measuring process: when nobody holds the other end of stdin any more.
    await asyncio.to_thread(sys.stdin.read)


@contextmanager
def running() -> Iterator[str]:
    """Start the vendor in a process of its own; gives its address, and ends it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.counter"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=10)


def most_within(arrivals: Sequence[float], seconds: float) -> int:
    """Count the most arrivals in any window that long; its beginning belongs to it, its end does not."""
    ordered = sorted(arrivals)
    return max((place - bisect_right(ordered, at - seconds) + 1 for place, at in enumerate(ordered)), default=0)


def read(body: bytes) -> dict[str, Any]:
    """Read what a part has measured."""
    found = exact_json.loads(body)
    return {
        "arrivals": [float(at) for at in found["arrivals"]],
        "highest": found["highest"],
        "busy": float(found["busy"]),
        "now": float(found["now"]),
    }


if __name__ == "__main__":
    uvloop.run(_serve())
