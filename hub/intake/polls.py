"""Fetching what vendors have to tell: streams read from their cursors, so that a missed webhook is not a lost event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import structlog

from hub.connections.accounts import Account
from hub.errors import FixConnection, HubError
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.model.event import Via
from hub.sdk.connector import Stream
from hub.store import connections
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.events import Acceptance

log = structlog.get_logger(__name__)

#: How far back the first read of a stream goes.
FIRST_LOOK = timedelta(days=1)


class Polls:
    """Reads the streams of one environment's connections."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
        intake: Intake,
    ) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._accounts = accounts
        self._intake = intake

    async def read_all(self) -> dict[str, int]:
        """Read every stream from its cursor; gives how many new events each connection had.

        A connection that does not answer is left for the next time.
        """
        found: dict[str, int] = {}
        for name, account in self._accounts.items():
            for stream in account.connector.streams:
                try:
                    found[name] = found.get(name, 0) + await self.read(name, account, stream)
                except HubError as error:
                    log.warning("poll.failed", connection=name, stream=stream.name, reason=str(error))
                    if isinstance(error, FixConnection):
                        break
                except Exception:  # a defect of one connector must not keep the others' events away
                    log.exception("poll.defect", connection=name, stream=stream.name)
        return found

    async def read(self, name: str, account: Account, stream: Stream) -> int:
        """Read one stream; the cursor moves only behind what is durable."""
        with self._database.reading() as connection:
            cursor = connections.cursor(connection, environment=self._environment, name=name, stream=stream.name)
        new = 0
        async for page in stream.pull(account, cursor, self._ambient.now() - FIRST_LOOK):
            results = await self._intake.accept(name, page.events, Via.POLL)
            new += sum(1 for result in results if result is Acceptance.NEW)
            position = page.cursor
            await self._committer.commit(
                Work(
                    lambda transaction, position=position: connections.move_cursor(  # type: ignore[misc]
                        transaction, environment=self._environment, name=name, stream=stream.name, cursor=position
                    )
                )
            )
        if new:
            log.info("poll.found", connection=name, stream=stream.name, new=new)
        return new
