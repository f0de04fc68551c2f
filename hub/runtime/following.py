"""What other processes have changed is taken over: revisions, secrets, pauses of connections, and that pages are old.

Only what a process keeps in memory has to be taken over; all else is read where it is needed. Nothing here decides
whether money moves: holds and pauses are looked at once more in the transaction that opens a write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.connections.accounts import Account
from hub.errors import HubError
from hub.model.ambient import Ambient
from hub.store import abreast, budgets
from hub.store.abreast import Standing
from hub.store.database import Database
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: How often it is looked, in seconds; and after so many looks, who waits in the rows of accounts.
EVERY = 1.0
WAITING_EVERY = 10


class Following:
    """Looks again and again where the data stands, and tells a process what is new to it."""

    def __init__(
        self,
        *,
        environment: str,
        database: Database,
        ambient: Ambient,
        accounts: Mapping[str, Account],
        current: Callable[[], Bundle],
        shelf: Callable[[str], Awaitable[Bundle]],
        stored: Mapping[str, int],
    ) -> None:
        """Take the collaborators; `current` is the revision that serves here, and `shelf` gives one by its id.

        `stored` has the newest versions of secrets that this process has stored itself.
        """
        self._environment = environment
        self._database = database
        self._ambient = ambient
        self._accounts = accounts
        self._current = current
        self._shelf = shelf
        self._stored = stored
        self._last = Standing()
        self._refused: str | None = None
        self.on_revision: Callable[[Bundle], None] = lambda _bundle: None
        self.on_secrets: Callable[[], None] = lambda: None
        self.on_waiting: Callable[[Collection[str]], None] = lambda _names: None
        self.on_commits: Callable[[], None] = lambda: None

    async def note(self) -> None:
        """Take note of where the data stands, before it is read: what changes from here on is taken over."""
        self._last = await asyncio.to_thread(self._look)

    async def begin(self) -> None:
        """Take over what has changed while the process began, and what was published before."""
        await self._follow_revision(self._last)
        await self.look()

    async def run(self) -> None:
        """Look until cancelled; while the database is away there is nothing to be seen."""
        looks = 0
        while True:
            await self._ambient.clock.sleep(EVERY)
            looks += 1
            try:
                await self.look()
                if looks % WAITING_EVERY == 0:
                    await self.look_at_rows()
            except SQLAlchemyError as error:
                log.warning("following.not_read", reason=str(error).splitlines()[0][:200])
            except HubError as error:
                log.warning("following.failed", reason=str(error))
            except Exception:  # what one look meets must not keep the process from the next
                log.exception("following.defect")

    async def look(self) -> None:
        """Look once, and take over what is new."""
        before, now = self._last, await asyncio.to_thread(self._look)
        if now == before:
            return
        if now.commits != before.commits:
            self.on_commits()
        # What is older than what this process has seen was read before its own change.
        if now.revision > before.revision:
            await self._follow_revision(now)
        if self._foreign(before.secrets, now.secrets):
            self.on_secrets()
        if now.paused != before.paused:
            self._follow_pauses(before.paused, now.paused)
        self._last = now

    def _foreign(self, before: Mapping[str, int], now: Mapping[str, int]) -> bool:
        """Tell whether another process has stored a secret.

        Its own a process uses already. What a vendor renews at each login must not bring about the next one.
        """
        return any(before.get(name) != version != self._stored.get(name) for name, version in now.items())

    async def look_at_rows(self) -> None:
        """Tell for which accounts runs wait in the database: the process that was to let them go may be gone."""
        waiting = await asyncio.to_thread(self._waiting)
        if waiting:
            self.on_waiting(waiting)

    def _waiting(self) -> Collection[str]:
        with self._database.reading() as connection:
            return budgets.waiting(connection, environment=self._environment).keys()

    async def _follow_revision(self, standing: Standing) -> None:
        if standing.bundle is None or standing.bundle == self._current().id:
            return
        try:
            bundle = await self._shelf(standing.bundle)
        except HubError as error:
            # It serves on with the one it has: what runs by the new one, processes do that understand it.
            if self._refused != standing.bundle:
                log.warning("following.revision_refused", bundle=standing.bundle[:12], reason=str(error))
            self._refused = standing.bundle
            return
        self.on_revision(bundle)

    def _follow_pauses(self, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        for name, account in self._accounts.items():
            # Only what has changed: this process may know of a refusal that is not recorded yet.
            if now.get(name) != before.get(name):
                account.paused = now.get(name)

    def _look(self) -> Standing:
        with self._database.reading() as connection:
            return abreast.look(connection, environment=self._environment)
