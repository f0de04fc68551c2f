"""When streams are read: each at its own time, beside each other, with patience for those that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.errors import RetryLater
from hub.intake.polls import FIRST_RETRY, LONGEST_RETRY, MOST_OF_ALL, MOST_OF_ONE, wait_after
from tests.intake.listed import Down, Reader, VendorList, compiled, reading, with_streams
from tests.intake.standing_clock import StandingClock

MINUTE = timedelta(minutes=1)


def start() -> tuple[StandingClock, VendorList]:
    clock = StandingClock("2026-01-05T12:00")
    return clock, VendorList(clock=clock)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.001)


async def rest(hub: Reader) -> None:
    """Let what was begun come to its end."""
    await until(lambda: not hub.polls.going)


async def pass_time(hub: Reader, time: timedelta, step: timedelta = timedelta(seconds=1)) -> int:
    """Tick as time passes; gives how many readings were begun."""
    begun = 0
    end = hub.clock.now() + time
    while hub.clock.now() < end:
        hub.clock.leap(step)
        begun += hub.polls.tick()
        await rest(hub)
    return begun


def raising(error: Exception) -> Callable[[int], None]:
    def before(_page: int) -> None:
        raise error

    return before


async def test_a_stream_is_read_at_once_and_then_at_its_interval(tmp_path: Path) -> None:
    """Its own where the connection's file names one, else the hub's."""
    clock, vendor = start()
    speaks = with_streams(reading(vendor), reading(vendor, name="slow"))
    bundle = compiled(speaks, vendor="poll: { slow: { every: PT10M } }\n")
    async with Reader(tmp_path, clock, speaks, bundle=bundle) as hub:
        assert hub.polls.tick() == 2
        await rest(hub)
        vendor.pages = 0
        assert await pass_time(hub, timedelta(minutes=10)) == 11
        assert hub.row(stream="slow")["read_at"] == hub.row(stream="told")["read_at"]


async def test_a_slow_vendor_delays_no_other(tmp_path: Path) -> None:
    """And is itself not read a second time before it has answered."""
    clock, slow = start()
    quick = VendorList(clock=clock)
    hung = asyncio.Event()
    slow.before_page = lambda _page: hung.wait()
    hubs = [with_streams(reading(slow)), with_streams(reading(quick))]
    async with Reader(tmp_path, clock, *hubs) as hub:
        for _ in range(5):
            hub.polls.tick()
            await until(lambda: hub.polls.going == {("vendor1", "told")})
            quick.happen()
            clock.leap(MINUTE)
        assert slow.pages == 1
        assert len(hub.taken()) >= 4
        hung.set()
        await rest(hub)
        assert hub.row("vendor1")["read_at"] is not None


async def test_so_many_at_a_time_and_all_of_them_in_the_end(tmp_path: Path) -> None:
    """One connection with many streams keeps places free for others."""
    clock, vendor = start()
    open_now, most, gate = [0], [0], asyncio.Event()

    async def wait() -> None:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        await gate.wait()
        open_now[0] -= 1

    vendor.before_page = lambda _page: wait()
    many = [with_streams(*(reading(vendor, name=f"s{number}") for number in range(4))) for _ in range(20)]
    async with Reader(tmp_path, clock, *many) as hub:
        hub.polls.tick()
        hub.polls.tick()
        await until(lambda: most[0] == MOST_OF_ALL)
        assert hub.polls.tick() == 0
        assert max(sum(1 for each, _ in hub.polls.going if each == name) for name in hub.accounts) == MOST_OF_ONE
        gate.set()
        found = await hub.polls.read_all()
        assert found.new == 0
        assert all(hub.row(name, f"s{number}")["read_at"] for name in hub.accounts for number in range(4))


async def test_a_stream_that_fails_is_tried_again_with_patience_and_shown(tmp_path: Path) -> None:
    """More seldom each time, and at its interval again once it works."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor)), every=timedelta(minutes=2)) as hub:
        vendor.before_page = raising(Down("Nobody is there."))
        tried = []
        for second in range(3600):
            if hub.polls.tick():
                tried.append(second)
                await rest(hub)
            clock.leap(timedelta(seconds=1))
        waits = [after - before for before, after in pairwise(tried)]
        assert waits[0] in range(30, 39)
        assert all(after >= before for before, after in pairwise(waits[:4]))
        assert max(waits) >= 0.9 * LONGEST_RETRY.total_seconds()
        assert 6 <= len(tried) <= 9
        row = hub.row()
        assert (row["failures"], row["error"]) == (len(tried), "Nobody is there.")
        assert row["failed_at"] is not None
        assert row["read_at"] is None
        vendor.before_page = lambda _page: None
        await pass_time(hub, timedelta(minutes=20))
        row = hub.row()
        assert (row["failures"], row["error"]) == (0, None)
        assert await pass_time(hub, timedelta(minutes=10)) == 5


async def test_a_vendor_that_asks_for_patience_gets_it(tmp_path: Path) -> None:
    """As many seconds as it says."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        vendor.before_page = raising(RetryLater("Busy.", after=3000))
        hub.polls.tick()
        await rest(hub)
        assert await pass_time(hub, timedelta(seconds=2990)) == 0
        assert await pass_time(hub, timedelta(seconds=20)) == 1


@given(some.integers(1, 60), some.integers(1, 7200), some.floats(0, 1), some.none() | some.floats(0, 9999))
def test_the_patience_has_bounds(failures: int, every: int, chance: float, asked: float | None) -> None:
    """Never less than asked, never shorter than the interval allows at first, never for ever."""
    wait = wait_after(failures, timedelta(seconds=every), asked, chance)
    assert wait >= timedelta(seconds=asked or 0)
    assert wait >= min(timedelta(seconds=every), FIRST_RETRY)
    assert wait <= max(timedelta(seconds=asked or 0), 1.25 * max(timedelta(seconds=every), LONGEST_RETRY))


async def test_a_defect_of_one_connector_harms_no_other(tmp_path: Path) -> None:
    """It is shown with its stream."""
    clock, broken = start()
    broken.before_page = raising(KeyError("data"))
    whole = VendorList(clock=clock)
    whole.happen()
    async with Reader(tmp_path, clock, with_streams(reading(broken)), with_streams(reading(whole))) as hub:
        found = await hub.polls.read_all()
        assert found.new == 1
        assert hub.row("vendor1")["error"] == "KeyError: 'data'"


async def test_a_paused_connection_is_left_alone_and_a_new_account_is_tried_at_once(tmp_path: Path) -> None:
    """Whoever has mended the settings need not wait for the next try."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor)), every=timedelta(hours=1)) as hub:
        hub.accounts["vendor"].paused = "for a while"
        assert hub.polls.tick() == 0
        hub.accounts["vendor"].paused = None
        assert hub.polls.tick() == 1
        await rest(hub)
        assert hub.polls.tick() == 0
        other = hub.account("vendor", with_streams(reading(vendor)))
        hub.accounts["vendor"] = other
        assert hub.polls.tick() == 1


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(days=400)])
async def test_a_clock_that_is_put_back_makes_no_stream_wait(tmp_path: Path, back: timedelta) -> None:
    """A reading too many does no harm; a year without one would."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        hub.polls.tick()
        await rest(hub)
        clock.leap(-back)
        assert await pass_time(hub, timedelta(minutes=3)) >= 3


async def test_a_reading_that_is_broken_off_is_taken_up(tmp_path: Path) -> None:
    """Stopping waits for nobody, and loses nothing."""
    clock, vendor = start()
    for _ in range(7):
        vendor.happen()
    gate = asyncio.Event()

    def second(page: int) -> object:
        return gate.wait() if page == 2 else None

    vendor.before_page = second
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        hub.polls.tick()
        await until(lambda: vendor.pages == 2)
        await asyncio.wait_for(hub.polls.stop(), timeout=5)
        assert len(hub.taken()) == 3
    vendor.before_page = lambda _page: None
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        assert (await hub.polls.read_all()).new == 4
