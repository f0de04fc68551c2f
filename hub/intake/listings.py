"""All records of a kind, carried over because a person ordered it: counted, then listed page by page, never too many.

What is listed waits for what was listed before: so many runs are open at a time, and no more, however many records
there are. A page's place is kept behind its durable events, so that whoever is killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hub.connections.accounts import Account
from hub.errors import RetryLater
from hub.intake.door import content_of, stored_data
from hub.intake.streams import Streams
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
        async with aclosing(listing.pull(session, row["cursor"], since)) as pages:  # type: ignore[type-var]
            while await self._has_room(backfill_id):
                asked = self._ambient.now() - _COARSE
                try:
                    page = await anext(pages)
                except StopAsyncIteration:
                    break
                listed = [_as_listed(event, backfill_id) for event in within(page)]
                events = [replace(event, occurred_at=asked) for event in listed]
                found = await self._streams.take(account, events, priority=Priority.LOW)
                kept = Work(
                    lambda tx, page=page, found=found: streams.advance_backfill(  # type: ignore[misc]
                        tx, backfill_id, cursor=page.cursor, reached=None, read=found.read, new=found.new
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
            if started.at_work < MOST_OPEN:
                return True
            await self._ambient.clock.sleep(_LOOK)


def _as_listed(event: InboundEvent, backfill_id: str) -> InboundEvent:
    """Name an event by its record, its content, and the back-fill: listed twice it is one, changed it is another."""
    content = content_of(stored_data(event)[0])
    return replace(event, external_id=f"{event.external_id}:{content[:16]}@{backfill_id}")
