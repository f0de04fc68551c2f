"""Functions that bring values together: groups, distinct values, keys and values, rows of columns."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from hub.errors import NotMapped
from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue, OverBudget
from hub.expressions.functions.results import entries, grouped, of_entries, rows, same
from hub.expressions.functions.signature import function
from hub.expressions.numbers import bounded
from hub.model.kinds import Kind, kind_of, spoken

_REQUIRED: Final = object()
#: Deeper values are not compared.
_DEEPEST = 200
#: The steps of making one value comparable.
_STEPS = 4
#: Whole numbers of fewer bits have hashes of their own.
_SHORT = 60


@function("group_by(list: array, &key) -> array[object]", metered=True, gives=grouped)
def group_by(values: list[Any], keys: list[Any], meter: Meter) -> list[dict[str, Any]]:
    """Give `{key, items}` for each key that the expression gives, in the order in which the keys first appear."""
    groups: dict[Hashable, dict[str, Any]] = {}
    for value, key in zip(values, keys, strict=True):
        group = groups.setdefault(_identity(key, meter, 0), {"key": key, "items": []})
        group["items"].append(value)
    return list(groups.values())


@function("unique(list: array) -> array", metered=True, gives=same)
def unique(values: list[Any], meter: Meter) -> list[Any]:
    """Give each value of a list once, where it first appears."""
    distinct: dict[Hashable, Any] = {}
    for value in values:
        distinct.setdefault(_identity(value, meter, 0), value)
    return list(distinct.values())


@function("items(object: object|null) -> array[object]|null", metered=True, gives=entries)
def items(value: dict[str, Any], meter: Meter) -> list[dict[str, Any]]:
    """Give `{key, value}` for each key of an object, in its order."""
    meter.spend(3 * len(value))
    return [{"key": key, "value": part} for key, part in value.items()]


@function("from_items(items: array[object]) -> object", metered=True, gives=of_entries)
def from_items(pairs: list[dict[str, Any]], meter: Meter) -> dict[str, Any]:
    """Make an object of `{key, value}` entries; the last one has the say about a key that several have."""
    meter.spend(len(pairs))
    made: dict[str, Any] = {}
    for place, pair in enumerate(pairs):
        key = pair.get("key")
        if not isinstance(key, str):
            raise InvalidValue(f"Entry {place} of from_items() has no string as its key, but {spoken(key)}.")
        made[key] = pair.get("value")
    return made


@function("pick(object: object, key: string|null, default?) -> any", lazy=True)
def pick(value: dict[str, Any], key: str | None, default: Any = _REQUIRED) -> Any:
    """Give what an object has under a key; one that it has not, as null never is, is an error without a default."""
    found = value.get(key, default) if key is not None else default
    if found is _REQUIRED:
        words = "a missing value" if key is None else f"'{key[:80]}'"
        raise NotMapped(f"The object has nothing under {words}.", code="no-such-key", key=key)
    return found


@function("zip(lists: object) -> array[object]", metered=True, gives=rows)
def zip_(columns: dict[str, Any], meter: Meter) -> list[dict[str, Any]]:
    """Make one object of the first elements of several lists, one of the second, and so on; all are equally long."""
    for name, column in columns.items():
        if not isinstance(column, list):
            raise InvalidValue(f"zip() takes an object of lists; its {name[:40]} is {spoken(column)}.")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        words = ", ".join(f"{name[:40]} {len(column)}" for name, column in list(columns.items())[:8])
        raise InvalidValue(f"The lists of zip() must be equally long; they have: {words}.", code="unequal-lengths")
    meter.spend((1 + len(columns)) * sum(lengths))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _identity(value: Any, meter: Meter, depth: int) -> Hashable:
    """Give a key that is equal for equal values: 1 and 1.0 are, 1 and true are not."""
    if depth > _DEEPEST:
        raise OverBudget("A value is nested too deeply to be compared.")
    meter.spend(_STEPS)
    match kind_of(value):
        case Kind.STRING:
            meter.spend_text(len(value))
            return (Kind.STRING, value)
        case Kind.NUMBER:
            # As text, since numbers can be made up whose hashes are all the same.
            top, bottom = bounded(value).as_integer_ratio()
            return (Kind.NUMBER, top if bottom == 1 and top.bit_length() < _SHORT else f"{top}/{bottom}")
        case Kind.ARRAY:
            return (Kind.ARRAY, tuple(_identity(part, meter, depth + 1) for part in value))
        case Kind.OBJECT:
            return (Kind.OBJECT, frozenset((key, _identity(part, meter, depth + 1)) for key, part in value.items()))
        case Kind.NULL | Kind.BOOLEAN:
            return (Kind.BOOLEAN, value)
        case None:
            raise InvalidValue(f"A {spoken(value)} is no value of a record.", code="invalid-type")


FUNCTIONS = (group_by, unique, items, from_items, pick, zip_)
