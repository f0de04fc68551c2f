"""A vendor that counts what arrives: each request the moment it is there, and how many are being worked on."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from aiohttp import web

from bench import aside
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
    await aside.serve(app)


def running() -> AbstractContextManager[str]:
    """Start the vendor; gives its address, and ends it."""
    return aside.running("bench.counter")


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
