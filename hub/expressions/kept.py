"""What a record keeps of its source: a copy of an object, without the paths that are taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.expressions.budgets import Meter

#: Names below names, `[]` for the elements of a list; what has nothing below it is taken out.
Removed = Mapping[str, "Removed"]

ELEMENTS = "[]"


def removed(paths: Iterable[str]) -> dict[str, Any]:
    """Read paths such as `lines.data[].price` into names below names."""
    tree: dict[str, Any] = {}
    for path in paths:
        inner = tree
        for step in path.replace(ELEMENTS, f".{ELEMENTS}").split("."):
            inner = inner.setdefault(step, {})
    return tree


def kept(value: Any, names: Removed, meter: Meter) -> dict[str, Any]:
    """Copy an object as far as something is taken out of it; anything else has nothing to keep."""
    copy: dict[str, Any] = cut(value, names, meter) if isinstance(value, dict) else {}
    return copy


def cut(value: Any, names: Removed, meter: Meter) -> Any:
    """Give a value without the named parts, changing nothing that others hold."""
    if isinstance(value, dict):
        meter.spend(len(value))
        copy = dict(value)
        for name, below in names.items():
            if name in copy:
                if below:
                    copy[name] = cut(copy[name], below, meter)
                else:
                    del copy[name]
        return copy
    if isinstance(value, list) and ELEMENTS in names:
        meter.spend(len(value))
        below = names[ELEMENTS]
        return [cut(element, below, meter) for element in value] if below else []
    return value
