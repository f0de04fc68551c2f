"""The trial of a listing under one fault: a back-fill of it is ordered, broken off, taken up, and compared.

What the vendor has is told by the sample out of the sandbox's books, so that a listing is not compared with itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import select, update

from hub.intake.backfills import Backfills
from hub.intake.door import content_of, stored_data
from hub.model.event import InboundEvent
from hub.proof.certification.catalogue import ProviderFault
from hub.proof.certification.flows import CONNECTION, of_triggers
from hub.proof.certification.judging import Listed
from hub.proof.certification.obstacles import NotStruck, trap
from hub.proof.certification.readings import BETWEEN, is_mended, reading_of, set_plan, streams_of
from hub.proof.certification.stand import ENVIRONMENT, PATIENCE, SHORT_PATIENCE, Stand, stand
from hub.sdk.connector import Connector, Listing, Page
from hub.sdk.session import Session
from hub.sdk.testing.samples import ListingSample, Samples
from hub.sdk.testing.sending import Connected
from hub.store import streams
from hub.store.committer import Work
from hub.store.control_tables import backfills
from hub.store.streams import BackfillState
from hub.store.tables import events

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
#: The records are older than the order by more than any clock is wrong here; what is made later is told otherwise.
_OLDER = timedelta(hours=1)


class Place(StrEnum):
    """Where in a back-fill a fault begins."""

    FIRST = "from the first request on"
    BEHIND = "behind the first page"


def places_of(fault: ProviderFault | None) -> Sequence[Place]:
    """Give where a fault is tried; what has no beginning of its own is tried once."""
    if fault is None or fault.skew or fault.name == "page-repeated":
        return [Place.BEHIND]
    return [*Place]


class _Gate:
    """A listing that stops behind the first page it lists, once what it gave is durable."""

    def __init__(self, listing: Listing) -> None:
        self._pull = listing.pull
        # Where the vendor counts, they are listed but once.
        self._taken = 2 if listing.count is None else 1
        self._times = 0
        self.stops = False
        self.stopped = False

    async def pull(self, session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Give the pages; unless the vendor counts, the first time they are counted, and then they are taken."""
        self._times += 1
        stops = self.stops and self._times == self._taken
        async with aclosing(self._pull(session, cursor, since)) as pages:  # type: ignore[type-var]
            async for page in pages:
                yield page
                if stops and page.events:
                    self.stopped = True
                    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the vendor has: the ids of its records, the content of those that are listed, and the listing's pages.

    `astray` are the cursors that do not lead behind their page.
    """

    records: Collection[str]
    contents: Mapping[str, str]
    pages: int
    twice: Sequence[str]
    astray: Sequence[str]


async def try_listing(
    connector: Connector, samples: Samples, sample: ListingSample, fault: ProviderFault | None, place: Place
) -> Listed:
    """Carry out a back-fill of a listing under a fault (None: it is only broken off) to its end, or for long enough.

    Raises `NotStruck` where the fault cannot strike.
    """
    listing = next(one for one in connector.listings if one.name == sample.listing)
    gate = _Gate(listing)
    alone = replace(connector, streams=(), listings=(replace(listing, pull=gate.pull),))
    patience = SHORT_PATIENCE if fault is not None and fault.hangs else PATIENCE
    skew = 0.0 if fault is None else fault.skew
    bundle = of_triggers(alone, [listing.event])
    async with stand(alone, samples, bundle, patience=patience, skew=skew) as hub, trap() as elsewhere:
        await hub.sandbox.world.books.seed(sample.seed)
        await hub.pass_by(_OLDER.total_seconds())
        wanted = await _at_vendor(hub, listing, sample, with_cursors=fault is None)
        orders = _orders(hub)
        backfill = await orders.order(
            CONNECTION, listing.name, since=None, until=None, actor="local", reason="Tried by the certification."
        )
        if place is Place.BEHIND:
            gate.stops = True
            orders.tick()
            await hub.until(lambda: gate.stopped or not orders.is_busy)
            # As a hub that is ended here, and started again. One that never came so far is not ended later either.
            await orders.stop()
            gate.stops = False
            orders = _orders(hub)
        if fault is not None and fault.name == "page-repeated":
            again = update(backfills).where(backfills.c.id == backfill).values(cursor=None)
            await hub.committer.commit(Work(lambda transaction: transaction.connection.execute(again)))
        await set_plan(hub, fault, elsewhere.url)
        mended = False
        for seconds in BETWEEN:
            orders.tick()
            await hub.until(lambda orders=orders: not orders.is_busy)  # type: ignore[misc]
            if not mended and await is_mended(hub, skew):
                mended = True
            elif _row(hub, backfill)["state"] != BackfillState.OPEN and hub.sandbox.world.faults.is_over:
                break
            hub.clock.leap(seconds)
        await orders.stop()
        struck = hub.sandbox.world.faults.injected
        if fault is not None and not all(struck.get(entry["kind"]) for _, entry in fault.plan):
            raise NotStruck
        return _listed(hub, backfill, wanted, elsewhere.visitors)


def _orders(hub: Stand) -> Backfills:
    return Backfills(
        environment=ENVIRONMENT,
        ambient=hub.ambient,
        database=hub.database,
        committer=hub.committer,
        accounts=hub.accounts,
        streams=streams_of(hub),
        bundle=hub.bundle,
    )


async def _at_vendor(hub: Stand, listing: Listing, sample: ListingSample, *, with_cursors: bool) -> _Wanted:
    """List everything at once, and `with_cursors` from each of them to the end, with nothing that goes wrong."""
    connected = Connected(hub.connector, hub.beside, now=hub.sandbox.world.clock.now)
    astray = []
    try:
        with hub.sandbox.world.faults.suspended():
            pages = [page async for page in listing.pull(connected, None, _EVER)]
            for number, page in enumerate(pages if with_cursors else ()):
                rest = [later async for later in listing.pull(connected, page.cursor, _EVER)]
                if _ids(rest) != _ids(pages[number + 1 :]):
                    astray.append(page.cursor)
    finally:
        await connected.close()
    found: list[InboundEvent] = [event for page in pages for event in page.events]
    times = Counter(event.external_id for event in found)
    return _Wanted(
        records=frozenset(sample.records(hub.books())),
        contents={event.external_id: content_of(stored_data(event)[0]) for event in found},
        pages=len(pages),
        twice=sorted(id for id, count in times.items() if count > 1),
        astray=astray,
    )


def _ids(pages: Sequence[Page]) -> list[str]:
    return [event.external_id for page in pages for event in page.events]


def _row(hub: Stand, backfill: str) -> Mapping[str, object]:
    with hub.database.reading() as reading:
        return streams.backfill(reading, backfill)


def _listed(hub: Stand, backfill: str, wanted: _Wanted, strayed: int) -> Listed:
    with hub.database.reading() as reading:
        found = reading.execute(select(events.c.external_id, events.c.body_hash)).all()
    taken: list[str] = []
    wrong: set[str] = {id for id in wanted.contents if id not in wanted.records}
    for row in found:
        # An event of a listing is named by its record, its content and the back-fill: `ID:digest@backfill`.
        name, _, ordered = row.external_id.rpartition("@")
        record, _, digest = name.rpartition(":")
        taken.append(record)
        as_it_is = wanted.contents.get(record) == row.body_hash and record in wanted.records
        if not as_it_is or ordered != backfill or not row.body_hash.startswith(digest):
            wrong.add(record)
    times = Counter(taken)
    stands = _row(hub, backfill)
    return Listed(
        read=reading_of(hub, lost=sorted(set(wanted.records) - times.keys()), wrong=sorted(wrong), strayed=strayed),
        twice=sorted({*wanted.twice, *(id for id, count in times.items() if count > 1)}),
        astray=wanted.astray,
        pages=wanted.pages,
        done=stands["state"] == BackfillState.DONE,
        error=None if stands["error"] is None else str(stands["error"]),
    )
