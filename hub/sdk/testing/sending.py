"""A connection for tests: signs, sends and classifies as the hub does, without its limits and its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from hub.sdk.by_content import ANY_TIME, Sought
from hub.sdk.calls import alone, carried
from hub.sdk.connector import Connector, Record, WriteOperation
from hub.sdk.guards import Look, Standing
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.sdk.values import EffectKey, Request, Response


class Connected:
    """One connection to a running sandbox."""

    def __init__(
        self,
        connector: Connector,
        settings: Settings,
        transport: Transport | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connect nothing yet; the sandbox's host is the one private host allowed, unless another way is given."""
        self._now = now
        self._connector = connector
        self._settings = settings
        self._authorizer = connector.authorizer(settings)
        self._transport = transport or Transport(private_hosts=[urlsplit(settings.base_url).hostname or ""])

    @property
    def settings(self) -> Settings:
        """Give the settings."""
        return self._settings

    async def send(self, request: Request) -> Response:
        """Send one request; a failure is raised as what the connector calls it."""
        return await self._answered(request)

    async def write(self, operation: WriteOperation, record: Record, key: EffectKey) -> Record:
        """Make a write once and read its answer."""
        request = operation.request(self._settings, record, key)
        calls = alone(request) if operation.calls is None else operation.calls(self._settings, request)
        return operation.answered(request, await carried(calls, self.send))

    async def look(self, operation: WriteOperation, key: EffectKey) -> Record | None:
        """Look for an earlier write; that there is none must be a success of the vendor's, never a failure."""
        if operation.look is None or operation.found is None:
            return None
        return operation.found(await self.send(operation.look(self._settings, key)), key)

    async def find(
        self, operation: WriteOperation, record: Record, key: EffectKey, sought: Sought = ANY_TIME
    ) -> Record | None:
        """Find what an earlier sending of the same record has made, by whichever way the operation has."""
        request = operation.request(self._settings, record, key)
        return await carried(operation.search(self._settings, request, key, sought), self.send)

    async def stand(self, look: Look, request: Request, output: Record | None = None) -> tuple[Standing | None, bool]:
        """Look at what stands in the place of a write, and tell whether it is what the write leaves.

        `output` is what the write was answered, where it was.
        """
        response = await carried(look.course(self._settings, request), self._looked)
        sight = look.sees(request, response, output)
        return sight.standing, sight.holds

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def _looked(self, request: Request) -> Response:
        """Send one request of a look, to which a 404 is an answer."""
        return await self._answered(request, absent=True)

    async def _answered(self, request: Request, *, absent: bool = False) -> Response:
        response, headers = await self._attempt(request)
        if self._authorizer.refused(response, headers):
            response, _ = await self._attempt(request)
        error = None if absent and response.status == 404 else self._connector.classify(response)
        if error is not None:
            raise error
        return response

    async def _attempt(self, request: Request) -> tuple[Response, Mapping[str, str]]:
        headers = await self._authorizer.headers(request, self._transport.send, self._now())
        return await self._transport.send(request, headers, timeout=self._settings.timeout), headers
