"""What changes between two records, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that is another; `was` or `now` is None where the field was not there, or is null."""

    field: str
    was: Any
    now: Any


def changes(was: Any, now: Any, where: str = "") -> Iterator[Change]:
    """Compare two records field by field; in a list by place."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for name in dict.fromkeys((*was, *now)):
            path = f"{where}.{name}" if where else name
            if name not in was or name not in now:
                yield Change(field=path, was=was.get(name), now=now.get(name))
            else:
                yield from changes(was[name], now[name], path)
    elif isinstance(was, list) and isinstance(now, list):
        for place in range(max(len(was), len(now))):
            path = f"{where}[{place}]"
            if place >= len(was) or place >= len(now):
                here, there = (was[place : place + 1] or [None])[0], (now[place : place + 1] or [None])[0]
                yield Change(field=path, was=here, now=there)
            else:
                yield from changes(was[place], now[place], path)
    elif not _same(was, now):
        yield Change(field=where or "record", was=was, now=now)


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, bool) or isinstance(now, bool):
        return was is now
    if isinstance(was, int | Decimal) and isinstance(now, int | Decimal):
        return was == now
    return type(was) is type(now) and bool(was == now)
