"""Insert-or-change in the words of the database at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    change: Sequence[str],
) -> None:
    """Insert rows; where one with the same `keys` exists, take over the columns in `change` (none: leave it)."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table, tuple(keys), tuple(change)), list(rows))


@cache
def _statement(dialect: str, table: Table, keys: tuple[str, ...], change: tuple[str, ...]) -> Insert:
    """Form the statement; once for each use, because that costs more than its execution."""
    statement = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    if not change:
        return statement.on_conflict_do_nothing(index_elements=list(keys))
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: statement.excluded[name] for name in change}
    )
