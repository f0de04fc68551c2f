"""Functions on moments: the time zone is always named."""

from __future__ import annotations

import datetime as dt

from hub.expressions.errors import InvalidValue
from hub.expressions.functions.moments import (
    EPOCH,
    FURTHEST,
    is_date,
    local_moment,
    read_date,
    read_moment,
    written_moment,
)
from hub.expressions.functions.named import zone
from hub.expressions.functions.patterns import read_pattern
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number

_EPOCH_DAY = EPOCH.toordinal()
_LAST_DAY = dt.date.max.toordinal()


@function("date(moment: seconds|moment|null, zone: zone) -> date|null")
def date(moment: Number | str, zone_name: str) -> str:
    """Give the date, `YYYY-MM-DD`, of epoch seconds or an ISO 8601 moment in a time zone; a date stays as it is."""
    if isinstance(moment, str) and is_date(moment):
        return read_date(moment).isoformat()
    if type(moment) is int and zone_name == "UTC" and -FURTHEST < moment < FURTHEST:
        return _utc_date(moment)
    return read_moment(moment, zone_name).date().isoformat()


@function("datetime(moment: seconds|moment|null, zone: zone) -> moment|null")
def datetime(moment: Number | str, zone_name: str) -> str:
    """Give an ISO 8601 moment with the time zone's offset (`Z` for UTC); a moment without offset is taken as local."""
    return written_moment(read_moment(moment, zone_name), zone_name)


@function("unix_seconds(moment: moment|null, zone: zone) -> seconds|null")
def unix_seconds(moment: str, zone_name: str) -> int:
    """Give the whole seconds since 1970 of an ISO 8601 moment; one without offset, or a date, is taken as local."""
    return (read_moment(moment, zone_name) - EPOCH) // dt.timedelta(seconds=1)


@function("parse_date(text: string|null, pattern: pattern) -> date|null")
def parse_date(text: str, pattern: str) -> str:
    """Read a date that is written by a pattern, such as `dd.MM.yyyy`."""
    return read_pattern(pattern).read(text).date().isoformat()


@function("parse_datetime(text: string|null, pattern: pattern, zone: zone) -> moment|null")
def parse_datetime(text: str, pattern: str, zone_name: str) -> str:
    """Read a time zone's date and time that are written by a pattern, such as `MM/dd/yyyy hh:mm a`."""
    clock = read_pattern(pattern).read(text)
    try:
        return written_moment(local_moment(clock, zone(zone_name)), zone_name)
    except OverflowError:
        raise InvalidValue("There is no such moment.", moment=text[:40]) from None


@function("format_date(date: date|null, pattern: pattern) -> string|null")
def format_date(date: str, pattern: str) -> str:
    """Write a date by a pattern, such as `d MMM yyyy`."""
    return read_pattern(pattern).write(dt.datetime.combine(read_date(date), dt.time()))


@function("format_datetime(moment: seconds|moment|null, pattern: pattern, zone: zone) -> string|null")
def format_datetime(moment: Number | str, pattern: str, zone_name: str) -> str:
    """Write epoch seconds or an ISO 8601 moment by a pattern, in a time zone."""
    return read_pattern(pattern).write(read_moment(moment, zone_name))


def _utc_date(moment: int) -> str:
    day = _EPOCH_DAY + moment // 86_400
    if not 1 <= day <= _LAST_DAY:
        raise InvalidValue("There is no such moment.", moment=str(moment))
    return dt.date.fromordinal(day).isoformat()


FUNCTIONS = (date, datetime, unix_seconds, parse_date, parse_datetime, format_date, format_datetime)
