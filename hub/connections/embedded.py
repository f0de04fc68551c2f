"""The way to a connector without a network: its answers come out of the hub's own store, each of one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from hub.errors import FixConnection
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.sdk.embedded import SAFE, Embedded
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.embedded import StoredShelf

#: A revision of the workspace: its id and its files.
Revision = tuple[str, Mapping[str, bytes]]


class EmbeddedTransport(Transport):
    """Answers the requests of one connection; a write is durable before its answer is given."""

    def __init__(
        self,
        embedded: Embedded,
        settings: Settings,
        *,
        environment: str,
        connection: str,
        database: Database,
        committer: Committer,
        ambient: Ambient,
        revision: Callable[[], Revision],
    ) -> None:
        """Take the pure functions, the store, and what gives the revision that serves."""
        super().__init__()
        self._embedded = embedded
        self._settings = settings
        self._environment = environment
        self._connection = connection
        self._database = database
        self._committer = committer
        self._ambient = ambient
        self._revision = revision
        self._read: tuple[str, Any] | None = None

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Answer a request by the files of the revision that serves; raises what the connector raises."""
        tables = self._tables()
        if request.method in SAFE:
            return await asyncio.to_thread(self._look, tables, request)

        def work(transaction: Transaction) -> Response:
            shelf = StoredShelf(
                transaction.connection, environment=self._environment, name=self._connection, writes=True
            )
            return self._embedded.answer(self._settings, tables, request, shelf, self._ambient.now())

        answer: Response = await self._committer.commit(Work(work))
        return answer

    async def close(self) -> None:
        """Nothing is open."""

    def _look(self, tables: Any, request: Request) -> Response:
        with self._database.reading() as connection:
            shelf = StoredShelf(connection, environment=self._environment, name=self._connection, writes=False)
            return self._embedded.answer(self._settings, tables, request, shelf, self._ambient.now())

    def _tables(self) -> Any:
        name, files = self._revision()
        if self._read is None or self._read[0] != name:
            own = self._embedded.own(files)
            flaws = self._embedded.flaws(own)
            if flaws:
                first = flaws[0]
                raise FixConnection(
                    "The files of this connection cannot be used.",
                    code="bad-files",
                    place=f"{first.path}:{first.line}",
                    reason=first.message,
                )
            self._read = (name, self._embedded.read(own))
        return self._read[1]
