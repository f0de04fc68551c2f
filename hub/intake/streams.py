"""Reading one stream: page by page, each durable before the next, so that nothing is lost and nothing taken twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from hub.connections.accounts import Account
from hub.connections.refusals import pause_refused
from hub.errors import FixConnection, FixData
from hub.intake.door import Intake, content_of, stored_data
from hub.intake.positions import Hole, Position
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.event import InboundEvent, Via
from hub.model.run import Priority
from hub.sdk.connector import Page, Stream
from hub.store import streams
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.events import Acceptance, kept_beside
from hub.store.streams import GapKind

log = structlog.get_logger(__name__)

#: How far back the first reading of a stream goes.
FIRST_LOOK = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a reading or a page gave: how many events, and how many of them nobody had brought before."""

    read: int = 0
    new: int = 0

    def __add__(self, other: Found) -> Found:
        """Give both together."""
        return Found(read=self.read + other.read, new=self.new + other.new)


class Streams:
    """Reads streams of one environment; what a reading gives is durable when it returns, and its place is kept."""

    def __init__(
        self, *, environment: str, ambient: Ambient, database: Database, committer: Committer, intake: Intake
    ) -> None:
        """Take the collaborators."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._intake = intake

    async def read(self, account: Account, stream: Stream, *, overlap: timedelta) -> Found:
        """Read a stream from where it was read up to, less the overlap, to its present end."""
        began = self._ambient.now()
        with self._database.reading() as connection:
            row = streams.find(connection, environment=self._environment, name=account.name, stream=stream.name)
        position = Position.loaded(row, began - FIRST_LOOK)
        read_at = _moment(row, "read_at")
        if position.began is not None and position.began > began:
            # The clock was ahead, so nobody knows when that was; what was not there then is not older than the overlap.
            known = min(_moment(row, "newest_at") or position.since, began)
            position = position.anew(known - max(overlap, FIRST_LOOK))
        if stream.keeps is not None and read_at is not None and began - read_at > stream.keeps:
            since = began - stream.keeps
            why = "The last reading was longer ago than events are kept."
            await self._add_gap(account, stream, GapKind.TOO_OLD, since=read_at, until=since, detail=why)
            position = Position(since=since)
        position, found = position.begun(began, overlap), Found()
        async for page in stream.pull(account, position.cursor, position.since):
            found += await self.take(account, page.events)
            if page.begins_at is not None:
                of = f" of {page.begins_of}" if page.begins_of else ""
                why = f"What was there{of} before is no longer given."
                await self._add_gap(
                    account, stream, GapKind.BEGINS_LATER, since=read_at, until=page.begins_at, detail=why
                )
            position = self._behind(position, stream, page, overlap)
            await self._keep(account, stream, position, page.events)
        position, lost = position.lost(overlap)
        await self._end(account, stream, position, began, lost)
        if found.new:
            log.info("poll.found", connection=account.name, stream=stream.name, new=found.new)
        return found

    async def take(
        self,
        account: Account,
        events: Sequence[InboundEvent],
        *,
        contents: Sequence[str] | None = None,
        priority: Priority = Priority.HIGH,
    ) -> Found:
        """Make events durable, except those that are known with the same content; `priority` bounds their runs'.

        `contents` are what `content_of` gives of each, from a caller who has asked it already.
        """
        if contents is None:
            contents = [content_of(stored_data(event)[0]) for event in events]
        names = [names_of(event, content) for event, content in zip(events, contents, strict=True)]
        with self._database.reading() as connection:
            known = streams.contents(
                connection,
                environment=self._environment,
                name=account.name,
                external_ids=sorted({name for both in names for name in both}),
            )
        fresh = [
            (event, content)
            for event, content, both in zip(events, contents, names, strict=True)
            if content not in {known.get(name) for name in both}
        ]
        results = await self._intake.accept(
            account.name,
            [event for event, _ in fresh],
            Via.POLL,
            contents=[content for _, content in fresh],
            priority=priority,
        )
        return Found(read=len(events), new=sum(1 for result in results if result is Acceptance.NEW))

    def _behind(self, position: Position, stream: Stream, page: Page, overlap: timedelta) -> Position:
        now = self._ambient.now()
        moved = position.moved(page.cursor, (event.occurred_at for event in page.events), now, overlap)
        if stream.number is None:
            return moved
        numbers = [number for event in page.events if (number := stream.number(event)) is not None]
        return moved.counted(numbers, now)

    async def _keep(self, account: Account, stream: Stream, position: Position, events: Sequence[InboundEvent]) -> None:
        newest = max((to_micros(event.occurred_at) for event in events), default=None)
        columns = position.dumped()
        await self._work(lambda tx: streams.move(tx, **self._of(account, stream), columns=columns, newest_at=newest))

    async def _end(
        self, account: Account, stream: Stream, position: Position, began: datetime, lost: Sequence[Hole]
    ) -> None:
        columns, read_at = position.dumped(), to_micros(began)

        def work(transaction: Transaction) -> None:
            for hole in lost:
                seen = to_micros(hole.seen_at)
                streams.add_gap(
                    transaction,
                    **self._of(account, stream),
                    kind=GapKind.NUMBERS,
                    since=None,
                    until=seen,
                    detail=_numbers(hole),
                )
            streams.move(transaction, **self._of(account, stream), columns=columns, newest_at=None)
            streams.end(transaction, **self._of(account, stream), read_at=read_at)

        await self._work(work)

    async def fail(self, account: Account, stream: Stream, error: str) -> int:
        """Keep that a reading failed; gives how many have by now, one after the other."""
        failures: int = await self._committer.commit(
            Work(lambda tx: streams.fail(tx, **self._of(account, stream), error=error))
        )
        return failures

    async def refused(self, accounts: Mapping[str, Account], account: Account, error: FixConnection) -> None:
        """Pause a connection whose credentials a reading found refused, if it still has them."""
        error.account = error.account or account
        await pause_refused(
            accounts,
            account.name,
            error,
            committer=self._committer,
            environment=self._environment,
            actor="streams",
        )

    async def settle_gap(self, name: str, stream: str, *, actor: str, reason: str) -> int:
        """Say that somebody has seen to what may be missing of a stream; gives how many gaps that were.

        Raises `Conflict` when nothing is missing, and `FixData` without a reason.
        """
        if not reason.strip():
            raise FixData("Say what was done about it; it binds the audit.", code="no-reason")
        settled: int = await self._committer.commit(
            Work(
                lambda tx: streams.settle_gap(
                    tx, environment=self._environment, name=name, stream=stream, actor=actor, reason=reason.strip()
                )
            )
        )
        return settled

    async def _add_gap(
        self,
        account: Account,
        stream: Stream,
        kind: GapKind,
        *,
        since: datetime | None,
        until: datetime | None,
        detail: str,
    ) -> None:
        log.warning("stream.gap", connection=account.name, stream=stream.name, kind=kind.value, detail=detail)
        begin, end = (None if moment is None else to_micros(moment) for moment in (since, until))
        await self._work(
            lambda tx: streams.add_gap(
                tx, **self._of(account, stream), kind=kind, since=begin, until=end, detail=detail
            )
        )

    def _of(self, account: Account, stream: Stream) -> dict[str, Any]:
        return {"environment": self._environment, "name": account.name, "stream": stream.name}

    async def _work(self, work: Callable[[Transaction], None]) -> None:
        await self._committer.commit(Work(work))


def names_of(event: InboundEvent, content: str) -> tuple[str, str]:
    """Give the ids under which an event of this content may be kept: its own, or beside another content of that."""
    return event.external_id, kept_beside(event.external_id, content)


def _moment(row: Mapping[str, Any] | None, name: str) -> datetime | None:
    return None if row is None or row[name] is None else of_micros(row[name])


def _numbers(hole: Hole) -> str:
    if hole.first == hole.last:
        return f"Number {hole.first} never came."
    return f"Numbers {hole.first} to {hole.last} never came ({hole.last - hole.first + 1} events)."
