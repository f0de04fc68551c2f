"""Retention: payloads that are older than the environment's policy go, slowly, and the audit log says how many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection, Select, select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict
from hub.model.ambient import Ambient, to_micros
from hub.model.retention import Retention
from hub.operate.months import Months
from hub.store import marks, retention
from hub.store.audit import Note
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.retention import Pruned
from hub.store.tables import effects, events

log = structlog.get_logger(__name__)

#: Runs in one transaction, and the pause before the next: others commit in between.
AT_ONCE = 50
PAUSE_SECONDS = 0.05
#: How often it is done by itself.
EVERY = timedelta(days=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The policy (None: nothing is ever pruned), what it would take now, and what it took last and when."""

    payloads: timedelta | None
    answers: timedelta | None
    due: Pruned
    last: Mapping[str, Any] | None
    last_at: datetime | None


class Pruning:
    """Prunes the data of one environment by the policy that serves now."""

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
        #: The partitions of the tables, where the database has any.
        self.months = Months(
            environment=environment, database=database, committer=committer, ambient=ambient, policy=policy
        )
        self._going = False
        self._stopping = False

    async def outlook(self) -> Outlook:
        """Say what pruning would take now; nothing is changed."""
        return await asyncio.to_thread(self._outlook)

    def _outlook(self) -> Outlook:
        policy = self._policy()
        with self._database.reading() as connection:
            last = marks.get(connection, marks.RETENTION)
            due = Pruned()
            if policy is not None:
                payloads, answers = self._cutoffs(policy)
                due = retention.count(connection, self._environment, payloads=payloads, answers=answers)
        return Outlook(
            payloads=None if policy is None else policy.payloads,
            answers=None if policy is None else policy.answers,
            due=due,
            last=None if last is None else last[0],
            last_at=None if last is None else last[1],
        )

    async def tick(self) -> None:
        """Prune when a day has gone by since the last time; partitions are made whatever the policy."""
        await self.months.tick()
        with self._database.reading() as connection:
            last = marks.get(connection, marks.RETENTION)
        if self._policy() is None or self._going or (last is not None and self._ambient.now() - last[1] < EVERY):
            return
        await self.prune(actor="schedule")

    def stop(self) -> None:
        """Take nothing more away; what is under way ends after its transaction."""
        self._stopping = True

    async def prune(self, *, actor: str) -> Pruned:
        """Prune all that is due, in small transactions; gives how much. Raises `Conflict` while that is going on."""
        policy = self._policy()
        if policy is None:
            raise Conflict(
                "The environment has no `retention:` in its file; nothing is ever pruned.", code="no-retention"
            )
        if self._going:
            raise Conflict("Payloads are being pruned already; wait for the end.", code="pruning-going")
        self._going = True
        try:
            done = await self._prune(policy)
            await self._committer.commit(Work(lambda transaction: self._told(transaction, done, actor)))
        finally:
            self._going = False
        log.info("data.pruned", **asdict(done))
        return done

    async def _prune(self, policy: Retention) -> Pruned:
        payloads, answers = self._cutoffs(policy)
        environment, done, place = self._environment, Pruned(), -1
        while found := await self._runs(payloads, place):
            ids, place = [run for run, _ in found], found[-1][1]
            done += await self._some(lambda tx, ids=ids: retention.prune_runs(tx, ids, environment, payloads))  # type: ignore[misc]
        old = select(events.c.id).where(retention.old_events(environment, payloads))
        while keys := await self._keys(old):
            done += await self._some(lambda tx, keys=keys: retention.prune_events(tx, keys, environment, payloads))  # type: ignore[misc]
        old = select(effects.c.key).where(retention.old_answers(environment, answers))
        while keys := await self._keys(old):
            done += await self._some(lambda tx, keys=keys: retention.prune_answers(tx, keys, environment, answers))  # type: ignore[misc]
        done += await self._some(lambda tx: retention.prune_examples(tx, environment, payloads))
        gone = Pruned(records=1)
        while gone.records and not self._stopping:
            gone = await self._some(lambda tx: retention.prune_records(tx, environment, payloads, AT_ONCE * 4))
            done += gone
        # A schedule never goes back, so that what was past its next moment once is so for good.
        ends = await self._read(lambda on: list(retention.firings_end(on, environment, payloads).items()))
        for flow, end in ends:
            gone = Pruned(firings=1)
            while gone.firings and not self._stopping:
                gone = await self._some(
                    lambda tx, flow=flow, end=end: retention.prune_firings(tx, environment, flow, end, AT_ONCE * 4)  # type: ignore[misc]
                )
                done += gone
        return done

    async def _runs(self, before: int, after: int) -> list[tuple[str, int]]:
        environment = self._environment
        return await self._read(lambda on: retention.next_runs(on, environment, before, after=after, limit=AT_ONCE))

    async def _keys(self, statement: Select[str]) -> list[str]:
        return await self._read(lambda on: retention.next_keys(on, statement, AT_ONCE * 4))

    async def _read(self, reading: Callable[[Connection], list[T]]) -> list[T]:
        """Choose the next ones in a thread, because it may look at many; nothing once the process stops."""

        def read() -> list[T]:
            with self._database.reading() as connection:
                return reading(connection)

        return [] if self._stopping else await asyncio.to_thread(read)

    async def _some(self, work: Callable[[Transaction], Pruned]) -> Pruned:
        done: Pruned = await self._committer.commit(Work(work))
        await self._ambient.clock.sleep(PAUSE_SECONDS)
        return done

    def _cutoffs(self, policy: Retention) -> tuple[int, int]:
        now = self._ambient.now()
        return to_micros(now - policy.payloads), to_micros(now - policy.answers)

    def _told(self, transaction: Transaction, done: Pruned, actor: str) -> None:
        marks.put(transaction, marks.RETENTION, asdict(done))
        if done.total:
            transaction.entries.append(Note(kind=AuditKind.DATA_PRUNED, actor=actor, facts=asdict(done)))
