"""What expressions name by a text: rounding modes, time zones, currencies; and how many digits a number keeps."""

from __future__ import annotations

import datetime as dt
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hub.expressions.errors import InvalidValue
from hub.expressions.numbers import Number
from hub.model.currencies import EXPONENTS
from hub.model.money import MAX_DIGITS, Rounding, exponent

#: Codes as vendors write them: Stripe in small letters, most in capitals.
CODES = {written: code for code in EXPONENTS for written in (code, code.lower())}


def named_rounding(name: str) -> Rounding:
    """Find a rounding mode by its name."""
    try:
        return Rounding(name)
    except ValueError:
        known = ", ".join(mode.value for mode in Rounding)
        raise InvalidValue(f"There is no rounding '{name[:40]}'; there are {known}.") from None


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
