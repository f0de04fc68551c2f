"""The publisher: brings what stands in the outbox into the stream, and again what the stream has lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import structlog

from hub.backbone.envelope import CONTENT_TYPE, LARGEST, envelope_of, name_of
from hub.backbone.line import ANSWERS_WITHIN, Away, Line, Message, NoStream
from hub.backbone.lost import Present, published, suspicion
from hub.backbone.names import stream_of, subject_of
from hub.backbone.settings import NatsSettings
from hub.backbone.stream import Seen, look, prepared
from hub.model.ambient import Ambient, to_micros
from hub.store import marks, outbox
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.outbox import Published

log = structlog.get_logger(__name__)

#: So many rows are on their way at once, of fewer bytes than that where they are large (a stream takes no more than a
#: thousand together).
BATCH, BATCH_BYTES = 500, 16_000_000
#: How soon it is found, in seconds, that there is something to publish of which nobody told.
POLL_SECONDS = 1.0
#: How often the stream is compared with what was published, and old rows are taken away.
LOOK_SECONDS, PRUNE_SECONDS = 10.0, 60.0
#: Where several processes publish, the one that did it last goes on; after so many seconds another one does.
TURN_SECONDS = 5.0
#: A server that did not take everything is given so many seconds.
_PAUSE = 0.5
#: Where facts went just before, the next ones are gathered for so many seconds: each going costs as much as dozens of
#: facts, and a commit and a sync of the disk among that. Those that come alone go at once.
GATHER_SECONDS = 0.25
#: Who stands in leaves new facts for so many seconds to somebody else.
YIELDS_SECONDS = 1.0
_PRUNED_AT_ONCE = 500
#: Above what an envelope has, in bytes: its headers.
_ROOM = 8192
#: What a message is known by among those of the stream; the other name is for the stream's own look at repeats.
ID, REPEATS = "Concord-Id", "Nats-Msg-Id"

Row = Mapping[str, Any]
T = TypeVar("T")


class Publisher:
    """Publishes an environment's feed over one connection after the other; several of them do no harm.

    Who publishes twice, because nobody told that the first time had come to its end, publishes the same names.
    """

    def __init__(
        self,
        *,
        environment: str,
        settings: NatsSettings,
        database: Database,
        committer: Committer,
        ambient: Ambient,
        name: str,
        stands_in: bool = False,
    ) -> None:
        """Take the collaborators; `name` is this process.

        With `stands_in` it publishes only where nobody does who has less other work.
        """
        self._environment = environment
        self._settings = settings
        self._database = database
        self._committer = committer
        self._ambient = ambient
        self._name = name
        self._stands_in = stands_in
        self._went = -GATHER_SECONDS
        #: So many rows are read at once, by what the last ones were like.
        self._most = BATCH
        self._woken = asyncio.Event()
        self._pruned = -PRUNE_SECONDS
        #: How many messages it has published, and how many of them because the stream had lost them.
        self.told = 0
        self.told_again = 0
        #: Whether it is this process that publishes just now, as far as is known.
        self.in_turn = True
        #: What keeps the feed from going on; None while it does.
        self.stuck: str | None = None

    def wake(self) -> None:
        """Say that there is something to publish."""
        self._woken.set()

    async def run(self, line: Line) -> None:
        """Publish until the connection is over (`Away`), or this is cancelled."""
        seen, looked = await self._compare(line), time.monotonic()
        while True:
            if time.monotonic() - looked >= LOOK_SECONDS:
                seen, looked = await self._compare(line), time.monotonic()
            self._woken.clear()
            doubt = await self._publish_some(line, seen)
            await self._prune()
            if doubt is None:
                await self._rest()
            elif doubt:
                await asyncio.sleep(_PAUSE)
                seen, looked = await self._compare(line, doubt), time.monotonic()

    async def _rest(self) -> None:
        if not self.in_turn:
            # Whoever has it is told, too.
            await asyncio.sleep(POLL_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        await asyncio.sleep(max(0.0, self._went + GATHER_SECONDS - time.monotonic()))

    async def _publish_some(self, line: Line, seen: Seen) -> str | None:
        """Publish the next rows; gives "" when there are more at once, None when not, or what is in doubt."""
        now, asked = to_micros(self._ambient.now()), self._most
        before, rows = await _in_thread(self._next, now)
        if not rows:
            return None
        messages = self._messages(line, rows)
        kept = await line.store(messages, together=seen.takes_batches)
        self._went = time.monotonic()
        number, last, reached = 0, before.last, before
        for row, each in zip(rows, kept, strict=True):
            if each is None:
                break
            if not each.repeated:
                if each.number <= last:
                    return f"number {each.number} was given out a second time"
                number, last = number + 1, each.number
            reached = replace(reached, position=row["position"], last=max(last, each.number))
        self.told += number
        if reached.position > before.position:
            first = (seen.first, seen.first_at) if seen.messages else (before.first or before.last + 1, now)
            reached = replace(reached, made=seen.made, holes=seen.holes, first=first[0], first_at=first[1])
            await self._mark(reached)
        if reached.position != rows[-1]["position"]:
            return "the stream did not take everything"
        return "" if len(rows) == asked else None

    async def _compare(self, line: Line, doubt: str | None = None) -> Seen:
        """Look whether the stream has what was published, and publish anew what it has lost; gives how it is then."""
        before, owner = await _in_thread(self._published)
        seen = await prepared(line, self._environment, self._settings, owner=owner)
        bounded, kept = self._settings.max_bytes is not None, round(self._settings.kept.total_seconds() * 1_000_000)
        now = to_micros(self._ambient.now())
        if doubt is None or not doubt.startswith("number"):
            # What was only not taken in time is found in the stream's numbers, if at all.
            doubt = suspicion(before, seen, kept=kept, bounded=bounded, at=now)
        if doubt is None:
            self.stuck = None
            return seen
        lost = await self._publish_again(line, seen, before, since=now - kept)
        seen = await look(line, self._environment) or seen
        await self._mark(published(seen, position=before.position))
        if before.made:
            log.warning("feed.lost_and_told_again", reason=doubt, messages=lost)
        self.stuck = None
        return seen

    async def _publish_again(self, line: Line, seen: Seen, before: Published, *, since: int) -> int:
        """Publish of what was published what the stream does not have; gives how much that was."""
        present = await self._present(line) if seen.messages else Present()
        after, lost = 0, 0
        while True:
            rows = await _in_thread(self._rows, after, until=before.position)
            if not rows:
                return lost
            after = rows[-1]["position"]
            gone = [row for row in rows if row["at"] > since and name_of(row) not in present]
            # The stream may remember a message that it has not any more: under another name it is taken.
            again = self._messages(line, gone, again=f"~{seen.last}")
            if None in await line.store(again, together=seen.takes_batches):
                raise Away(reason="the stream did not take what it had lost")
            lost += len(gone)
            self.told += len(gone)
            self.told_again += len(gone)

    async def _present(self, line: Line) -> Present:
        present = Present()
        try:
            async with line.reading(
                stream_of(self._environment), {"deliver_policy": "all"}, headers_only=True
            ) as reading:
                left = reading.pending
                while left:
                    async for message in reading.page(ANSWERS_WITHIN):
                        present.add(message.headers.get(ID, ""))
                        left = message.left
                        if not left:
                            break
        except NoStream:
            raise Away(reason="the stream was deleted meanwhile") from None
        return present

    def _messages(self, line: Line, rows: Sequence[Row], *, again: str = "") -> list[Message]:
        messages = [self._message(line, row, again=again) for row in rows]
        if messages:
            average = sum(len(content) for _, content, _ in messages) // len(messages) + 1
            self._most = min(BATCH, BATCH_BYTES // average)
        return messages

    def _message(self, line: Line, row: Row, *, again: str = "") -> Message:
        largest, name = min(LARGEST, line.largest - _ROOM), name_of(row)
        headers = {REPEATS: f"{name}{again}", ID: name, "Content-Type": CONTENT_TYPE}
        return (
            subject_of(self._environment, row["key"], row["type"]),
            envelope_of(row, largest=largest),
            headers,
        )

    def _published(self) -> tuple[Published, str]:
        with self._database.reading() as connection:
            whose = marks.get(connection, marks.HUB)
            return outbox.published(connection, self._environment), "" if whose is None else str(whose[0]["id"])

    def _next(self, now: int) -> tuple[Published, Sequence[Row]]:
        with self._database.reading() as connection:
            reached = outbox.published(connection, self._environment)
            self.in_turn = not self._is_anothers(reached, now)
            if not self.in_turn:
                return reached, ()
            rows = outbox.some(connection, self._environment, after=reached.position, limit=self._most, largest=LARGEST)
        if rows and self._stands_in and reached.publisher != self._name:
            self.in_turn = not 0 <= now - rows[0]["at"] < YIELDS_SECONDS * 1_000_000
        return reached, rows if self.in_turn else ()

    def _is_anothers(self, reached: Published, now: int) -> bool:
        """Tell whether another one publishes: it just did, and does not only stand in where this one does not."""
        others = reached.publisher not in ("", self._name) and (self._stands_in or not reached.stands_in)
        return others and 0 <= now - reached.at < TURN_SECONDS * 1_000_000

    def _rows(self, after: int, *, until: int) -> Sequence[Row]:
        with self._database.reading() as connection:
            return outbox.some(
                connection, self._environment, after=after, limit=self._most, largest=LARGEST, until=until
            )

    async def _mark(self, reached: Published) -> None:
        def work(transaction: Transaction) -> None:
            if self._stands_in:
                there = outbox.published(transaction.connection, self._environment)
                if not there.stands_in and self._is_anothers(there, transaction.now):
                    # Another one came while these facts were on their way; it is not to lose its turn by this mark.
                    return
            mark = replace(reached, publisher=self._name, stands_in=self._stands_in)
            outbox.mark(transaction, self._environment, mark)

        # It is one row, written whole; of two publishers the later one's stands, as it would if each were alone.
        await self._committer.commit(Work(work, patient=True, beside=True))

    async def _prune(self) -> None:
        """Take away what nobody can replay any more, some rows at a time: others commit in between."""
        if time.monotonic() - self._pruned < PRUNE_SECONDS:
            return
        self._pruned = time.monotonic()
        before = to_micros(self._ambient.now() - self._settings.kept)
        some = partial(outbox.prune, environment=self._environment, before=before, limit=_PRUNED_AT_ONCE)
        while await self._committer.commit(Work(some)) == _PRUNED_AT_ONCE:
            continue


async def _in_thread(read: Callable[..., T], *given: Any, **more: Any) -> T:
    """Read in a thread of its own; whoever is told to end waits for it, since the database may be closed after that."""
    reading = asyncio.ensure_future(asyncio.to_thread(read, *given, **more))
    try:
        return await asyncio.shield(reading)
    except asyncio.CancelledError:
        while not reading.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([reading])
        # Nobody asks any more what it came to.
        reading.exception()
        raise
