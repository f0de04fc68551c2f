"""Back-fills: a span is read again to its end, whoever is killed meanwhile, and nothing is taken twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from hub.errors import Conflict, FixData, NotFound
from hub.model.event import Via
from hub.model.exchange import Request
from hub.model.run import Priority
from hub.sdk.connector import Limits, Page
from hub.sdk.session import Session
from hub.store import streams
from hub.store.tables import runs
from tests.engine.vendor import BASE
from tests.intake.listed import Down, Killed, Reader, VendorList, event_of, identity, reading, with_streams
from tests.intake.standing_clock import StandingClock

HOUR = timedelta(hours=1)
NOON = datetime.fromisoformat("2026-01-05T12:00+00:00")


def start(hours: int = 20, **more: object) -> tuple[StandingClock, VendorList]:
    """Give a vendor with one event each hour from noon on; it is just after the last of them."""
    clock = StandingClock("2026-01-05T12:00")
    vendor = VendorList(clock=clock, **more)  # type: ignore[arg-type]
    for _ in range(hours):
        vendor.happen()
        clock.leap(HOUR)
    return clock, vendor


async def carry_out(hub: Reader) -> None:
    hub.backfills.tick()
    await hub.backfills.settle()


async def order(hub: Reader, first: int, last: int) -> str:
    """Order the span from one hour's event to another's."""
    return await hub.backfills.order(
        "vendor",
        "told",
        since=NOON + (first - 1) * HOUR,
        until=NOON + (last - 1) * HOUR,
        actor="person:p_1",
        reason="The webhook's endpoint was wrong.",
    )


def row(hub: Reader, backfill_id: str) -> tuple[str, int, int]:
    with hub.database.reading() as connection:
        found = streams.backfill(connection, backfill_id)
    return found["state"], found["read"], found["new"]


async def test_a_span_is_read_and_nothing_else(tmp_path: Path) -> None:
    """What came by webhook is not taken again, and all its runs are of low priority."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        await hub.intake.accept("vendor", [event_of(vendor.entries[9])], Via.WEBHOOK)
        made = await order(hub, 8, 15)
        assert hub.backfills.tick() == 1
        assert hub.backfills.tick() == 0, "one back-fill of a connection at a time"
        await hub.backfills.settle()
        assert row(hub, made) == ("done", 8, 7)
        assert hub.taken() == [f"evt_{number}" for number in range(8, 16)]
        with hub.database.reading() as connection:
            found = connection.execute(select(runs.c.priority, runs.c.business_key)).all()
        assert {key: priority for priority, key in found} == {
            f"evt_{number}": Priority.NORMAL if number == 10 else Priority.LOW for number in range(8, 16)
        }
        assert hub.row() == {}, "the stream's own place is left as it was"


async def test_killed_anywhere_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """Before each of its writes, and while pages are read."""
    for number in range(16):
        clock, vendor = start(12)
        (tmp_path / str(number)).mkdir()
        speaks = with_streams(reading(vendor))
        async with Reader(tmp_path / str(number), clock, speaks) as hub:
            made = await order(hub, 1, 12)
            hub.committer.left = number
            hub.backfills.tick()
            tasks = [*hub.backfills._tasks.values()]
            for task in tasks:
                with contextlib.suppress(Killed):
                    await task
            hub.committer.left = None
        vendor.pages = 0
        async with Reader(tmp_path / str(number), clock, speaks) as hub:
            await carry_out(hub)
            assert row(hub, made)[0] == "done"
            assert hub.taken() == [identity(entry) for entry in vendor.entries]
            if number >= 8:
                assert vendor.pages <= 4, "it began anew"


async def test_a_vendor_that_fails_is_tried_again_later(tmp_path: Path) -> None:
    """The back-fill stays open, says why, and comes to its end."""
    clock, vendor = start()
    vendor.before_page = fail_on(2)
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        made = await order(hub, 1, 20)
        await carry_out(hub)
        assert row(hub, made) == ("open", 3, 3)
        with hub.database.reading() as connection:
            assert streams.backfill(connection, made)["error"] == "Nobody is there."
        assert hub.backfills.tick() == 0, "it is left alone for a while"
        clock.leap(timedelta(minutes=1))
        vendor.before_page = lambda _page: None
        await carry_out(hub)
        assert row(hub, made) == ("done", 20, 20)
        with hub.database.reading() as connection:
            assert streams.backfill(connection, made)["error"] is None


def fail_on(page: int) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number >= page:
            raise Down("Nobody is there.")

    return before


async def test_a_cancelled_one_brings_nothing_more(tmp_path: Path) -> None:
    """What it has brought stays."""
    clock, vendor = start()
    vendor.before_page = fail_on(3)
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        made = await order(hub, 1, 20)
        await carry_out(hub)
        await hub.backfills.cancel(made, actor="person:p_2", reason="Enough.")
        vendor.before_page = lambda _page: None
        clock.leap(HOUR)
        await carry_out(hub)
        assert row(hub, made) == ("cancelled", 6, 6)
        with pytest.raises(FixData):
            await hub.backfills.cancel(made, actor="person:p_2", reason="Again.")
        with pytest.raises(NotFound):
            await hub.backfills.cancel("backfill_0", actor="person:p_2", reason="None.")


async def test_cancelled_while_it_reads_it_stops_at_the_page(tmp_path: Path) -> None:
    """The next page is not kept."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        made = await order(hub, 1, 20)

        async def cancel() -> None:
            await hub.backfills.cancel(made, actor="person:p_2", reason="Enough.")

        vendor.before_page = lambda page: cancel() if page == 2 else None
        await carry_out(hub)
        assert row(hub, made) == ("cancelled", 3, 3)
        assert len(vendor.entries) > len(hub.taken())
        assert vendor.pages == 2


async def test_what_it_asks_the_vendor_waits_behind_everything_else(tmp_path: Path) -> None:
    """In the row of the account it stands in the last class."""
    clock, vendor = start(3)

    async def asking(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        await session.send(Request(method="GET", url=f"{BASE}/look/nothing"))
        async for page in vendor.pull(session, cursor, since):
            yield page

    speaks = replace(with_streams(replace(reading(vendor), pull=asking)), limits=Limits(concurrency=1))
    async with Reader(tmp_path, clock, speaks) as hub:
        limiter, made, gate = hub.accounts["vendor"].limiter, await order(hub, 1, 3), asyncio.Event()

        async def hold() -> None:
            async with limiter.permit(patient=True):
                await gate.wait()

        async with asyncio.timeout(20), asyncio.TaskGroup() as others:
            while not limiter.standing().waiting.get(Priority.NORMAL):
                others.create_task(hold())
                await asyncio.sleep(0.001)
            hub.backfills.tick()
            while not limiter.standing().waiting.get(Priority.LOW):
                await asyncio.sleep(0.001)
            assert vendor.pages == 0
            gate.set()
        await hub.backfills.settle()
        assert row(hub, made)[0] == "done"


async def test_what_cannot_be_ordered(tmp_path: Path) -> None:
    """No such stream, a span that is none, one that the vendor has no more, and a second one at the same time."""
    clock, vendor = start(keeps=timedelta(days=30))
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        for name, stream in (("vendor", "other"), ("nobody", "told")):
            with pytest.raises(NotFound):
                await hub.backfills.order(name, stream, since=NOON, until=None, actor="local", reason="Why.")
        with pytest.raises(FixData, match="before it ends"):
            await order(hub, 9, 8)
        with pytest.raises(FixData, match="keeps events for 30 days"):
            await hub.backfills.order(
                "vendor", "told", since=NOON - timedelta(days=31), until=None, actor="local", reason="Why."
            )
        with pytest.raises(FixData, match="Say why"):
            await hub.backfills.order("vendor", "told", since=NOON, until=None, actor="local", reason=" ")
        await order(hub, 1, 2)
        with pytest.raises(Conflict):
            await order(hub, 3, 4)
