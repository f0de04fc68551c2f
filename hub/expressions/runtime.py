"""What generated code calls beside the functions of the language."""

from __future__ import annotations

from typing import Any, NoReturn

from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue, OverBudget
from hub.model.kinds import NUMBER_TYPES, Kind, kind_of, shown, spoken

_TEXT_TYPES = frozenset({str})


def flattened(value: Any, meter: Meter) -> list[Any] | None:
    """Replace the lists in a list by their elements, one level deep; null for what is no list."""
    if not isinstance(value, list):
        return None
    inner = [part for part in value if isinstance(part, list)]
    if not inner:
        return value
    meter.spend(len(value) + sum(map(len, inner)))
    merged: list[Any] = []
    for part in value:
        if isinstance(part, list):
            merged.extend(part)
        else:
            merged.append(part)
    return merged


def ordered(left: Any, right: Any) -> int | None:
    """Compare two numbers or two strings: -1, 0, 1; null for anything else."""
    if type(left) in NUMBER_TYPES:
        if type(right) not in NUMBER_TYPES:
            return None
    elif not (isinstance(left, str) and isinstance(right, str)):
        return None
    return -1 if left < right else 1 if left > right else 0


def overrun() -> NoReturn:
    """Stop an evaluation that has no steps left."""
    raise OverBudget("The expression takes too many steps.")


def wrong_argument(function: str, parameter: str, wanted: str, value: Any) -> NoReturn:
    """Refuse an argument of the wrong kind."""
    raise InvalidValue(
        f"{function}() takes {wanted} as its {parameter}, not {spoken(value)}.",
        code="invalid-type",
        value=shown(value),
    )


def check_elements(function: str, parameter: str, kinds: tuple[Kind, ...], values: list[Any]) -> None:
    """Refuse a list unless its elements are all of one of these kinds."""
    types = set(map(type, values))
    if (types <= NUMBER_TYPES and Kind.NUMBER in kinds) or (types <= _TEXT_TYPES and Kind.STRING in kinds):
        return
    if not values:
        return
    first = kind_of(values[0])
    wanted = first if first in kinds else kinds[0]
    for index, value in enumerate(values):
        if kind_of(value) is not wanted:
            words = " or ".join(f"all {kind}s" for kind in kinds)
            raise InvalidValue(
                f"The elements of {function}()'s {parameter} must be {words}; element {index} is {spoken(value)}.",
                code="invalid-type",
                value=shown(value),
            )


def refuse_each(value: Any) -> NoReturn:
    """Refuse to repeat over what is no list."""
    raise InvalidValue(f"`each` must give a list, not {spoken(value)}.", code="invalid-type")


def required_missing() -> NoReturn:
    """Refuse a record whose required field has no value."""
    raise InvalidValue("A required field has no value.", code="required-missing")
