"""A vendor that changes its shapes without a word: what a test asks for is done to every object that is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.stripe.sandbox.table import Record

#: What may be done to the fields of a kind of object.
DEEDS = frozenset({"set", "drop", "as_text"})


def drifted(record: Record, wish: Mapping[str, Any] | None) -> Record:
    """Give an object with fields set, dropped, or given as text; a dotted name leads into objects within."""
    if not wish:
        return record
    for name, value in wish.get("set", {}).items():
        _put(record, name.split("."), lambda _, value=value: value)
    for name in wish.get("drop", ()):
        *above, last = name.split(".")
        _within(record, above).pop(last, None)
    for name in wish.get("as_text", ()):
        _put(record, name.split("."), lambda value: None if value is None else str(value))
    return record


def check_drift(wishes: Any) -> None:
    """Refuse a wish that nothing would come of; raises `ValueError`."""
    for kind, wish in dict(wishes).items():
        if not set(wish) <= DEEDS:
            raise ValueError(f"drift.{kind}: known are {', '.join(sorted(DEEDS))}")


def _put(record: Record, path: list[str], change: Any) -> None:
    holder = _within(record, path[:-1])
    holder[path[-1]] = change(holder.get(path[-1]))


def _within(record: Record, path: list[str]) -> Record:
    for step in path:
        inner = record.get(step)
        if not isinstance(inner, dict):
            return {}
        record = inner
    return record
