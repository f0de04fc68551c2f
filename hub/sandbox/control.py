"""The control API, on a port of its own: seed, books, faults, request log, clock and reset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from hub.sandbox.evolving import read_changes
from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.world import World


def control_application(world: World) -> web.Application:
    """Make the control application of one sandbox; it suffers no faults and no limits."""
    application = web.Application(middlewares=[_plain_errors], client_max_size=64 * 1024 * 1024)
    control = _Control(world)
    application.add_routes(
        [
            web.get("/_control/health", control.health),
            web.post("/_control/seed", control.seed),
            web.get("/_control/books", control.books),
            web.post("/_control/faults", control.set_faults),
            web.get("/_control/faults", control.faults),
            web.post("/_control/drift", control.set_changes),
            web.get("/_control/requests", control.requests),
            web.post("/_control/clock", control.clock),
            web.post("/_control/reset", control.reset),
        ]
    )
    return application


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except (ValueError, KeyError, TypeError) as error:
        return json_answer({"error": str(error) or repr(error)}, status=400)


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, request: web.Request) -> web.Response:
        return json_answer(
            {
                "name": self._world.name,
                "url": self._world.url,
                "now": self._world.clock.now(),
                "progress": self._world.progress(),
            }
        )

    async def seed(self, request: web.Request) -> web.Response:
        return json_answer(await self._world.books.seed(await _object(request)))

    async def books(self, request: web.Request) -> web.Response:
        return json_answer(self._world.books.snapshot())

    async def set_faults(self, request: web.Request) -> web.Response:
        body = await _json(request)
        entries = body.get("faults", []) if isinstance(body, dict) else body
        if not isinstance(entries, list):
            raise TypeError("A fault plan is a list of entries.")
        self._world.faults.replace(entries)
        return await self.faults(request)

    async def faults(self, request: web.Request) -> web.Response:
        return json_answer({"plan": self._world.faults.plan, "injected": self._world.faults.injected})

    async def set_changes(self, request: web.Request) -> web.Response:
        self._world.changes = read_changes(await _json(request))
        return json_answer({"changes": len(self._world.changes)})

    async def requests(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since", "0"))
        limit = int(request.query.get("limit", "10000"))
        return json_answer([entry.to_json() for entry in self._world.requests.since(since, limit=limit)])

    async def clock(self, request: web.Request) -> web.Response:
        self._world.clock.advance(float((await _object(request))["advance"]))
        return json_answer({"now": self._world.clock.now()})

    async def reset(self, request: web.Request) -> web.Response:
        await self._world.reset()
        return json_answer({"reset": True})


async def _json(request: web.Request) -> Any:
    body = await request.read()
    return loads(body) if body else {}


async def _object(request: web.Request) -> dict[str, Any]:
    body = await _json(request)
    if not isinstance(body, dict):
        raise TypeError("A JSON object is expected.")
    return body
