"""Functions on dates and the periods that they lie in: weeks from Monday, months, quarters, years."""

from __future__ import annotations

import datetime as dt
from calendar import monthrange

from hub.expressions.errors import InvalidValue
from hub.expressions.functions.moments import read_date
from hub.expressions.functions.named import DatePart, Period, named_part, named_period
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number

_MOST = 10_000 * 366


@function("add_days(date: date|null, days: integer) -> date|null")
def add_days(date: str, days: Number) -> str:
    """Give the date so many days later, or earlier for a negative number."""
    read, count = read_date(date), _whole(days, "Days")
    try:
        return (read + dt.timedelta(days=count)).isoformat()
    except OverflowError:
        raise _out_of_range(date) from None


@function("add_months(date: date|null, months: integer) -> date|null")
def add_months(date: str, months: Number) -> str:
    """Give the date so many months later, or earlier; the last day of the month where it has no such day."""
    read, count = read_date(date), _whole(months, "Months")
    year, month = divmod(read.year * 12 + read.month - 1 + count, 12)
    if not dt.MINYEAR <= year <= dt.MAXYEAR:
        raise _out_of_range(date)
    return read.replace(year=year, month=month + 1, day=min(read.day, monthrange(year, month + 1)[1])).isoformat()


@function("days_between(start: date|null, end: date|null) -> integer|null")
def days_between(start: str, end: str) -> int:
    """Count the days from one date to another, negative when it is earlier; a date is 0 days from itself."""
    return (read_date(end) - read_date(start)).days


@function("days_in(date: date|null, period: period) -> integer|null")
def days_in(date: str, period: str) -> int:
    """Count the days of the week, month, quarter or year that a date lies in."""
    first, last = _bounds(date, period)
    return (last - first).days + 1


@function("period(date: date|null, period: period) -> string|null")
def period_(date: str, period: str) -> str:
    """Name the week, month, quarter or year that a date lies in: `2025-W01`, `2025-12`, `2025-Q4`, `2025`."""
    read = read_date(date)
    match named_period(period):
        case Period.WEEK:
            year, week, _ = read.isocalendar()
            return f"{year:04}-W{week:02}"
        case Period.MONTH:
            return f"{read.year:04}-{read.month:02}"
        case Period.QUARTER:
            return f"{read.year:04}-Q{_quarter(read)}"
        case Period.YEAR:
            return f"{read.year:04}"


@function("period_start(date: date|null, period: period) -> date|null")
def period_start(date: str, period: str) -> str:
    """Give the first day of the week, month, quarter or year that a date lies in."""
    return _bounds(date, period)[0].isoformat()


@function("period_end(date: date|null, period: period) -> date|null")
def period_end(date: str, period: str) -> str:
    """Give the last day of the week, month, quarter or year that a date lies in."""
    return _bounds(date, period)[1].isoformat()


@function("date_part(date: date|null, part: part) -> integer|null")
def date_part(date: str, part: str) -> int:
    """Give a date's year, quarter, month, week, day, weekday (Monday is 1) or day_of_year as a number."""
    read = read_date(date)
    match named_part(part):
        case DatePart.YEAR:
            return read.year
        case DatePart.QUARTER:
            return _quarter(read)
        case DatePart.MONTH:
            return read.month
        case DatePart.WEEK:
            return read.isocalendar().week
        case DatePart.DAY:
            return read.day
        case DatePart.WEEKDAY:
            return read.isoweekday()
        case DatePart.DAY_OF_YEAR:
            return read.timetuple().tm_yday


def _bounds(date: str, period: str) -> tuple[dt.date, dt.date]:
    """Give the first and the last day of the period that a date lies in."""
    read = read_date(date)
    match named_period(period):
        case Period.WEEK:
            try:
                first = read - dt.timedelta(days=read.weekday())
                return first, first + dt.timedelta(days=6)
            except OverflowError:
                raise _out_of_range(date) from None
        case Period.MONTH:
            months = read.month, read.month
        case Period.QUARTER:
            months = 3 * _quarter(read) - 2, 3 * _quarter(read)
        case Period.YEAR:
            months = 1, 12
    return read.replace(month=months[0], day=1), read.replace(month=months[1], day=monthrange(read.year, months[1])[1])


def _quarter(date: dt.date) -> int:
    return (date.month + 2) // 3


def _whole(count: Number, word: str) -> int:
    if type(count) is not int:
        raise InvalidValue(f"{word} are a whole number.", number=str(count)[:40])
    return max(-_MOST, min(count, _MOST))


def _out_of_range(date: str) -> InvalidValue:
    return InvalidValue("The date is out of range.", date=date)


FUNCTIONS = (add_days, add_months, days_between, days_in, period_, period_start, period_end, date_part)
