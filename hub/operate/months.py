"""Months: on PostgreSQL their partitions are made ahead, and go whole once nothing in them is needed any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hub.audit.kinds import AuditKind
from hub.model.ambient import Ambient
from hub.model.retention import Retention
from hub.store import partitions
from hub.store.audit import Note
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.partitions import Partition

log = structlog.get_logger(__name__)

#: How often it is looked what may go; every row of an old month may have to be read for that.
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """Which partitions were dropped, and why others that are old enough stay (`partition: reason`)."""

    dropped: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Months:
    """Keeps the partitions of a database, where it has any; for whoever has the scheduler's duty."""

    def __init__(
        self,
        *,
        environment: str,
        database: Database,
        committer: Committer,
        ambient: Ambient,
        policy: Callable[[], Retention | None],
    ) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._database = database
        self._committer = committer
        self._ambient = ambient
        self._policy = policy
        self._looked_at: datetime | None = None

    async def tick(self) -> None:
        """Make the partitions that are missing, and once a day drop what may go."""
        if self._database.dialect != "postgresql":
            return
        await self.make()
        now = self._ambient.now()
        if self._looked_at is None or now - self._looked_at >= EVERY:
            self._looked_at = now
            await self.drop(actor="schedule")

    async def make(self) -> list[str]:
        """Make the partitions of this month and of those ahead; what others are in the way of is made the next time."""
        made = await asyncio.to_thread(partitions.make, self._database.apart, self._ambient.now())
        if made is None:
            log.info("partitions.busy")
        elif made:
            log.info("partitions.made", partitions=made)
        return made or []

    async def drop(self, *, actor: str) -> Gone:
        """Drop each partition that is older than the policy's `history`, and of which nothing is needed.

        What goes is in the audit log before it goes, so that nothing is ever gone without a word.
        """
        policy = self._policy()
        if policy is None or policy.history is None or self._database.dialect != "postgresql":
            return Gone()
        before, dropped, kept = self._ambient.now() - policy.history, list[str](), list[str]()
        for partition, reason in await asyncio.to_thread(self._old, before):
            if reason is None:
                await self._committer.commit(Work(lambda tx, going=partition: self._told(tx, going, actor)))  # type: ignore[misc]
                gone = await asyncio.to_thread(partitions.drop, self._database.apart, partition, self._environment)
                if gone:
                    dropped.append(partition.name)
                    continue
            kept.append(f"{partition.name}: {reason or 'busy'}")
        if dropped or kept:
            log.info("history.dropped", dropped=dropped, kept=kept)
        return Gone(dropped=tuple(dropped), kept=tuple(kept))

    def _old(self, before: datetime) -> list[tuple[Partition, str | None]]:
        with self._database.reading() as connection:
            return [
                (each, partitions.needed(connection, each, self._environment))
                for each in partitions.over(connection, before)
            ]

    def _told(self, transaction: Transaction, going: Partition, actor: str) -> None:
        facts = {"table": str(going.table.name), "partition": going.name, "from": going.first, "to": going.end}
        transaction.entries.append(Note(kind=AuditKind.HISTORY_DROPPED, actor=actor, facts=facts))
