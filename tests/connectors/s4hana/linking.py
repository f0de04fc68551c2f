"""The connector and a sandbox of S/4HANA, linked as a hub links them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import SETTINGS
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Request, Response

KEY = EffectKey("0123456789abcdef0123456789abcdef")
OTHER_KEY = EffectKey("fedcba9876543210fedcba9876543210")


class Watched(Connected):
    """A connection that keeps what it was asked to send, as a hub records it."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.recorded: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.recorded.append(request)
        return await super().send(request)


class Link:
    """One tenant with the small sample, and one connection to it."""

    def __init__(self, served: Running, connected: Watched) -> None:
        self.served = served
        self.connected = connected

    def writing(self, name: str) -> WriteOperation:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, WriteOperation)
        return operation

    async def write(self, name: str, record: Mapping[str, Any], key: EffectKey = KEY) -> Mapping[str, Any]:
        return await self.connected.write(self.writing(name), record, key)

    async def bound(self, name: str, record: Mapping[str, Any], *, meanwhile: Any = None) -> Mapping[str, Any]:
        """Write as a hub does where the target compares versions: bound to what a look has seen."""
        operation = self.writing(name)
        request = operation.request(self.connected.settings, record, KEY)
        guard: Any = operation.guard
        standing, _ = await self.connected.stand(guard.look, request)
        request = guard.bind(request, standing)
        if meanwhile is not None:
            await meanwhile()
        return operation.result(await self.connected.send(request))

    async def find(self, name: str, record: Mapping[str, Any], key: EffectKey = KEY) -> Any:
        return await self.connected.find(self.writing(name), record, key)

    async def read(self, name: str, **wanted: Any) -> Any:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, ReadOperation)
        return await operation.ask(self.connected, wanted)

    async def seed(self, **wish: Any) -> None:
        await self.served.world.books.seed(wish)

    def rows(self, table: str, **wanted: str) -> list[Mapping[str, Any]]:
        rows = self.served.world.books.snapshot()["tables"][table]
        return [row for row in rows if all(str(row.get(name)) == value for name, value in wanted.items())]

    @property
    def sessions(self) -> Any:
        tenant: Any = self.served.world.books
        return tenant.sessions


@asynccontextmanager
async def linked(**settings: Any) -> AsyncIterator[Link]:
    """Serve a tenant with the small sample, and connect to it."""
    async with running(find("s4hana")) as served:
        await served.world.books.seed({"sample": True})
        facts = served.announcement
        own = {"base_url": served.url, "user": facts["user"], "password": facts["password"]}
        connected = Watched(CONNECTOR, CONNECTOR.settings.model_validate({**SETTINGS, **own, **settings}))
        try:
            yield Link(served, connected)
        finally:
            await connected.close()
