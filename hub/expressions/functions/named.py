"""What expressions name by a text: rounding modes, time zones, currencies, periods, parts of dates, digests."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from functools import cache
from typing import TypeVar
from zoneinfo import ZoneInfo, available_timezones

from hub.expressions.errors import InvalidValue
from hub.expressions.numbers import Number
from hub.model.currencies import EXPONENTS
from hub.model.money import MAX_DIGITS, Rounding, exponent

#: Codes as vendors write them: Stripe in small letters, most in capitals.
CODES = {written: code for code in EXPONENTS for written in (code, code.lower())}


_Named = TypeVar("_Named", bound=StrEnum)


class Period(StrEnum):
    """A span of the calendar that a date lies in; a week begins on Monday (ISO 8601)."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class DatePart(StrEnum):
    """A number that a date has: ISO 8601's for weeks and weekdays (Monday is 1)."""

    YEAR = "year"
    QUARTER = "quarter"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    WEEKDAY = "weekday"
    DAY_OF_YEAR = "day_of_year"


class Digest(StrEnum):
    """A way to hash."""

    SHA256 = "sha256"
    SHA384 = "sha384"
    SHA512 = "sha512"


def _among(kind: type[_Named], name: str, word: str) -> _Named:
    try:
        return kind(name)
    except ValueError:
        raise InvalidValue(f"There is no {word} '{name[:40]}'; there are {', '.join(kind)}.") from None


def named_rounding(name: str) -> Rounding:
    """Find a rounding mode by its name."""
    return _among(Rounding, name, "rounding")


def named_period(name: str) -> Period:
    """Find a kind of period by its name."""
    return _among(Period, name, "period")


def named_part(name: str) -> DatePart:
    """Find a part of a date by its name."""
    return _among(DatePart, name, "part of a date")


def named_digest(name: str) -> Digest:
    """Find a digest by its name."""
    return _among(Digest, name, "digest")


@cache
def zone(name: str) -> dt.tzinfo:
    """Find a time zone by its name, such as `Europe/Berlin`; nothing but the zone data's own names is looked up."""
    if name == "UTC":
        return dt.UTC
    if name not in _zones():
        raise InvalidValue(f"There is no time zone '{name[:40]}'; write one such as 'UTC' or 'Europe/Berlin'.")
    return ZoneInfo(name)


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def currency_code(name: str) -> str:
    """Write a currency's code in capitals; whoever makes money of it finds out whether there is such a currency."""
    return CODES.get(name) or name.upper()


def known_currency(name: str) -> str:
    """Give the code of a currency that there is."""
    code = currency_code(name)
    exponent(code)
    return code


def places(digits: Number) -> int:
    """Check a number of digits after the point: 0 to 30."""
    if type(digits) is not int or not 0 <= digits <= MAX_DIGITS:
        raise InvalidValue(
            f"The digits after the point are a whole number from 0 to {MAX_DIGITS}.", digits=str(digits)[:40]
        )
    return digits
