"""What a process does because others have the same data: it follows what they change, and one of them has the duty.

Alone with its data it has the duty, and nobody to follow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.runtime.following import Following
from hub.runtime.leading import Leading
from hub.runtime.roles import Role

if TYPE_CHECKING:
    from hub.runtime.composition import Hub


class Sharing:
    """The company of a process; `leads` says whether what must happen once is for this process to do now."""

    def __init__(self, hub: Hub) -> None:
        """Take the process; nothing runs yet."""
        self.shared = hub.database.dialect != "sqlite"
        self._tasks: list[asyncio.Task[None]] = []
        self._following = Following(
            environment=hub.environment.name,
            database=hub.database,
            ambient=hub.ambient,
            accounts=hub.accounts,
            current=lambda: hub.shelf.current,
            shelf=hub.shelf.get,
            stored=hub.vault.stored,
        )
        self._following.on_revision = hub.take
        self._following.on_secrets = hub.reload_accounts
        self._following.on_waiting = hub.budgets.waiting
        self._following.on_commits = hub.changes.advance
        self._schedules = Role.SCHEDULER in hub.settings.roles
        self._leading = Leading(
            environment=hub.environment.name,
            committer=hub.committer,
            ambient=hub.ambient,
            holder=hub.committer.name,
            seconds=hub.settings.lease_seconds,
            shared=self.shared,
        )
        self._leading.on_taken = hub.sealer.begin_anew
        self._leading.on_lost = hub.incoming.stop

    @property
    def leads(self) -> bool:
        """Tell whether this process has the scheduler's duty now."""
        return self._schedules and self._leading.leads

    async def note(self) -> None:
        """Take note of where the data stands, before this process reads what it keeps in memory."""
        if self.shared:
            await self._following.note()

    async def start(self) -> None:
        """Follow the others, from what was noted on, and take the duty where it is free."""
        if not self.shared:
            return
        await self._following.begin()
        self._tasks.append(asyncio.create_task(self._following.run(), name="following"))
        if self._schedules:
            await self._leading.try_once()
            self._tasks.append(asyncio.create_task(self._leading.run(), name="leading"))

    async def stop(self) -> None:
        """Follow nobody any more, and let another process take the duty at once; before the committer ends."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leading.give_up()
