"""Which target fields a mapping can fill, and which of them a record has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.expressions.parts import Computed, Filled, Grouped, Nested, Part, Repeated

_ELEMENTS = "[]"


def target_fields(shape: Grouped) -> tuple[str, ...]:
    """Give the paths of all fields that expressions fill, such as `lines[].amount`, in the order of the file."""
    return tuple(_fields(shape, ""))


def _fields(part: Part, path: str) -> Iterator[str]:
    match part:
        case Computed() | Filled():
            yield path
        case Grouped():
            for name, inner in part.fields.items():
                yield from _fields(inner, f"{path}.{name}".removeprefix("."))
        case Nested():
            yield from _fields(part.fields, path) if part.fields.fields else (path,)
        case Repeated():
            below = f"{path}{_ELEMENTS}"
            yield from _fields(part.fields, below) if part.fields.fields else (below,)


def target_expressions(part: Part, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Give each target path with the expression that fills it, and whether it gives a list that is repeated over."""
    match part:
        case Computed():
            yield path, part.text, False
        case Filled():
            yield path, part.value.text, False
        case Grouped():
            for name, inner in part.fields.items():
                yield from target_expressions(inner, f"{path}.{name}".removeprefix("."))
        case Nested():
            yield from target_expressions(part.fields, path)
        case Repeated():
            yield path, part.each.text, True
            yield from target_expressions(part.fields, f"{path}{_ELEMENTS}")


def has(record: Any, path: str) -> bool:
    """Tell whether a record has a value at a path, in any of its elements."""
    return _has(record, path.replace(_ELEMENTS, f".{_ELEMENTS}").split("."))


def _has(value: Any, steps: list[str]) -> bool:
    if not steps:
        return value is not None
    step, *rest = steps
    if step == _ELEMENTS:
        return isinstance(value, list) and any(_has(element, rest) for element in value)
    return isinstance(value, dict) and _has(value.get(step), rest)
