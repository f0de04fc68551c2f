"""All records of a kind: counted, listed once, no more open than may be, and gone on with whoever is killed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.errors import FixData, RetryLater
from hub.intake import listings
from hub.intake.door import content_of, stored_data
from hub.model.ambient import of_micros
from hub.model.event import InboundEvent
from hub.model.run import Priority, RunState
from hub.sdk import exact_json
from hub.sdk.connector import Connector, Listing, Page, Stream
from hub.sdk.session import Session
from hub.store import streams
from hub.store.committer import Transaction, Work
from hub.store.streams import BackfillState
from hub.store.tables import events, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.engine.vendor import connector
from tests.intake.listed import FLOW, Killed, Reader, VendorList, reading
from tests.intake.standing_clock import StandingClock


def start(number: int = 20) -> tuple[StandingClock, VendorList]:
    """Give a vendor with so many records, one made each hour."""
    clock = StandingClock("2026-01-05T12:00")
    vendor = VendorList(clock=clock)
    for _ in range(number):
        vendor.happen()
        clock.leap(timedelta(hours=1))
    return clock, vendor


def listing(vendor: VendorList, *, event: str = "vendor.told") -> Connector:
    return replace(connector, listings=[Listing(name="things", title="All", event=event, pull=vendor.pull)])


async def order(hub: Reader) -> str:
    return await hub.backfills.order("vendor", "things", since=None, until=None, actor="local", reason="All of them.")


async def carry_out(hub: Reader) -> None:
    hub.backfills.tick()
    await hub.backfills.settle()


def row(hub: Reader, backfill_id: str) -> dict[str, Any]:
    with hub.database.reading() as connection:
        return dict(streams.backfill(connection, backfill_id))


def listed(hub: Reader) -> list[Any]:
    with hub.database.reading() as connection:
        statement = select(events.c.external_id, events.c.occurred_at, runs.c.priority, runs.c.business_key)
        return list(connection.execute(statement.join(runs, runs.c.event_id == events.c.id)).all())


def end(transaction: Transaction) -> None:
    """Let all runs come to their end."""
    ended = {"state": RunState.SUCCEEDED.value, "blocking": False, "claimable_at": None}
    transaction.connection.execute(update(runs).values(**ended))


async def test_every_record_starts_its_flow_once_and_behind_all_others(tmp_path: Path) -> None:
    """They are counted first; what is listed is as it stands now, whenever it was made."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        made = await order(hub)
        await carry_out(hub)
        found = row(hub, made)
        assert (found["state"], found["total"], found["read"], found["new"]) == (BackfillState.DONE, 20, 20, 20)
        taken = listed(hub)
        assert {one.business_key for one in taken} == {f"evt_{number}" for number in range(1, 21)}
        assert {one.priority for one in taken} == {Priority.LOW}
        assert {of_micros(one.occurred_at) for one in taken} == {clock.now() - timedelta(seconds=1)}


@pytest.mark.parametrize("told", [20, 21])
async def test_where_the_vendor_counts_all_is_listed_but_once(tmp_path: Path, told: int) -> None:
    """Its word is compared with what was listed, as a count by listing is."""
    clock, vendor = start()
    begun, asked = [], []

    def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        begun.append(cursor)
        return vendor.pull(session, cursor, since)

    async def count(_session: Session, since: datetime, until: datetime) -> int:
        asked.append((since, until))
        return told

    counting = Listing(name="things", title="All", event="vendor.told", pull=pull, count=count)
    async with Reader(tmp_path, clock, replace(connector, listings=[counting])) as hub:
        made = await order(hub)
        await carry_out(hub)
        found = row(hub, made)
        assert begun == [None]
        assert asked == [(of_micros(found["since"]), of_micros(found["until"]))]
        assert (found["state"] == BackfillState.DONE) is (told == 20)
        assert found["new"] == len(listed(hub)) == 20


async def test_what_is_listed_again_by_a_further_order_starts_its_flow_again(tmp_path: Path) -> None:
    """So whoever doubts what stands at the other side orders it once more; the flow itself knows what is there."""
    clock, vendor = start(3)
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        for times in (1, 2):
            await order(hub)
            await carry_out(hub)
            assert len(listed(hub)) == 3 * times


async def test_killed_anywhere_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Before each of its writes; nothing is listed twice, and nothing left out."""
    for number in range(14):
        clock, vendor = start(12)
        folder = tmp_path / str(number)
        folder.mkdir()
        async with Reader(folder, clock, listing(vendor)) as hub:
            made = await order(hub)
            hub.committer.left = number
            hub.backfills.tick()
            for task in [*hub.backfills._tasks.values()]:
                with contextlib.suppress(Killed):
                    await task
            hub.committer.left = None
        async with Reader(folder, clock, listing(vendor)) as hub:
            await carry_out(hub)
            found = row(hub, made)
            assert (found["state"], found["total"], found["read"]) == (BackfillState.DONE, 12, 12)
            assert len(listed(hub)) == 12


async def test_no_more_are_open_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is listed waits for what was listed before; the rest is not even read."""
    monkeypatch.setattr(listings, "MOST_OPEN", 5)
    clock, vendor = start(20)
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        made = await order(hub)
        for wave in (6, 12, 18, 20):
            hub.backfills.tick()
            async with asyncio.timeout(20):
                while row(hub, made)["read"] < wave:
                    clock.leap(timedelta(seconds=1))
                    await asyncio.sleep(0.001)
            for _ in range(20):
                clock.leap(timedelta(seconds=1))
                await asyncio.sleep(0.001)
            assert row(hub, made)["read"] == wave
            await hub.committer.commit(Work(end))
        await hub.backfills.settle()
        assert row(hub, made)["state"] == BackfillState.DONE


async def test_one_that_is_cancelled_brings_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MOST_OPEN", 3)
    clock, vendor = start(12)
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        made = await order(hub)
        hub.backfills.tick()
        async with asyncio.timeout(20):
            while row(hub, made)["read"] < 3:
                await asyncio.sleep(0.001)
        await hub.backfills.cancel(made, actor="local", reason="Enough.")
        async with asyncio.timeout(20):
            while hub.backfills._tasks:
                clock.leap(timedelta(seconds=1))
                await asyncio.sleep(0.001)
        assert (row(hub, made)["state"], len(listed(hub))) == (BackfillState.CANCELLED, 3)


async def test_a_listing_that_starts_no_flow_is_refused(tmp_path: Path) -> None:
    """Of a stream the first moment must be said."""
    clock, vendor = start(3)
    speaks: Connector = replace(listing(vendor, event="vendor.nobody"), streams=[_stream(vendor)])
    async with Reader(tmp_path, clock, speaks) as hub:
        with pytest.raises(FixData, match=r"No flow is started by `vendor\.nobody`"):
            await order(hub)
        with pytest.raises(FixData, match="from a moment on"):
            await hub.backfills.order("vendor", "told", since=None, until=None, actor="local", reason="Why.")


@pytest.mark.parametrize("forever", [False, True])
async def test_where_fewer_are_listed_than_were_counted_all_is_listed_again(tmp_path: Path, *, forever: bool) -> None:
    """A page without its last row looks like the end; a record that was deleted stays away and holds up nothing."""
    clock, vendor = start(12)
    gone = vendor.entries[-1]

    def hide(page: int) -> None:
        # Five pages are counted, and the fourth that is listed then lacks a row.
        if page == 9:
            vendor.entries.remove(gone)
        elif page == 11 and not forever:
            vendor.entries.append(gone)

    vendor.before_page = hide
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        made = await order(hub)
        await carry_out(hub)
        found = row(hub, made)
        assert found["state"] == BackfillState.OPEN
        assert "Fewer records were listed (11) than were counted (12)" in found["error"]
        clock.leap(timedelta(minutes=2))
        await carry_out(hub)
        found, there = row(hub, made), 11 if forever else 12
        assert (found["state"], found["total"], found["read"]) == (BackfillState.DONE, there, there)
        assert found["new"] == len(listed(hub)) == there


def _stream(vendor: VendorList) -> Stream:
    return reading(vendor)


async def order_batches(hub: Reader, batch: int) -> str:
    return await hub.backfills.order(
        "vendor", "things", since=None, until=None, actor="local", reason="All of them.", batch=batch
    )


def batches(hub: Reader) -> list[list[int]]:
    """Give the numbers of the records of each batch that has started a run, in the order in which they came."""
    with hub.database.reading() as connection:
        statement = select(events.c.data).join(runs, runs.c.event_id == events.c.id).order_by(runs.c.position)
        found = [exact_json.loads(text) for text in connection.execute(statement).scalars()]
    assert all(one["count"] == len(one["records"]) for one in found)
    return [[record["number"] for record in one["records"]] for one in found]


def in_batches(vendor: VendorList) -> tuple[Connector, Bundle]:
    """Give the connector, and a flow that takes its records by the batch."""
    speaks = listing(vendor)
    flow = FLOW.replace("vendor.told", "vendor.told.batch").replace("data.id", "event.id")
    files = {"flows/seen.yaml": flow.encode(), "connections/vendor.yaml": b"connection: vendor\nconnector: vendor\n"}
    bundle, lints = compile_bundle(files, catalogue_of([speaks]))
    assert bundle is not None, [str(lint) for lint in lints]
    return speaks, bundle


@pytest.mark.parametrize(
    ("batch", "found"),
    [(1, [3, 3, 3, 1]), (3, [3, 3, 3, 1]), (5, [3, 3, 4]), (6, [6, 4]), (7, [6, 4]), (100, [10])],
)
async def test_many_records_come_in_one_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int, found: list[int]
) -> None:
    """As many pages as there is room for; a page is never divided. How many there are is counted in records."""
    monkeypatch.setattr(listings, "MOST_BATCHES_OPEN", 10)
    clock, vendor = start(10)
    speaks, bundle = in_batches(vendor)
    async with Reader(tmp_path, clock, speaks, bundle=bundle) as hub:
        made = await order_batches(hub, batch)
        await carry_out(hub)
        taken = batches(hub)
        assert [len(one) for one in taken] == found
        assert [number for one in taken for number in one] == [*range(1, 11)]
        stands = row(hub, made)
        assert (stands["state"], stands["total"], stands["read"], stands["new"]) == (BackfillState.DONE, 10, 10, 10)


async def test_killed_anywhere_a_batch_comes_once(tmp_path: Path) -> None:
    """It is gathered again from its place, and is the same one."""
    for number in range(8):
        clock, vendor = start(12)
        speaks, bundle = in_batches(vendor)
        folder = tmp_path / str(number)
        folder.mkdir()
        async with Reader(folder, clock, speaks, bundle=bundle) as hub:
            made = await order_batches(hub, 6)
            hub.committer.left = number
            hub.backfills.tick()
            for task in [*hub.backfills._tasks.values()]:
                with contextlib.suppress(Killed):
                    await task
            hub.committer.left = None
        async with Reader(folder, clock, speaks, bundle=bundle) as hub:
            await carry_out(hub)
            assert row(hub, made)["state"] == BackfillState.DONE
            assert batches(hub) == [[*range(1, 7)], [*range(7, 13)]]


async def test_no_more_batches_are_open_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MOST_BATCHES_OPEN", 2)
    clock, vendor = start(12)
    speaks, bundle = in_batches(vendor)
    async with Reader(tmp_path, clock, speaks, bundle=bundle) as hub:
        made = await order_batches(hub, 3)
        for wave in (6, 12):
            hub.backfills.tick()
            async with asyncio.timeout(20):
                while row(hub, made)["read"] < wave:
                    clock.leap(timedelta(seconds=1))
                    await asyncio.sleep(0.001)
            for _ in range(20):
                clock.leap(timedelta(seconds=1))
                await asyncio.sleep(0.001)
            assert row(hub, made)["read"] == wave
            await hub.committer.commit(Work(end))
        await hub.backfills.settle()


async def test_batches_are_for_records_and_for_flows_that_take_them(tmp_path: Path) -> None:
    clock, vendor = start(3)
    async with Reader(tmp_path, clock, replace(listing(vendor), streams=[_stream(vendor)])) as hub:
        with pytest.raises(FixData, match=r"No flow is started by `vendor\.told\.batch`"):
            await order_batches(hub, 3)
        for stream, batch in (("told", 3), ("things", 0), ("things", listings.MOST_IN_ONE + 1)):
            with pytest.raises(FixData, match="of at most"):
                await hub.backfills.order(
                    "vendor", stream, since=clock.now(), until=None, actor="local", reason="Why.", batch=batch
                )


async def test_one_that_was_changed_between_two_looks_counts_as_it_is_now(tmp_path: Path) -> None:
    """The page before a crash is read once more, and a record is another one by then: both have their run."""
    clock, vendor = start(2)
    async with Reader(tmp_path, clock, listing(vendor)) as hub:
        event = InboundEvent(external_id="evt_1", type="vendor.told", occurred_at=clock.now(), data={"id": "evt_1"})

        def as_listed(event: InboundEvent) -> InboundEvent:
            return listings._as_listed(event, content_of(stored_data(event)[0]), "backfill_1")

        one, other = (as_listed(replace(event, data={**event.data, "colour": colour})) for colour in ("red", "blue"))
        assert one.external_id != other.external_id
        assert as_listed(one).external_id != one.external_id
        found = await hub.streams.take(hub.accounts["vendor"], [one, other], priority=Priority.LOW)
        assert (found.read, found.new, len(listed(hub))) == (2, 2, 2)


async def test_a_list_in_the_making_is_looked_at_again_when_the_connector_says(tmp_path: Path) -> None:
    """Nothing has failed; what fails is left alone for half a minute at first."""
    clock, vendor = start(3)
    looks = []

    async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        if cursor is None:
            yield Page(events=[], cursor="0")
        looks.append(clock.now())
        if len(looks) < 3:
            raise RetryLater("It is being made.", code="job-unfinished", after=2.0)
        if len(looks) == 3:
            raise RetryLater("Busy.", after=2.0)
        async for page in vendor.pull(session, cursor or "0", since):
            yield page

    async def count(_session: Session, _since: datetime, _until: datetime) -> int:
        return 3

    making = Listing(name="things", title="All", event="vendor.told", pull=pull, count=count)
    async with Reader(tmp_path, clock, replace(connector, listings=[making])) as hub:
        made = await order(hub)
        for seconds in (0, 1, 1, 1, 1, 10):
            clock.leap(timedelta(seconds=seconds))
            await carry_out(hub)
        assert [(look - looks[0]).total_seconds() for look in looks] == [0, 2, 4]
        assert (row(hub, made)["error"], row(hub, made)["read"]) == ("Busy.", 0)
        clock.leap(timedelta(seconds=40))
        await carry_out(hub)
        assert (row(hub, made)["state"], row(hub, made)["read"]) == (BackfillState.DONE, 3)


async def test_a_list_in_the_making_is_taken_up_as_soon_as_it_is_due(tmp_path: Path) -> None:
    """No tick has to come by: a list of half a second would wait for one longer than it takes."""
    clock, vendor = start(3)
    looks = []

    class Passing:
        """The same clock, which time passes on while somebody waits."""

        now = clock.now

        async def sleep(self, seconds: float) -> None:
            await asyncio.sleep(0)
            clock.leap(timedelta(seconds=seconds))

    async def pull(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        looks.append(clock.now())
        if len(looks) < 4:
            raise RetryLater("It is being made.", code="job-unfinished", after=0.5)
        async for page in vendor.pull(session, cursor, since):
            yield page

    async def count(_session: Session, _since: datetime, _until: datetime) -> int:
        return 3

    making = Listing(name="things", title="All", event="vendor.told", pull=pull, count=count)
    async with Reader(tmp_path, clock, replace(connector, listings=[making])) as hub:
        hub.backfills._ambient = replace(hub.backfills._ambient, clock=Passing())
        made = await order(hub)
        hub.backfills.tick()
        async with asyncio.timeout(10):
            while row(hub, made)["state"] == BackfillState.OPEN:
                await asyncio.sleep(0)
        assert [(look - looks[0]).total_seconds() for look in looks] == [0, 0.5, 1, 1.5]
        assert row(hub, made)["read"] == 3


@pytest.mark.parametrize(
    ("batch", "rows"), [(1, 1), (250, 250), (2500, 2500), (2501, 1250), (5000, 2500), (9999, 2499)]
)
def test_as_few_pages_as_can_be_make_a_batch(batch: int, rows: int) -> None:
    assert listings.rows_of_a_page(batch) == rows


async def test_who_takes_batches_asks_for_pages_of_their_size(tmp_path: Path) -> None:
    """Who takes record by record has the vendor's own pages; so have those who only count."""
    clock, vendor = start(20)
    asked: list[tuple[str | None, int]] = []

    def sized(session: Session, cursor: str | None, since: datetime, rows: int) -> AsyncIterator[Page]:
        asked.append((cursor, rows))
        return replace(vendor, page=rows).pull(session, cursor, since)

    plain, bundle = in_batches(vendor)
    speaks = replace(plain, listings=[replace(plain.listings[0], sized=sized)])
    async with Reader(tmp_path, clock, speaks, bundle=bundle) as hub:
        made = await order_batches(hub, 8)
        await carry_out(hub)
        assert asked == [(None, 8)]
        assert batches(hub) == [[*range(1, 9)], [*range(9, 17)], [*range(17, 21)]]
        assert row(hub, made)["state"] == BackfillState.DONE
