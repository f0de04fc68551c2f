"""JMESPath's functions on any value: its kind, its text, its parts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hub.expressions.budgets import Meter
from hub.expressions.equality import equal
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.results import (
    as_array,
    as_text,
    field_values,
    first_known,
    merged,
    read_number,
    searched,
    turned,
)
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, bounded, read_json_number
from hub.model.kinds import kind_of, spoken

#: Deeper values are not written as text.
_MOST_NESTED = 200


@function("type(value) -> string")
def type_(value: Any) -> str:
    """Name the kind of a value: null, boolean, number, string, array or object."""
    kind = kind_of(value)
    if kind is None:
        raise InvalidValue(f"A {spoken(value)} is no value of a record.", code="invalid-type")
    return kind.value


@function("to_string(value) -> string", metered=True, gives=as_text)
def to_string(value: Any, meter: Meter) -> str:
    """Give a string as it is and anything else as JSON, a number with all its digits."""
    if isinstance(value, str):
        return value
    written: list[str] = []
    _write(value, written, meter, 0)
    meter.spend_text(sum(map(len, written)))
    return "".join(written)


def _write(value: Any, written: list[str], meter: Meter, depth: int) -> None:
    if depth > _MOST_NESTED:
        raise InvalidValue("The value is nested too deeply to be written as text.")
    meter.spend(1)
    if isinstance(value, str):
        meter.spend_text(len(value))
        written.append(json.dumps(value, ensure_ascii=False))
    elif value is None or isinstance(value, bool):
        written.append(json.dumps(value))
    elif isinstance(value, int | Decimal):
        written.append(str(bounded(value)))
    elif isinstance(value, list):
        written.append("[")
        for place, part in enumerate(value):
            if place:
                written.append(",")
            _write(part, written, meter, depth + 1)
        written.append("]")
    elif isinstance(value, dict):
        written.append("{")
        for place, (key, part) in enumerate(value.items()):
            written.append(f"{',' if place else ''}{json.dumps(key, ensure_ascii=False)}:")
            _write(part, written, meter, depth + 1)
        written.append("}")
    else:
        raise InvalidValue(f"A {spoken(value)} is no value of a record.", code="invalid-type")


@function("to_number(value) -> number|null", gives=read_number)
def to_number(value: Any) -> Number | None:
    """Give a number as it is, read a string written as a JSON number, and give null for anything else."""
    if isinstance(value, str):
        return read_json_number(value)
    return value if type(value) in (int, Decimal) else None


@function("to_array(value) -> array", gives=as_array)
def to_array(value: Any) -> list[Any]:
    """Give a list as it is and anything else as the only element of a list."""
    return value if isinstance(value, list) else [value]


@function("not_null(...value) -> any", gives=first_known)
def not_null(*values: Any) -> Any:
    """Give the first value that is not null."""
    return next((value for value in values if value is not None), None)


@function("coalesce(...value) -> any", lazy=True, gives=first_known)
def coalesce(*values: Any) -> Any:
    """Give the first value that is not null; what stands behind it is not evaluated."""
    return next((value for value in values if value is not None), None)


@function("length(value: string|array|object) -> integer")
def length(value: str | list[Any] | dict[str, Any]) -> int:
    """Count the characters of a string, the elements of a list or the keys of an object."""
    return len(value)


@function("contains(subject: array|string, search) -> boolean", metered=True, gives=searched)
def contains(subject: list[Any] | str, search: Any, meter: Meter) -> bool:
    """Tell whether a list has an equal element, or a string has this text in it."""
    if isinstance(subject, str):
        meter.spend_text(len(subject))
        return isinstance(search, str) and search in subject
    meter.spend(len(subject))
    return any(equal(element, search, meter) for element in subject)


@function("reverse(value: string|array) -> string|array", metered=True, gives=turned)
def reverse(value: str | list[Any], meter: Meter) -> str | list[Any]:
    """Turn the order of a list or the characters of a string round."""
    meter.spend(len(value))
    return value[::-1]


@function("keys(value: object) -> array[string]", metered=True)
def keys(value: dict[str, Any], meter: Meter) -> list[str]:
    """Give the keys of an object, in its order."""
    meter.spend(len(value))
    return list(value)


@function("values(value: object) -> array", metered=True, gives=field_values)
def values_(value: dict[str, Any], meter: Meter) -> list[Any]:
    """Give the values of an object, in its order."""
    meter.spend(len(value))
    return list(value.values())


@function("merge(...value: object) -> object", metered=True, gives=merged)
def merge(*arguments: Any) -> dict[str, Any]:
    """Join objects; the last one has the say about a key that several have."""
    *objects, meter = arguments
    merged: dict[str, Any] = {}
    for part in objects:
        meter.spend(len(part))
        merged.update(part)
    return merged


FUNCTIONS = (
    type_,
    to_string,
    to_number,
    to_array,
    not_null,
    coalesce,
    length,
    contains,
    reverse,
    keys,
    values_,
    merge,
)
