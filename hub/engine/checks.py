"""What a flow expects of a step's output: two values are equal, or two records agree field by field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.errors import FixData
from hub.model.flow import Equal, Same
from hub.model.money import Money


def check(expectation: Equal | Same, scope: Mapping[str, Any], output: Any) -> None:
    """Raise `FixData` under the expectation's case reason, naming every difference."""
    if isinstance(expectation, Equal):
        left, right = expectation.left(scope), expectation.right(scope)
        # Two missing values agree about nothing.
        if left is None or not same(left, right):
            raise FixData(
                f"`{expectation.left.text}` is {_shown(left)}, `{expectation.right.text}` is {_shown(right)}.",
                code=expectation.case,
                left=_shown(left),
                right=_shown(right),
            )
        return
    other = expectation.other(scope)
    differences = []
    for name, term in expectation.fields:
        here, there = term(output), term(other)
        differences.extend(_differences(name, here, there))
    if differences:
        raise FixData(
            f"It differs from `{expectation.other.text}` in {len(differences)} places, first in {differences[0]}.",
            code=expectation.case,
            differences="; ".join(differences[:10]),
        )


def same(left: Any, right: Any) -> bool:
    """Compare records exactly; numbers by value, so that 1 and 1.00 are the same, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(value, right[name]) for name, value in left.items())
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(same(one, two) for one, two in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def _differences(name: str, here: Any, there: Any) -> list[str]:
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        return [
            f"{name} [{index}]: {_shown(one)}, expected {_shown(two)}"
            for index, (one, two) in enumerate(zip(here, there, strict=True))
            if not same(one, two)
        ]
    return [] if there is not None and same(here, there) else [f"{name}: {_shown(here)}, expected {_shown(there)}"]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == {"minor", "currency"}:
        try:
            return str(Money.of_json(value))
        except FixData:
            return f"{value['minor']} minor units of {value['currency']}"
    return str(value)[:120]
