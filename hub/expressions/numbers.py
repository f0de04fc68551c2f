"""Exact arithmetic: a result has all its digits or is refused; only averages are rounded, to a stated precision."""

from __future__ import annotations

import re
from decimal import (
    ROUND_HALF_EVEN,
    Clamped,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    Subnormal,
    Underflow,
)
from typing import Final

from hub.errors import FixData
from hub.expressions.budgets import AVERAGE_DIGITS, EXACT_DIGITS, MAX_PLACES
from hub.expressions.errors import InvalidValue
from hub.model.money import Rounding

Number = int | Decimal

_TRAPS = [InvalidOperation, DivisionByZero, Overflow, Underflow, Clamped, Subnormal, FloatOperation]
EXACT: Final = Context(prec=EXACT_DIGITS, rounding=ROUND_HALF_EVEN, traps=[*_TRAPS, Inexact])
AVERAGE: Final = Context(prec=AVERAGE_DIGITS, rounding=ROUND_HALF_EVEN, traps=_TRAPS)

#: The least whole number of more than `EXACT_DIGITS` digits.
_TOO_LONG: Final = 10**EXACT_DIGITS

_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z")
_WRITTEN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z")
_MOST_CHARACTERS = 2 * MAX_PLACES + 10


def bounded(number: Number) -> Number:
    """Give the number back if it is finite and not absurdly large or long."""
    if isinstance(number, int):
        if not -_TOO_LONG < number < _TOO_LONG:
            raise InvalidValue(f"A number has more than {EXACT_DIGITS} digits.")
        return number
    if not number.is_finite() or abs(number.adjusted()) > MAX_PLACES or len(number.as_tuple().digits) > 2 * MAX_PLACES:
        raise InvalidValue("A number is out of range.", number=str(number)[:40])
    return number


def add(left: Number, right: Number) -> Number:
    """Add, exactly."""
    if type(left) is int and type(right) is int:
        return bounded(left + right)
    return EXACT.add(bounded(left), bounded(right))


def subtract(left: Number, right: Number) -> Number:
    """Subtract, exactly."""
    if type(left) is int and type(right) is int:
        return bounded(left - right)
    return EXACT.subtract(bounded(left), bounded(right))


def multiply(left: Number, right: Number) -> Number:
    """Multiply, exactly."""
    bounded(left)
    bounded(right)
    if type(left) is int and type(right) is int:
        return bounded(left * right)
    return bounded(EXACT.multiply(left, right))


def average(total: Number, count: int) -> Number:
    """Divide a sum by a count, to 34 significant digits, half to even; whole averages stay exact."""
    if isinstance(total, int) and total % count == 0:
        return total // count
    return AVERAGE.divide(Decimal(bounded(total)), Decimal(count))


def divide(left: Number, right: Number, digits: int, rounding: Rounding) -> Decimal:
    """Divide and round once, from the exact quotient, to this many digits after the point."""
    bounded(left)
    bounded(right)
    if right == 0:
        raise InvalidValue("Nothing can be divided by zero.", number=str(left))
    top, bottom = left.as_integer_ratio()
    under, over = right.as_integer_ratio()
    return _rounded(top * over, bottom * under, digits, rounding)


def rounded(number: Number, digits: int, rounding: Rounding) -> Decimal:
    """Round a number to this many digits after the point."""
    top, bottom = bounded(number).as_integer_ratio()
    return _rounded(top, bottom, digits, rounding)


def _rounded(top: int, bottom: int, digits: int, rounding: Rounding) -> Decimal:
    if bottom < 0:
        top, bottom = -top, -bottom
    scaled = abs(top) * 10**digits
    whole, rest = divmod(scaled, bottom)
    if rest:
        match rounding:
            case Rounding.EXACT:
                raise FixData(f"The result has more than {digits} digits after the point.", code="too-many-digits")
            case Rounding.HALF_UP:
                whole += rest * 2 >= bottom
            case Rounding.HALF_DOWN:
                whole += rest * 2 > bottom
            case Rounding.HALF_EVEN:
                whole += rest * 2 > bottom or (rest * 2 == bottom and whole % 2 == 1)
            case Rounding.UP:
                whole += 1
            case Rounding.CEILING:
                whole += top > 0
            case Rounding.FLOOR:
                whole += top < 0
            case Rounding.DOWN:
                pass
    bounded(whole)
    return Decimal(-whole if top < 0 else whole).scaleb(-digits, EXACT)


def read_json_number(text: str) -> Number | None:
    """Read a number written as in JSON, a whole one as int; None for any other text."""
    if len(text) > _MOST_CHARACTERS or not (match := _JSON_NUMBER.match(text)):
        return None
    if match[2] is None and match[3] is None:
        return int(text)
    number = Decimal(text)
    return number if abs(number.adjusted()) <= MAX_PLACES else None


def read_decimal(text: str) -> Decimal:
    """Read a decimal number: digits with an optional sign, point and exponent; no spaces, no thousands separators."""
    if len(text) > _MOST_CHARACTERS or not _WRITTEN_NUMBER.match(text):
        raise InvalidValue("The text is not a decimal number.", code="not-a-number", text=text[:40])
    number = Decimal(text)
    bounded(number)
    return number
