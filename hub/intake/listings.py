"""All records of a kind, carried over because a person ordered it: counted, then listed page by page, never too many.

What is listed waits for what was listed before: so many runs are open at a time, and no more, however many records
there are. A page's place is kept behind its durable events, so that whoever is killed goes on where it was.

Each record is an event of its own; or a batch of them is one, for flows that write thousands of records by one request.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hub.connections.accounts import Account
from hub.errors import RetryLater
from hub.intake.door import content_of, stored_data
from hub.intake.streams import Found, Streams
from hub.model.ambient import Ambient, of_micros
from hub.model.event import InboundEvent
from hub.model.limits import Asker
from hub.model.run import Priority
from hub.sdk.connector import Listing, Page
from hub.store import streams
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.streams import BackfillState

#: So many runs of a listing may be open, beside the page that is being taken.
MOST_OPEN = 300
#: So many batches of a listing may be open, beside the one that is being gathered, and so many records are in one.
MOST_BATCHES_OPEN, MOST_IN_ONE = 4, 10_000
#: So many records of a batch are asked for at once, where the vendor leaves one the choice.
MOST_IN_A_PAGE = 2500
#: How long a full hub is left alone, in seconds.
_LOOK = 0.25
#: Vendors tell times in whole seconds: what is listed counts as older than all that happens in the same second.
_COARSE = timedelta(seconds=1)


class Listings:
    """Carries out back-fills of listings, each from where it stands."""

    def __init__(self, *, ambient: Ambient, database: Database, committer: Committer, streams: Streams) -> None:
        """Take the collaborators."""
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._streams = streams

    async def carry_out(self, account: Account, listing: Listing, row: Mapping[str, Any]) -> bool:
        """List from where it stands to the end; False when it was cancelled meanwhile.

        Raises `RetryLater` where fewer were listed than were counted: all is counted and listed again then, and what
        was taken before is known. A page that lacks rows may look like the last one.
        """
        # Whoever else asks the vendor for something goes first.
        session = account.asked_by(Asker(priority=Priority.LOW, flow=f"back-fill {listing.name}"))
        backfill_id, since, until = str(row["id"]), of_micros(row["since"]), of_micros(row["until"])
        batch: int | None = row["batch"]

        def within(page: Page) -> list[InboundEvent]:
            return [event for event in page.events if since <= event.occurred_at <= until]

        total, read = row["total"], row["read"]
        if total is None:
            total = 0
            if listing.count is not None:
                total = await listing.count(session, since, until)
            else:
                async with aclosing(listing.pull(session, None, since)) as pages:  # type: ignore[type-var]
                    async for page in pages:
                        total += len(within(page))
            if not await self._committer.commit(Work(lambda tx: streams.count_backfill(tx, backfill_id, total=total))):
                return False
        if batch is None or listing.sized is None:
            pages = listing.pull(session, row["cursor"], since)
        else:
            pages = listing.sized(session, row["cursor"], since, rows_of_a_page(batch))
        async with aclosing(_parts(pages, within, batch)) as parts:
            while await self._has_room(backfill_id):
                asked = self._ambient.now() - _COARSE
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    break
                events = part.events if batch is None or not part.events else [_as_one(part.events, listing.event)]
                contents = [content_of(stored_data(event)[0]) for event in events]
                listed = [
                    replace(_as_listed(event, content, backfill_id), occurred_at=asked)
                    for event, content in zip(events, contents, strict=True)
                ]
                found = await self._streams.take(account, listed, contents=contents, priority=Priority.LOW)
                if batch is not None:
                    found = Found(read=len(part.events), new=len(part.events) if found.new else 0)
                kept = Work(
                    lambda tx, part=part, found=found: streams.advance_backfill(  # type: ignore[misc]
                        tx, backfill_id, cursor=part.cursor, reached=None, read=found.read, new=found.new
                    )
                )
                if not await self._committer.commit(kept):
                    return False
                read += found.read
            else:
                return False
        if read >= total:
            return True
        if not await self._committer.commit(Work(lambda tx: streams.list_again(tx, backfill_id))):
            return False
        raise RetryLater(
            f"Fewer records were listed ({read}) than were counted ({total}); all are listed again.",
            code="listed-fewer",
        )

    async def _has_room(self, backfill_id: str) -> bool:
        """Wait until few enough runs are open; False when the back-fill is not open any more."""
        while True:
            with self._database.reading() as connection:
                row = streams.backfill(connection, backfill_id)
                started = streams.started_by(connection, row)
            if row["state"] != BackfillState.OPEN:
                return False
            if started.at_work < (MOST_OPEN if row["batch"] is None else MOST_BATCHES_OPEN):
                return True
            await self._ambient.clock.sleep(_LOOK)


def in_batches(event: str) -> str:
    """Name the events that have many records at once, of a listing that tells of one record by `event`."""
    return f"{event}.batch"


def rows_of_a_page(batch: int) -> int:
    """Give how many records a page has, so that as few pages as can be make a batch, and none is more than that."""
    return batch // -(-batch // MOST_IN_A_PAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is taken at once: records, and the place behind them."""

    events: Sequence[InboundEvent]
    cursor: str


async def _parts(
    pages: AsyncIterator[Page], within: Callable[[Page], list[InboundEvent]], batch: int | None
) -> AsyncGenerator[_Part, None]:
    """Go through pages, or through as many of them at once as have a batch of records.

    A batch begins behind a place that is kept, and ends with a page: gathered again from there, it is the same one. It
    may have fewer records than were asked for, and never has more, unless one page alone has.
    """
    gathered: list[InboundEvent] = []
    cursor: str | None = None
    async with aclosing(pages) as listed:  # type: ignore[type-var]
        async for page in listed:
            found = within(page)
            if batch is None:
                yield _Part(events=found, cursor=page.cursor)
                continue
            if gathered and len(gathered) + len(found) > batch:
                assert cursor is not None
                yield _Part(events=gathered, cursor=cursor)
                gathered = []
            gathered, cursor = [*gathered, *found], page.cursor
            if not gathered or len(gathered) >= batch:
                yield _Part(events=gathered, cursor=cursor)
                gathered, cursor = [], None
    if cursor is not None:
        yield _Part(events=gathered, cursor=cursor)


def _as_one(events: Sequence[InboundEvent], told: str) -> InboundEvent:
    """Make one event of many records, as they are: a flow goes through them by itself."""
    first, last = events[0], events[-1]
    records = [event.data if event.record is None else event.record for event in events]
    return InboundEvent(
        external_id=f"{first.external_id}..{last.external_id}",
        type=in_batches(told),
        occurred_at=first.occurred_at,
        subject=first.subject,
        data={"count": len(records), "records": records},
    )


def _as_listed(event: InboundEvent, content: str, backfill_id: str) -> InboundEvent:
    """Name an event by its record, its content, and the back-fill: listed twice it is one, changed it is another."""
    return replace(event, external_id=f"{event.external_id}:{content[:16]}@{backfill_id}")
