"""One account in use: every request to it is limited, signed anew, sent, and understood in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from hub.connections.limiter import Limiter
from hub.connections.redaction import Redactor
from hub.errors import ConnectionPaused, HubError, LimitReached
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.sdk.auth import Authorizer
from hub.sdk.connector import Connector
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport


@dataclass(slots=True, kw_only=True)
class Health:
    """What the last exchanges of an account showed."""

    last_success: datetime | None = None
    last_failure: datetime | None = None
    last_error: str | None = None
    successes: int = 0
    failures: int = 0


@dataclass(slots=True, kw_only=True)
class Account:
    """A connection with its connector, settings and secrets, as a process uses it."""

    name: str
    connector: Connector
    settings: Settings
    limiter: Limiter
    transport: Transport
    ambient: Ambient
    redactor: Redactor = field(default_factory=Redactor, repr=False)
    paused: str | None = None
    health: Health = field(default_factory=Health)

    _authorizer: Authorizer = field(init=False)

    def __post_init__(self) -> None:
        """Make the authorizer that lives as long as the account."""
        self._authorizer = self.connector.authorizer(self.settings)

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """Hold a place among the account's requests; raises `ConnectionPaused` while it takes no work."""
        self._assert_active()
        async with self.limiter.permit():
            self._assert_active()
            yield

    async def attempt(self, request: Request) -> Response:
        """Sign and send once, and once more with fresh credentials when the old ones had ended.

        A 401 says that nothing was done, so the second sending repeats nothing. Raises what the transport raises.
        """
        try:
            response, headers = await self._signed(request)
            if self._authorizer.refused(response, headers):
                response, _ = await self._signed(request)
        except HubError as error:
            self._redact(error)
            raise
        return response

    def understand(self, response: Response) -> HubError | None:
        """Give the error an answer stands for, and let limiter and health learn from it."""
        error = self.connector.classify(response)
        if isinstance(error, LimitReached):
            error.after = self.limiter.refused(error.after)
        else:
            self.limiter.accepted()
        if error is not None:
            self._redact(error)
        self.learn(error)
        return error

    def learn(self, error: HubError | None) -> None:
        """Keep what an exchange showed."""
        if error is None:
            self.health.last_success = self.ambient.now()
            self.health.successes += 1
        else:
            self.health.last_failure = self.ambient.now()
            self.health.last_error = str(error)[:300]
            self.health.failures += 1

    async def send(self, request: Request) -> Response:
        """Make one read: limited, signed, sent; raises the error its answer stands for."""
        async with self.permit():
            try:
                response = await self.attempt(request)
            except HubError as error:
                self.learn(error)
                raise
            refusal = self.understand(response)
        if refusal is not None:
            raise refusal
        return response

    async def _signed(self, request: Request) -> tuple[Response, Mapping[str, str]]:
        headers = await self._authorizer.headers(request, self._plain, self.ambient.now())
        return await self.transport.send(request, headers, self.settings.timeout), headers

    async def _plain(self, request: Request) -> Response:
        return await self.transport.send(request, timeout=self.settings.timeout)

    def _redact(self, error: HubError) -> None:
        # Vendors may say back what they were sent; what an error tells goes into the history and the cases.
        error.detail = self.redactor.scrub(error.detail)
        error.facts = self.redactor.scrub_json(error.facts)

    def _assert_active(self) -> None:
        if self.paused is not None:
            raise ConnectionPaused(connection=self.name, reason=self.paused)
