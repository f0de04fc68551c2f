"""Triggers: due moments over the changes of clocks, against a walk through every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from hub.errors import FixData
from hub.intake.moments import last_dues
from hub.model.ambient import of_micros
from hub.model.cron import Cron, read_cron
from hub.runtime.triggers import ANCHOR, trigger_of

MINUTE = timedelta(minutes=1)
#: Put forward and back at night, by half an hour, by two hours, at midnight, in the other half of the year, and never.
ZONES = (
    "Europe/Vienna",
    "Europe/Lisbon",
    "America/New_York",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Tehran",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Chatham",
    "UTC",
)


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """Give the days in whose course the clocks of a zone were put forward or back, from 2010 to 2030."""
    place, day = ZoneInfo(zone), timedelta(days=1)
    found, moment = [], datetime(2010, 1, 1, tzinfo=UTC)
    offset = moment.astimezone(place).utcoffset()
    while moment.year < 2030:
        moment += day
        now = moment.astimezone(place).utcoffset()
        if now != offset:
            found.append(moment)
            offset = now
    return tuple(found)


def walked(cron: Cron, zone: ZoneInfo, begin: datetime, end: datetime) -> list[datetime]:
    """Give the due moments after `begin` up to `end` by going through every minute, from two days before.

    Each minute of the wall clock that is due is so at the first moment that shows it; one that no moment shows, at the
    first moment that shows a later one.
    """
    first: dict[datetime, datetime] = {}
    moment = begin.replace(second=0) - timedelta(days=2)
    latest = moment.astimezone(zone).replace(tzinfo=None)
    while moment <= end:
        shown = moment.astimezone(zone).replace(tzinfo=None)
        while latest < shown:
            latest += MINUTE
            first.setdefault(latest, moment)
        moment += MINUTE
    dues = {moment for wall, moment in first.items() if cron.matches(wall)}
    return sorted(due for due in dues if begin < due <= end)


def asked(cron: str, zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """Give what the trigger says."""
    trigger, found = trigger_of(cron, None, zone), []
    due = trigger.after(begin)
    while due is not None and due <= end:
        found.append(due)
        due = trigger.after(due)
    return found


@some.composite
def near_a_change(draw: some.DrawFn) -> tuple[str, datetime]:
    """Draw a zone and a moment, most often near one at which its clocks change."""
    zone = draw(some.sampled_from(ZONES))
    known = changes(zone)
    anywhere = draw(some.integers(0, 4)) == 0
    if known and not anywhere:
        change = draw(some.sampled_from(known))
        return zone, change + timedelta(seconds=draw(some.integers(-48 * 3600, 0)))
    return zone, datetime(2010, 1, 1, tzinfo=UTC) + timedelta(seconds=draw(some.integers(0, 600_000_000)))


@some.composite
def crons(draw: some.DrawFn) -> str:
    """Draw a line that is due often enough to be seen within a day or two."""
    minute = draw(some.sampled_from(["*", "0", "30", "*/15", "*/7", "59", "5,10-20/3"]))
    hour = draw(some.sampled_from(["*", "0", "1", "2", "3", "0-4", "1,2", "*/2", "23", "2-3"]))
    day = draw(some.sampled_from(["*", "*", "*", "1-15", "28-31", "*/2"]))
    month = draw(some.sampled_from(["*", "*", "mar,apr,oct,nov", "*/3"]))
    weekday = draw(some.sampled_from(["*", "*", "*", "sun", "mon-fri", "6,7", "sat-sun"]))
    return f"{minute} {hour} {day} {month} {weekday}"


@given(crons(), near_a_change())
@settings(max_examples=30, deadline=None)
def test_a_cron_line_is_due_when_the_clocks_of_its_zone_say_so(line: str, near: tuple[str, datetime]) -> None:
    """Every due minute of the wall clock once, whatever the clocks are put to."""
    zone, begin = near
    end = begin + timedelta(hours=30)
    assert asked(line, zone, begin, end) == walked(read_cron(line), ZoneInfo(zone), begin, end)


@given(crons(), near_a_change(), some.integers(0, 200_000))
@settings(max_examples=40, deadline=None)
def test_the_next_moment_is_later_and_nothing_lies_between(line: str, near: tuple[str, datetime], seconds: int) -> None:
    """From any moment up to the next due one, the next due one is the same."""
    zone, begin = near
    trigger = trigger_of(line, None, zone)
    due = trigger.after(begin)
    if due is None:
        return
    assert due > begin
    between = min(begin + timedelta(seconds=seconds), due - timedelta(microseconds=1))
    assert trigger.after(between) == due


@pytest.mark.parametrize(
    ("line", "zone", "after", "dues"),
    [
        # Left out: 02:30 does not come, so it is due when the clocks show 03:00.
        ("30 2 * * *", "Europe/Vienna", "2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:30"]),
        # The last of March at half past two, and the four quarters of an hour that is left out are one.
        ("*/15 2 * * *", "Europe/Vienna", "2026-03-29T00:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),
        # Twice: 02:30 comes at 00:30 and at 01:30 UTC; the first counts.
        ("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00", ["2026-10-25T00:30", "2026-10-26T01:30"]),
        # Each hour of the wall clock: the one that comes twice is due once.
        ("0 * * * *", "Europe/Vienna", "2026-10-24T23:30", ["2026-10-25T00:00", "2026-10-25T02:00"]),
        # Half an hour is left out on Lord Howe.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00", ["2026-10-03T15:30", "2026-10-04T15:15"]),
        # The clocks of Apia went from the 29th to the 31st of December.
        ("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00", ["2011-12-29T19:00", "2011-12-30T10:00"]),
    ],
)
def test_where_clocks_are_put_forward_or_back(line: str, zone: str, after: str, dues: list[str]) -> None:
    """What the documentation promises."""
    begin = datetime.fromisoformat(after).replace(tzinfo=UTC)
    wanted = [datetime.fromisoformat(due).replace(tzinfo=UTC) for due in dues]
    assert asked(line, zone, begin, wanted[-1]) == wanted


@given(
    some.integers(1, 400_000).map(lambda seconds: timedelta(seconds=seconds)),
    some.sampled_from(ZONES),
    some.integers(1_000_000_000_000_000, 3_000_000_000_000_000).map(of_micros),
)
def test_an_interval_is_counted_from_one_moment_in_elapsed_time(every: timedelta, zone: str, moment: datetime) -> None:
    """Exactly to the microsecond, over every change of the clocks."""
    anchor = ANCHOR.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    due = trigger_of(None, every, zone).after(moment)
    assert due == anchor + ((moment - anchor) // every + 1) * every


def test_a_quarter_of_an_hour_is_due_at_the_quarters() -> None:
    """And a week on Mondays."""
    moment = datetime(2026, 1, 1, 0, 7, 3, 1, tzinfo=UTC)
    assert trigger_of(None, timedelta(minutes=15), "Asia/Kathmandu").after(moment) == datetime(
        2026, 1, 1, 0, 15, tzinfo=UTC
    )
    weekly = trigger_of(None, timedelta(days=7), "Europe/Vienna").after(moment)
    assert weekly == datetime(2026, 1, 4, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "every", "zone", "code"),
    [
        ("0 0 * *", None, "UTC", "bad-cron"),
        ("0 0 * * *", None, "Europe/Wien", "unknown-zone"),
        (None, None, "UTC", "bad-schedule"),
        (None, timedelta(milliseconds=10), "UTC", "bad-schedule"),
    ],
)
def test_what_is_no_schedule_is_refused(cron: str | None, every: timedelta | None, zone: str, code: str) -> None:
    """Instead of a schedule that is never due."""
    with pytest.raises(FixData) as refused:
        trigger_of(cron, every, zone)
    assert refused.value.code == code


def test_a_day_that_never_comes_is_never_due() -> None:
    """And is not looked for until the end of time."""
    assert trigger_of("0 0 30 2 *", None, "UTC").after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@given(some.integers(0, 5000), some.integers(1, 40), some.sampled_from(["* * * * *", "*/30 1 * * *", "0 0 1 1 *"]))
@settings(max_examples=20, deadline=None)
def test_the_last_moments_are_found_from_the_end(hours: int, most: int, line: str) -> None:
    """As many as asked for, and the latest ones."""
    trigger, first = trigger_of(line, None, "Europe/Vienna"), datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    now = first + timedelta(hours=hours % 60 if line.startswith("* ") else hours)
    everything = asked(line, "Europe/Vienna", first - timedelta(microseconds=1), now)
    assert last_dues(trigger, first, now, most) == everything[-most:]
