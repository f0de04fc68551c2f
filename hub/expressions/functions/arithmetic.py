"""Functions on numbers; every result is exact unless its rounding is named."""

from __future__ import annotations

import math
from decimal import Decimal

from hub.expressions import numbers
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, bounded
from hub.model.money import MAX_DIGITS, Rounding


@function("abs(number: number) -> number")
def abs_(number: Number) -> Number:
    """Give a number without its sign."""
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


@function("ceil(number: number) -> number")
def ceil(number: Number) -> int:
    """Round up to a whole number."""
    return math.ceil(bounded(number))


@function("floor(number: number) -> number")
def floor(number: Number) -> int:
    """Round down to a whole number."""
    return math.floor(bounded(number))


@function("add(left: number, right: number) -> number")
def add(left: Number, right: Number) -> Number:
    """Add, exactly."""
    return numbers.add(left, right)


@function("subtract(left: number, right: number) -> number")
def subtract(left: Number, right: Number) -> Number:
    """Subtract, exactly."""
    return numbers.subtract(left, right)


@function("multiply(left: number, right: number) -> number")
def multiply(left: Number, right: Number) -> Number:
    """Multiply, exactly."""
    return numbers.multiply(left, right)


@function("divide(left: number, right: number, digits: number, rounding: string) -> number")
def divide(left: Number, right: Number, digits: Number, rounding: str) -> Decimal:
    """Divide, rounded once to `digits` after the point by `exact`, `half_up` or `half_even`."""
    return numbers.divide(left, right, places(digits), named_rounding(rounding))


@function("round(number: number|null, digits: number, rounding: string) -> number|null")
def round_(number: Number, digits: Number, rounding: str) -> Decimal:
    """Round to `digits` after the point by `exact` (refuses surplus digits), `half_up` or `half_even`."""
    return numbers.rounded(number, places(digits), named_rounding(rounding))


@function("to_decimal(text: string|number|null) -> number|null")
def to_decimal(text: str | Number) -> Decimal:
    """Read a decimal number such as `-12.50`; a text that is none is an error, unlike with to_number."""
    return numbers.read_decimal(text) if isinstance(text, str) else Decimal(bounded(text))


def places(digits: Number) -> int:
    """Check a number of digits after the point: 0 to 30."""
    if type(digits) is not int or not 0 <= digits <= MAX_DIGITS:
        raise InvalidValue(f"The digits after the point are a whole number from 0 to {MAX_DIGITS}.", digits=str(digits))
    return digits


def named_rounding(name: str) -> Rounding:
    """Find a rounding mode by its name."""
    try:
        return Rounding(name)
    except ValueError:
        known = ", ".join(mode.value for mode in Rounding)
        raise InvalidValue(f"There is no rounding '{name[:40]}'; there are {known}.") from None


FUNCTIONS = (abs_, ceil, floor, add, subtract, multiply, divide, round_, to_decimal)
