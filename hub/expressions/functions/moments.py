"""Dates and moments as they are written, read strictly: ISO 8601, or seconds since 1970."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from hub.expressions.errors import InvalidValue
from hub.expressions.functions.named import zone
from hub.expressions.numbers import Number, bounded

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
#: Epoch seconds further out are no date of business, and would be milliseconds by mistake.
FURTHEST = 253_402_300_800
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?\Z",
    re.ASCII,
)


def is_date(text: str) -> bool:
    """Tell whether a text is written as a date."""
    return _DATE.match(text) is not None


def read_date(text: str) -> dt.date:
    """Read `YYYY-MM-DD`."""
    if not _DATE.match(text):
        raise InvalidValue("A date is written YYYY-MM-DD.", date=text[:40])
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidValue("There is no such date.", date=text) from None


def read_moment(moment: Number | str, zone_name: str) -> dt.datetime:
    """Read epoch seconds or an ISO 8601 moment; one without offset, or a date, is taken as local."""
    where = zone(zone_name)
    try:
        if isinstance(moment, str):
            if not (_MOMENT.match(moment) or _DATE.match(moment)):
                raise InvalidValue("A moment is written as in 2025-01-31T23:59:00Z.", moment=moment[:40])
            read = dt.datetime.fromisoformat(moment)
            return local_moment(read, where) if read.tzinfo is None else read.astimezone(where)
        if not -FURTHEST < bounded(moment) < FURTHEST:
            raise InvalidValue("The moment is out of range; are these milliseconds?", moment=str(moment)[:40])
        if isinstance(moment, Decimal):
            since = dt.timedelta(microseconds=int(moment.scaleb(6).to_integral_value()))
        else:
            since = dt.timedelta(seconds=moment)
        return (EPOCH + since).astimezone(where)
    except (ValueError, OverflowError):
        raise InvalidValue("There is no such moment.", moment=str(moment)[:40]) from None


def local_moment(clock: dt.datetime, where: dt.tzinfo) -> dt.datetime:
    """Give the moment at which a zone's clock shows this: the first of two, or where it is skipped, what it shows then.

    `OverflowError` where the calendar ends.
    """
    return clock.replace(tzinfo=where).astimezone(dt.UTC).astimezone(where)


def written_moment(moment: dt.datetime, zone_name: str) -> str:
    """Write a moment with its offset, which in UTC is `Z`."""
    written = moment.isoformat()
    return written.removesuffix("+00:00") + "Z" if zone_name == "UTC" else written
