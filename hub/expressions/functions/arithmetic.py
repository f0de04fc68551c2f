"""Functions on numbers; every result is exact unless its rounding is named."""

from __future__ import annotations

import math
from decimal import Decimal

from hub.expressions import numbers
from hub.expressions.functions.named import named_rounding, places
from hub.expressions.functions.results import added, divided, multiplied, number, rounded
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, bounded


@function("abs(number: number) -> number", gives=number())
def abs_(number: Number) -> Number:
    """Give a number without its sign."""
    return number.copy_abs() if isinstance(number, Decimal) else abs(number)


@function("ceil(number: number) -> integer", gives=number(whole=True))
def ceil(number: Number) -> int:
    """Round up to a whole number."""
    return math.ceil(bounded(number))


@function("floor(number: number) -> integer", gives=number(whole=True))
def floor(number: Number) -> int:
    """Round down to a whole number."""
    return math.floor(bounded(number))


@function("add(left: number, right: number) -> number", gives=added)
def add(left: Number, right: Number) -> Number:
    """Add, exactly."""
    return numbers.add(left, right)


@function("subtract(left: number, right: number) -> number", gives=added)
def subtract(left: Number, right: Number) -> Number:
    """Subtract, exactly."""
    return numbers.subtract(left, right)


@function("multiply(left: number, right: number) -> number", gives=multiplied)
def multiply(left: Number, right: Number) -> Number:
    """Multiply, exactly."""
    return numbers.multiply(left, right)


@function("divide(left: number, right: number, digits: digits, rounding: rounding) -> number", gives=divided)
def divide(left: Number, right: Number, digits: Number, rounding: str) -> Decimal:
    """Divide, rounded once, from the exact quotient, to `digits` after the point."""
    return numbers.divide(left, right, places(digits), named_rounding(rounding))


@function("round(number: number|null, digits: digits, rounding: rounding) -> number|null", gives=rounded)
def round_(number: Number, digits: Number, rounding: str) -> Decimal:
    """Round to `digits` after the point."""
    return numbers.rounded(number, places(digits), named_rounding(rounding))


@function("to_decimal(text: string|number|null) -> number|null", gives=number())
def to_decimal(text: str | Number) -> Decimal:
    """Read a decimal number such as `-12.50`; a text that is none is an error, unlike with to_number."""
    return numbers.read_decimal(text) if isinstance(text, str) else Decimal(bounded(text))


FUNCTIONS = (abs_, ceil, floor, add, subtract, multiply, divide, round_, to_decimal)
