"""Functions that read what stands beside the source: the whole record, given values, tables."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Final

from hub.errors import NotMapped
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.signature import function

#: Stands for a default that is still to be evaluated, and is given back when it is needed.
MISSING: Final = object()
_REQUIRED: Final = object()


@function("root() -> any", beside="root", lazy=True)
def root(source: Any) -> Any:
    """Give the whole source, also where the current node is one of its elements."""
    return source


@function("given(name: string, default?) -> any", beside="given", lazy=True)
def given(values: Mapping[str, Any], name: str, default: Any = _REQUIRED) -> Any:
    """Give an extra value of the step; one that was not given is an error unless there is a default."""
    value = values.get(name, default)
    if value is _REQUIRED:
        raise InvalidValue(f"The value '{name[:40]}' was not given.", code="not-given", name=name)
    return value


@function("table(name: string, key: string|number|null, default?) -> any", beside="tables", lazy=True)
def table(
    tables: Mapping[str, Mapping[str, Any]], name: str, key: str | int | Decimal | None, default: Any = _REQUIRED
) -> Any:
    """Look a key up in a table; one that is not there, as null never is, is an error without a default."""
    entries = tables.get(name)
    if entries is None:
        near = get_close_matches(name, tables, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise InvalidValue(f"There is no table '{name[:40]}'.{hint}", code="unknown-table", table=name)
    value = entries.get(key if isinstance(key, str) else str(key), default) if key is not None else default
    if value is _REQUIRED:
        words = "a missing value" if key is None else str(key)[:80]
        raise NotMapped(f"The table {name} has no entry for {words}.", code="not-in-table", table=name, key=key)
    return value


FUNCTIONS = (root, given, table)
