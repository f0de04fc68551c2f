"""Functions on dates and moments; the time zone is always named."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from hub.expressions.errors import InvalidValue
from hub.expressions.functions.named import zone
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, bounded

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_DAY = _EPOCH.toordinal()
_LAST_DAY = dt.date.max.toordinal()
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?\Z",
    re.ASCII,
)
#: Epoch seconds further out are no date of business, and would be milliseconds by mistake.
_FURTHEST = 253_402_300_800


@function("date(moment: seconds|moment|null, zone: zone) -> date|null")
def date(moment: Number | str, zone_name: str) -> str:
    """Give the date, `YYYY-MM-DD`, of epoch seconds or an ISO 8601 moment in a time zone; a date stays as it is."""
    if isinstance(moment, str) and _DATE.match(moment):
        return _read_date(moment).isoformat()
    if type(moment) is int and zone_name == "UTC" and -_FURTHEST < moment < _FURTHEST:
        return _utc_date(moment)
    return _moment(moment, zone_name).date().isoformat()


@function("datetime(moment: seconds|moment|null, zone: zone) -> moment|null")
def datetime(moment: Number | str, zone_name: str) -> str:
    """Give an ISO 8601 moment with the time zone's offset (`Z` for UTC); a moment without offset is taken as local."""
    written = _moment(moment, zone_name).isoformat()
    return written.removesuffix("+00:00") + "Z" if zone_name == "UTC" else written


@function("add_days(date: date|null, days: integer) -> date|null")
def add_days(date: str, days: Number) -> str:
    """Give the date so many days later, or earlier for a negative number."""
    if type(days) is not int:
        raise InvalidValue("Days are a whole number.", days=str(days)[:40])
    try:
        return (_read_date(date) + dt.timedelta(days=days)).isoformat()
    except OverflowError:
        raise InvalidValue("The date is out of range.", date=date, days=str(days)[:40]) from None


def _utc_date(moment: int) -> str:
    day = _EPOCH_DAY + moment // 86_400
    if not 1 <= day <= _LAST_DAY:
        raise InvalidValue("There is no such moment.", moment=str(moment))
    return dt.date.fromordinal(day).isoformat()


def _read_date(text: str) -> dt.date:
    if not _DATE.match(text):
        raise InvalidValue("A date is written YYYY-MM-DD.", date=text[:40])
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidValue("There is no such date.", date=text) from None


def _moment(moment: Number | str, zone_name: str) -> dt.datetime:
    where = zone(zone_name)
    try:
        if isinstance(moment, str):
            if not (_MOMENT.match(moment) or _DATE.match(moment)):
                raise InvalidValue("A moment is written as in 2025-01-31T23:59:00Z.", moment=moment[:40])
            read = dt.datetime.fromisoformat(moment)
            return read.replace(tzinfo=where) if read.tzinfo is None else read.astimezone(where)
        if not -_FURTHEST < bounded(moment) < _FURTHEST:
            raise InvalidValue("The moment is out of range; are these milliseconds?", moment=str(moment)[:40])
        if isinstance(moment, Decimal):
            since = dt.timedelta(microseconds=int(moment.scaleb(6).to_integral_value()))
        else:
            since = dt.timedelta(seconds=moment)
        return (_EPOCH + since).astimezone(where)
    except (ValueError, OverflowError):
        raise InvalidValue("There is no such moment.", moment=str(moment)[:40]) from None


FUNCTIONS = (date, datetime, add_days)
