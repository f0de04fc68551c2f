"""Streams: nothing lost and nothing twice, over lists that are late, crashes, webhooks beside, and long silence."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hub.intake.positions import Position
from hub.model.event import Via
from hub.sdk.connector import Page
from hub.sdk.session import Session
from tests.intake.listed import Killed, Reader, VendorList, event_of, identity, reading, with_streams
from tests.intake.standing_clock import StandingClock

MINUTE = timedelta(minutes=1)
OVERLAP = timedelta(minutes=5)


def start(**more: object) -> tuple[StandingClock, VendorList]:
    clock = StandingClock("2026-01-05T12:00")
    return clock, VendorList(clock=clock, **more)  # type: ignore[arg-type]


@some.composite
def stories(draw: some.DrawFn) -> list[tuple[str, int]]:
    """Draw what happens: something (with a lag in seconds), a webhook, time, readings, and ends of the process."""
    step = some.one_of(
        some.tuples(some.just("happen"), some.one_of(some.just(0), some.integers(0, 300))),
        some.tuples(some.just("webhook"), some.integers(1, 3)),
        some.tuples(some.just("pass"), some.one_of(some.integers(1, 90), some.integers(1, 1500))),
        some.tuples(some.just("read"), some.just(0)),
        some.tuples(some.just("killed"), some.integers(0, 8)),
        some.tuples(some.just("down"), some.integers(1, 4)),
        some.tuples(some.just("slow"), some.integers(30, 400)),
    )
    return draw(some.lists(step, min_size=4, max_size=40))


@given(stories())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_each_event_is_taken_once(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, int]]
) -> None:
    """Late in the list, brought by a webhook too, read by a process that is killed anywhere: one run for each."""

    async def live() -> None:
        clock, vendor = start()
        directory, speaks = tmp_path_factory.mktemp("data"), with_streams(reading(vendor, overlap=OVERLAP))
        hub = await Reader(directory, clock, speaks).__aenter__()
        await hub.read()
        try:
            for what, number in story:
                if what == "happen":
                    clock.leap(timedelta(seconds=1))
                    vendor.happen(timedelta(seconds=number))
                elif what == "webhook" and len(vendor.entries) >= number:
                    await hub.intake.accept("vendor", [event_of(vendor.entries[-number])], Via.WEBHOOK)
                elif what == "pass":
                    clock.leap(timedelta(seconds=number))
                elif what == "read":
                    await hub.read()
                elif what == "slow":
                    vendor.before_page = slow_by(clock, number)
                    await hub.read()
                    vendor.before_page = lambda _number: None
                elif what == "down":
                    vendor.pages, vendor.before_page = 0, broken_at(number)
                    with contextlib.suppress(ConnectionError):
                        await hub.read()
                    vendor.before_page = lambda _number: None
                elif what == "killed":
                    hub.committer.left = number
                    with contextlib.suppress(Killed):
                        await hub.read()
                    hub.committer.left = None
                    await hub.__aexit__()
                    hub = await Reader(directory, clock, speaks).__aenter__()
            clock.leap(OVERLAP)
            await hub.read()
            assert hub.taken() == [identity(entry) for entry in vendor.entries]
            assert hub.gaps() == []
        finally:
            await hub.__aexit__()

    asyncio.run(live())


def slow_by(clock: StandingClock, seconds: int) -> Callable[[int], None]:
    def before(_number: int) -> None:
        clock.leap(timedelta(seconds=seconds))

    return before


@pytest.mark.parametrize("age", [MINUTE, 10 * MINUTE])
async def test_killed_before_any_of_its_writes_a_reading_loses_nothing(tmp_path: Path, age: timedelta) -> None:
    """The place moves only behind what is durable."""
    for number in range(15):
        clock, vendor = start()
        speaks = with_streams(reading(vendor, overlap=OVERLAP))
        (tmp_path / str(number)).mkdir()
        async with Reader(tmp_path / str(number), clock, speaks) as hub:
            await hub.read()
            for _ in range(8):
                clock.leap(timedelta(seconds=1))
                vendor.happen()
            clock.leap(age)
            hub.committer.left = number
            ended = number >= 8 + 3 + 1
            try:
                await hub.read()
            except Killed:
                assert not ended
            else:
                assert ended
            hub.committer.left = None
        async with Reader(tmp_path / str(number), clock, speaks) as hub:
            await hub.read()
            assert hub.taken() == [identity(entry) for entry in vendor.entries]


async def test_what_comes_to_light_behind_the_back_of_a_slow_reading_is_found(tmp_path: Path) -> None:
    """The next one begins where this one could not know better, however much time has passed meanwhile."""
    clock, vendor = start(page=1)
    async with Reader(tmp_path, clock, with_streams(reading(vendor, overlap=OVERLAP))) as hub:
        vendor.happen()
        clock.leap(timedelta(seconds=10))
        vendor.happen(timedelta(seconds=290))
        clock.leap(timedelta(seconds=10))
        vendor.happen()

        def slowly(page: int) -> None:
            clock.leap(timedelta(seconds=100))
            if page == 3:
                vendor.happen()
                clock.leap(timedelta(seconds=400))

        vendor.before_page = slowly
        assert await hub.read() == 3
        vendor.before_page = lambda _number: None
        assert await hub.read() == 1
        assert hub.taken() == [identity(entry) for entry in vendor.entries]


def broken_at(page: int) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number == page:
            raise ConnectionError("the vendor does not answer")

    return before


async def test_what_comes_to_light_late_is_found_also_after_a_long_silence(tmp_path: Path) -> None:
    """It was not there at the last reading before the hub was away, and is behind the cursor after it."""
    clock, vendor = start()
    speaks = with_streams(reading(vendor, overlap=OVERLAP))
    async with Reader(tmp_path, clock, speaks) as hub:
        await hub.read()
        clock.leap(MINUTE)
        vendor.happen(timedelta(minutes=4))
        clock.leap(MINUTE)
        vendor.happen()
        assert await hub.read() == 1
    clock.leap(timedelta(hours=20))
    async with Reader(tmp_path, clock, speaks) as hub:
        assert await hub.read() == 1
        assert hub.taken() == ["evt_1", "evt_2"]


async def test_without_an_overlap_such_an_event_would_be_lost(tmp_path: Path) -> None:
    """The test above can fail."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        await hub.read()
        vendor.happen(timedelta(minutes=4))
        clock.leap(MINUTE)
        vendor.happen()
        await hub.read()
        clock.leap(timedelta(hours=1))
        await hub.read()
        assert hub.taken() == ["evt_2"]


async def test_a_reading_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """A catch-up of many pages does not begin anew each time."""
    clock, vendor = start(page=10)
    speaks = with_streams(reading(vendor, overlap=OVERLAP))
    async with Reader(tmp_path, clock, speaks) as hub:
        await hub.read()
    for _ in range(1000):
        clock.leap(timedelta(seconds=30))
        vendor.happen()
    vendor.before_page = broken_at(51)
    vendor.pages = 0
    async with Reader(tmp_path, clock, speaks) as hub:
        with pytest.raises(ConnectionError):
            await hub.read()
        assert len(hub.taken()) == 500
    vendor.before_page = lambda _number: None
    vendor.pages = 0
    async with Reader(tmp_path, clock, speaks) as hub:
        assert await hub.read() == 500
        assert vendor.pages <= 53
        vendor.pages = 0
        assert await hub.read() == 0
        assert vendor.pages <= 3, "more than the overlap was read again"


async def test_reading_again_costs_no_transaction_of_its_own(tmp_path: Path) -> None:
    """What is known with the same content is left out before anything is written."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor, overlap=timedelta(hours=2)))) as hub:
        for _ in range(9):
            vendor.happen()
        await hub.read()
        before = hub.committer.writes
        assert await hub.read() == 0
        # Three pages, and the end.
        assert hub.committer.writes - before == 4


async def test_the_place_in_the_list_does_not_grow(tmp_path: Path) -> None:
    """However long it is read, the marks within the overlap are few."""
    clock, _ = start()
    position = Position(since=clock.now())
    for number in range(3000):
        clock.leap(timedelta(seconds=7))
        position = position.begun(clock.now(), OVERLAP)
        position = position.moved(str(number), [clock.now()], clock.now(), OVERLAP)
        assert len(position.marks) <= 20
        assert Position.loaded({**position.dumped()}, clock.now()) == position


async def test_a_cursor_of_an_earlier_release_is_gone_on_from(tmp_path: Path) -> None:
    """It had nothing beside it."""
    row = {"cursor": "17", "trail": None, "numbers": None}
    position = Position.loaded(row, datetime.fromisoformat("2026-01-05T12:00+00:00"))
    assert position.cursor == "17"
    assert position.begun(position.since, OVERLAP).cursor == "17"


async def test_a_hole_in_the_numbers_is_told_once_nothing_can_fill_it(tmp_path: Path) -> None:
    """Not before: what is late in the list is no gap. And it stays until somebody has seen to it."""
    clock, vendor = start()
    async with Reader(tmp_path, clock, with_streams(reading(vendor, overlap=OVERLAP, numbered=True))) as hub:
        vendor.happen()
        await hub.read()
        clock.leap(MINUTE)
        vendor.happen(timedelta(minutes=3))
        vendor.happen(timedelta(days=99))
        vendor.happen()
        await hub.read()
        clock.leap(4 * MINUTE)
        await hub.read()
        assert hub.taken() == ["evt_1", "evt_2", "evt_4"]
        assert hub.gaps() == []
        clock.leap(2 * MINUTE)
        await hub.read()
        assert hub.gaps() == ["numbers: Number 3 never came."]
        clock.leap(MINUTE)
        vendor.happen(timedelta(days=99))
        vendor.happen(timedelta(days=99))
        vendor.happen()
        await hub.read()
        clock.leap(6 * MINUTE)
        await hub.read()
        assert hub.gaps()[1:] == ["numbers: Numbers 5 to 6 never came (2 events)."]


@given(some.lists(some.integers(0, 300), min_size=1, max_size=25), some.integers(20, 200))
@settings(max_examples=25, deadline=None)
def test_numbers_that_are_only_late_are_no_gap(
    tmp_path_factory: pytest.TempPathFactory, lags: list[int], pause: int
) -> None:
    """Whatever order they come to light in."""

    async def live() -> None:
        clock, vendor = start()
        speaks = with_streams(reading(vendor, overlap=OVERLAP, numbered=True))
        async with Reader(tmp_path_factory.mktemp("data"), clock, speaks) as hub:
            vendor.happen()
            await hub.read()
            for lag in lags:
                clock.leap(timedelta(seconds=pause))
                vendor.happen(timedelta(seconds=lag))
                await hub.read()
            for _ in range(4):
                clock.leap(OVERLAP)
                await hub.read()
            assert hub.gaps() == []
            assert hub.taken() == [identity(entry) for entry in vendor.entries]

    asyncio.run(live())


async def test_a_silence_longer_than_the_vendor_keeps_events_is_a_gap(tmp_path: Path) -> None:
    """What is still there is read, and what may be gone is told, once."""
    clock, vendor = start(keeps=timedelta(days=30))
    speaks = with_streams(reading(vendor, overlap=OVERLAP))
    async with Reader(tmp_path, clock, speaks) as hub:
        vendor.happen()
        await hub.read()
        clock.leap(timedelta(days=1))
        lost = vendor.happen()
        clock.leap(timedelta(days=28, hours=23))
        assert await hub.read() == 1
        assert hub.gaps() == []
        clock.leap(timedelta(hours=1))
        lost = vendor.happen()
        clock.leap(timedelta(days=31))
        kept = vendor.happen()
        vendor.before_page = broken_at(1)
        vendor.pages = 0
        with pytest.raises(ConnectionError):
            await hub.read()
        vendor.before_page = lambda _number: None
        assert await hub.read() == 1
        assert lost not in hub.taken()
        assert kept in hub.taken()
        assert [gap.partition(":")[0] for gap in hub.gaps()] == ["too-old"]
        assert await hub.read() == 0


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=90)])
async def test_a_clock_that_was_ahead_for_one_reading_loses_nothing(tmp_path: Path, ahead: timedelta) -> None:
    """Neither what comes to light late, nor, when it was ahead by more than events are kept, what happens from now."""
    clock, theirs = StandingClock("2026-01-05T12:00"), StandingClock("2026-01-05T12:00")
    vendor = VendorList(clock=theirs, keeps=timedelta(days=30))
    async with Reader(tmp_path, clock, with_streams(reading(vendor, overlap=OVERLAP))) as hub:
        await hub.read()
        vendor.happen(timedelta(minutes=4))
        theirs.leap(MINUTE)
        vendor.happen()
        clock.leap(MINUTE + ahead)
        await hub.read()
        clock.leap(-ahead)
        for time in (clock, theirs):
            time.leap(timedelta(minutes=4))
        vendor.happen()
        await hub.read()
        assert hub.taken() == ["evt_1", "evt_2", "evt_3"]
        theirs.leap(MINUTE)
        vendor.happen()
        assert await hub.read() == 1


async def test_a_page_that_begins_behind_the_cursor_is_a_gap(tmp_path: Path) -> None:
    """The connector says so where the vendor does."""
    clock, vendor = start()

    async def behind(session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        async for page in vendor.pull(session, cursor, since):
            begins = page.events[0].occurred_at if cursor == "1" else None
            yield Page(events=page.events, cursor=page.cursor, begins_at=begins)

    async with Reader(tmp_path, clock, with_streams(replace(reading(vendor), pull=behind))) as hub:
        vendor.happen()
        await hub.read()
        vendor.happen()
        await hub.read()
        assert [gap.partition(":")[0] for gap in hub.gaps()] == ["begins-later"]
