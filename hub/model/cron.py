"""A cron line: five fields that say at which minutes, hours, days, months and days of the week something is due."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
#: A leap year, so that the 29th of February counts as a day that comes.
_LEAP_YEAR = 2024


class BadCron(ValueError):
    """A cron line that cannot be read; the text is a sentence for whoever wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron line that was read: the values of each field, days of the week with Sunday as 0.

    As in every cron, a day is due when it is one of `days` or of `weekdays` where both were limited (`either`), and
    when it is in both where at most one was.
    """

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    @property
    def never(self) -> bool:
        """Tell whether no day fits, such as the 30th of February."""
        if self.either:
            return False
        return not any(day <= monthrange(_LEAP_YEAR, month)[1] for month in self.months for day in self.days)

    def matches(self, wall: datetime) -> bool:
        """Tell whether a minute of the wall clock is due."""
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        by_date, by_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either else by_date and by_weekday


def read_cron(text: str) -> Cron:
    """Read `minute hour day month weekday`; raises `BadCron` with what is wrong and what to write.

    Each field is `*`, a number, a range `a-b`, either with a step `/n`, or several with commas. Months and days of
    the week may be named by three letters; Sunday is 0 and 7.
    """
    fields = text.split()
    if len(fields) != 5:
        raise BadCron(
            f"A cron line has five fields (minute, hour, day, month, day of the week), and this one has {len(fields)}."
        )
    minute, hour, day, month, weekday = fields
    weekdays = _values(weekday, "day of the week", 0, 7, _WEEKDAYS, 0)
    return Cron(
        text=" ".join(fields),
        minutes=_values(minute, "minute", 0, 59),
        hours=_values(hour, "hour", 0, 23),
        days=_values(day, "day", 1, 31),
        months=_values(month, "month", 1, 12, _MONTHS, 1),
        weekdays=frozenset(value % 7 for value in weekdays),
        either=not (day.startswith("*") or weekday.startswith("*")),
    )


def longest_pause(cron: Cron) -> timedelta:
    """Give the longest time that lies between two due minutes of a line that comes; eight years show them all."""
    first, last = (timedelta(hours=extreme(cron.hours), minutes=extreme(cron.minutes)) for extreme in (min, max))
    times = sorted(timedelta(hours=hour, minutes=minute) for hour in cron.hours for minute in cron.minutes)
    longest = max((after - before for before, after in pairwise(times)), default=timedelta())
    day, seen = datetime(_LEAP_YEAR, 1, 1), None  # noqa: DTZ001 - days of a calendar, of no zone
    while day.year < _LEAP_YEAR + 9:
        if cron.matches(day + first):
            if seen is not None:
                longest = max(longest, day + first - (seen + last))
            seen = day
        day += timedelta(days=1)
    return longest


def _values(
    field: str, noun: str, lowest: int, highest: int, names: tuple[str, ...] = (), first: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        every = _number(step, f"step of the {noun}", 1, highest) if slash else 1
        if span == "*":
            # Seven is a second word for Sunday and no eighth day.
            begin, end = lowest, 6 if names is _WEEKDAYS else highest
        else:
            begin, end = _span(span, noun, (lowest, highest), names, first, open_end=bool(slash))
        found.update(range(begin, end + 1, every))
    return frozenset(found)


def _span(
    text: str, noun: str, bounds: tuple[int, int], names: tuple[str, ...], first: int, *, open_end: bool
) -> tuple[int, int]:
    """Read `a-b` or `a`; a single value with a step goes on to the last one."""
    low, dash, high = text.partition("-")
    begin = _named(low, noun, bounds, names, first)
    if not dash:
        return begin, (6 if names is _WEEKDAYS else bounds[1]) if open_end else begin
    end = _named(high, noun, bounds, names, first)
    if begin > end == 0 and names is _WEEKDAYS:
        end = 7
    if end < begin:
        raise BadCron(f"In the {noun}, `{text}` ends before it begins; write the lower one first, or two ranges.")
    return begin, end


def _named(text: str, noun: str, bounds: tuple[int, int], names: tuple[str, ...], first: int) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + first
    return _number(text, noun, *bounds)


def _number(text: str, noun: str, lowest: int, highest: int) -> int:
    if text.isascii() and text.isdigit() and len(text) < 4 and lowest <= int(text) <= highest:
        return int(text)
    raise BadCron(f"`{text}` is no {noun}; it is a number from {lowest} to {highest}.")
