"""JMESPath's functions on lists."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.results import element, made_list, mean, same, total
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, add, average, bounded
from hub.model.kinds import Kind, kind_of, spoken


@function("sum(numbers: array[number]) -> number", metered=True, gives=total)
def sum_(numbers: list[Number], meter: Meter) -> Number:
    """Add numbers up, exactly; nothing adds up to 0."""
    meter.spend(len(numbers))
    if Decimal not in set(map(type, numbers)):
        return bounded(sum(numbers))
    total: Number = 0
    for number in numbers:
        total = add(total, number)
    return total


@function("avg(numbers: array[number]) -> number|null", metered=True, gives=mean)
def avg(numbers: list[Number], meter: Meter) -> Number | None:
    """Average numbers, to 34 significant digits, half to even; null for none."""
    return average(sum_.implementation(numbers, meter), len(numbers)) if numbers else None


@function(
    "max(values: array[number|string]) -> number|string|null", metered=True, gives=element(Kind.NUMBER, Kind.STRING)
)
def max_(values: list[Any], meter: Meter) -> Any:
    """Give the greatest number, or the last string by code points; null for none."""
    meter.spend(len(values))
    return max(values) if values else None


@function(
    "min(values: array[number|string]) -> number|string|null", metered=True, gives=element(Kind.NUMBER, Kind.STRING)
)
def min_(values: list[Any], meter: Meter) -> Any:
    """Give the least number, or the first string by code points; null for none."""
    meter.spend(len(values))
    return min(values) if values else None


@function("sort(values: array[number|string]) -> array", metered=True, gives=same)
def sort(values: list[Any], meter: Meter) -> list[Any]:
    """Put numbers or strings in ascending order."""
    meter.spend(len(values))
    return sorted(values)


@function("sort_by(list: array, &by) -> array", gives=same)
def sort_by(values: list[Any], by: list[Any]) -> list[Any]:
    """Order a list by what the expression gives for each element; equals keep their order."""
    _refuse_mixed(by)
    return [values[place] for place in sorted(range(len(by)), key=by.__getitem__)]


@function("max_by(list: array, &by) -> any", gives=element())
def max_by(values: list[Any], by: list[Any]) -> Any:
    """Give the element for which the expression gives the most; the first of equals, null for none."""
    _refuse_mixed(by)
    return values[max(range(len(by)), key=by.__getitem__)] if by else None


@function("min_by(list: array, &by) -> any", gives=element())
def min_by(values: list[Any], by: list[Any]) -> Any:
    """Give the element for which the expression gives the least; the first of equals, null for none."""
    _refuse_mixed(by)
    return values[min(range(len(by)), key=by.__getitem__)] if by else None


@function("map(&expression, list: array) -> array", gives=made_list)
def map_(made: list[Any], _list: list[Any]) -> list[Any]:
    """Give what the expression gives for each element, nulls included."""
    return made


@function("join(separator: string, texts: array[string]) -> string", metered=True)
def join(separator: str, texts: list[str], meter: Meter) -> str:
    """Write strings one after the other, with the separator between them."""
    meter.spend(len(texts))
    meter.spend_text(len(separator) * len(texts) + sum(map(len, texts)))
    return separator.join(texts)


def _refuse_mixed(keys: list[Any]) -> None:
    kinds = {kind_of(key) for key in keys}
    if kinds and kinds not in ({Kind.NUMBER}, {Kind.STRING}):
        found = ", ".join(sorted({spoken(key) for key in keys}))
        raise InvalidValue(f"The expression must give numbers only, or strings only, not {found}.", code="invalid-type")


FUNCTIONS = (sum_, avg, max_, min_, sort, sort_by, max_by, min_by, map_, join)
