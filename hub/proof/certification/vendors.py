"""Who answers in a trial: a connector's sandbox, or where it has no network its own function behind a wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from hub.model.exchange import Request
from hub.sandbox.main import find
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World
from hub.sdk import exact_json
from hub.sdk.connector import Connector
from hub.sdk.embedded import Embedded, MemoryShelf
from hub.sdk.settings import Settings
from hub.sdk.testing.samples import Samples


def vendor_of(connector: Connector, samples: Samples) -> Sandbox:
    """Give the sandbox that a connector is tried against; raises `UnknownSandbox` where there is none.

    A connector without a network is put behind HTTP, where more goes wrong than ever can in its own process: the engine
    forms the same requests and resolves the same unknown outcomes.
    """
    embedded = connector.embedded
    if embedded is None:
        return find(connector.name)
    settings = connector.settings.model_validate(dict(samples.settings))
    return Sandbox(name=connector.name, build=lambda world: _served(embedded, settings, world))


def _served(embedded: Embedded, settings: Settings, world: World) -> web.Application:
    books = _Shelved(embedded)
    world.books = books

    async def answer(request: web.Request) -> web.Response:
        asked = Request(
            method=request.method,
            url=f"{settings.base_url}{request.raw_path}",
            headers={name.lower(): value for name, value in request.headers.items()},
            body=await request.read(),
        )
        given = embedded.answer(settings, books.tables, asked, books.shelf, world.clock.now())
        return web.Response(status=given.status, headers=dict(given.headers), body=given.body)

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    return application


class _Shelved:
    """What an embedded connector keeps, as books."""

    def __init__(self, embedded: Embedded) -> None:
        self._embedded = embedded
        self.shelf = MemoryShelf()
        self.tables: Any = None

    def announce(self) -> Mapping[str, Any]:
        return {}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        own = self._embedded.own(wish.get("files", {}))
        flaws = self._embedded.flaws(own)
        if flaws:
            raise ValueError(
                f"the files of the samples have flaws: {flaws[0].path}:{flaws[0].line}: {flaws[0].message}"
            )
        self.tables = self._embedded.read(own)
        return {"files": sorted(own)}

    def snapshot(self) -> Mapping[str, Any]:
        return {name: exact_json.loads(value) for name, value in self.shelf.kept.items()}

    async def reset(self) -> None:
        self.shelf.kept.clear()
