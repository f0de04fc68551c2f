"""The connector beside its sandbox, for tests of what is special about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import SAMPLES
from connectors.salesforce.settings import SalesforceSettings
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.transport import Transport
from hub.sdk.values import EffectKey, Request, Response

KEY = EffectKey("0123456789abcdef0123456789abcdef")


class Listening(Connected):
    """A connection that notes what was asked."""

    def __init__(self, settings: SalesforceSettings, host: str) -> None:
        super().__init__(CONNECTOR, settings, Transport(private_hosts=[host]))
        self.asked: list[str] = []

    async def send(self, request: Request) -> Response:
        self.asked.append(f"{request.method} {request.url.removeprefix(self.settings.base_url)}")
        return await super().send(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Org:
    """A running sandbox and a connection to it."""

    sandbox: Running
    connected: Listening
    seeded: Mapping[str, Any] = field(default_factory=dict)

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Have something happen at the org."""
        found: Mapping[str, Any] = await self.sandbox.world.books.seed(wish)
        return found

    @property
    def books(self) -> Mapping[str, Any]:
        """Give what the org has."""
        return self.sandbox.world.books.snapshot()

    async def read(self, name: str, wanted: Record) -> Record:
        """Make a read."""
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, ReadOperation)
        return await operation.ask(self.connected, wanted)

    async def write(self, name: str, record: Record, key: EffectKey = KEY) -> Record:
        """Make a write."""
        return await self.connected.write(written(name), record, key)


def written(name: str) -> WriteOperation:
    """Give a write of the connector."""
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    return operation


def settings(**changed: Any) -> SalesforceSettings:
    """Give invented settings."""
    return SalesforceSettings.model_validate({**SAMPLES.settings, **changed})


@asynccontextmanager
async def org(seed: Mapping[str, Any] | None = None, **changed: Any) -> AsyncIterator[Org]:
    """Serve an org with the samples' records (or others), and connect to it with settings that are changed."""
    async with running(find("salesforce")) as sandbox:
        seeded = await sandbox.world.books.seed(SAMPLES.seed if seed is None else seed)
        live = {**live_settings(CONNECTOR, SAMPLES, sandbox.announcement), **changed}
        connected = Listening(SalesforceSettings.model_validate(live), "127.0.0.1")
        try:
            yield Org(sandbox=sandbox, connected=connected, seeded=seeded)
        finally:
            await connected.close()
