"""JMESPath's equality on exact values."""

from __future__ import annotations

from typing import Any

from hub.expressions.budgets import Meter
from hub.model.kinds import NUMBER_TYPES


def equal(left: Any, right: Any, meter: Meter) -> bool:
    """Tell whether two values are equal: 1 equals 1.0 but never true; lists and objects by their parts."""
    if left is right:
        return True
    if type(left) in NUMBER_TYPES:
        return type(right) in NUMBER_TYPES and bool(left == right)
    if isinstance(left, str):
        if isinstance(right, str) and len(left) == len(right):
            meter.spend_text(len(left))
            return left == right
        return False
    if isinstance(left, list):
        return isinstance(right, list) and _lists(left, right, meter)
    if isinstance(left, dict):
        return isinstance(right, dict) and _objects(left, right, meter)
    return False


def _lists(left: list[Any], right: list[Any], meter: Meter) -> bool:
    if len(left) != len(right):
        return False
    meter.spend(len(left))
    return all(equal(one, other, meter) for one, other in zip(left, right, strict=True))


def _objects(left: dict[str, Any], right: dict[str, Any], meter: Meter) -> bool:
    if left.keys() != right.keys():
        return False
    meter.spend(len(left))
    return all(equal(value, right[key], meter) for key, value in left.items())
