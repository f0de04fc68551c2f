"""Statements in SQLite's words: formed once, and handed to the driver as they are.

Forming a statement, or its parameters, costs more than what the database does with it. Many rows go into few
statements: row by row, the writing thread would come back from the database for each, and wait there until the threads
that compute let it go on. What is SQLite's own here are the marks of parameters, `json_each`, rows of values without
types, and that one statement may take over the same row twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Table, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError

from hub.sdk import exact_json

Values = Mapping[str, Any]

#: So many rows a statement takes at once; of other sizes none is formed, so that the driver keeps them all prepared.
_SIZES = (128, 64, 32, *range(16, 0, -1))
_DIALECT: Dialect = sqlite.dialect(paramstyle="qmark")
_quoted = _DIALECT.identifier_preparer.quote


class Formed:
    """A statement that is asked so often that it is formed only once; its columns come as the driver gives them."""

    def __init__(self, statement: Any) -> None:
        """Take the statement; what it is asked with are its named parameters."""
        self._statement = statement
        self._form: tuple[str, tuple[str, ...], dict[str, Any]] | None = None

    def rows(self, connection: Connection, **given: Any) -> list[dict[str, Any]]:
        """Execute it, and give the rows by the names of their columns."""
        cursor = self(connection, **given)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in _fetched(connection, cursor.fetchall)]

    def scalar(self, connection: Connection, **given: Any) -> Any:
        """Execute it, and give the first column of the first row, or None."""
        cursor = self(connection, **given)
        row = _fetched(connection, cursor.fetchone)
        # What is left half read would keep the reader at the state it began with.
        cursor.close()
        return None if row is None else row[0]

    def __call__(self, connection: Connection, **given: Any) -> Any:
        """Execute it with its parameters; gives the driver's cursor."""
        if self._form is None:
            self._form = self._formed()
        sql, names, fixed = self._form
        given = {**fixed, **given}
        return execute(connection, sql, [given[name] for name in names])

    def _formed(self) -> tuple[str, tuple[str, ...], dict[str, Any]]:
        compiled = self._statement.compile(dialect=_DIALECT)
        asked = {name for name, bind in compiled.binds.items() if bind.required}
        # Lists of constants are written out; for that every parameter has to have some value.
        form = compiled.construct_expanded_state(dict.fromkeys(asked), escape_names=False)
        fixed = {name: value for name, value in form.parameters.items() if name not in asked}
        return form.statement, tuple(form.positiontup or ()), fixed


def execute(connection: Connection, sql: str, values: Sequence[Any]) -> Any:
    """Have the driver execute a statement of its own words; gives its cursor, and raises what SQLAlchemy would."""
    cursor, dialect = connection.connection.cursor(), connection.dialect
    try:
        cursor.execute(sql, values)
    except dialect.loaded_dbapi.Error as error:
        raise _known(connection, sql, values, error) from error
    return cursor


def _fetched(connection: Connection, fetch: Callable[[], Any]) -> Any:
    try:
        # The driver goes on with the statement while rows are taken.
        return fetch()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _known(connection, "", (), error) from error


def _known(connection: Connection, sql: str, values: Sequence[Any], error: Exception) -> BaseException:
    dialect = connection.dialect
    return DBAPIError.instance(
        sql, list(values), error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
    )


def among(column: Column[str], parameter: str) -> ColumnElement[bool]:
    """Ask for one of many names, which are given as `names_of` makes them: so the statement is always the same."""
    return column.in_(select(func.json_each(bindparam(parameter)).table_valued("value").c.value))


def names_of(names: Iterable[str]) -> str:
    """Give names as the parameter of `among`; none may have a NUL in it, where SQLite ends a text it reads in JSON."""
    return exact_json.dumps(list(names)).decode()


def insert(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, each with the columns that the first one has."""
    _put(connection, table, rows, (), None)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Values], *, keys: Sequence[str], change: Sequence[str]
) -> None:
    """Insert rows; where one with the same `keys` exists, take over the columns in `change` (none: leave it)."""
    _put(connection, table, rows, tuple(keys), tuple(change))


def change(connection: Connection, table: Table, rows: Sequence[Values], *, key: str, columns: Sequence[str]) -> None:
    """Change `columns` of the rows that `key` names, each to its own values; of two about one row the later stands."""
    latest = {row[key]: row for row in rows}
    taken = itemgetter(key, *columns)
    for some in _portions(list(latest.values())):
        statement = _changing(table, key, tuple(columns), len(some))
        execute(connection, statement, list(chain.from_iterable(map(taken, some))))


def _put(
    connection: Connection, table: Table, rows: Sequence[Values], keys: tuple[str, ...], change: tuple[str, ...] | None
) -> None:
    if not rows:
        return
    names = tuple(rows[0])
    taken = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    for some in _portions(rows):
        statement = _putting(table, names, len(some), keys, change)
        execute(connection, statement, list(chain.from_iterable(map(taken, some))))


def _portions(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


@cache
def _putting(
    table: Table, names: tuple[str, ...], size: int, keys: tuple[str, ...], change: tuple[str, ...] | None
) -> str:
    into = f"{_quoted(table.name)} ({_listed(names)})"
    # All that is put together here are names of columns.
    statement = f"INSERT INTO {into} VALUES {_rows(len(names), size)}"  # noqa: S608
    if change is None:
        return statement
    sets = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in change)
    return f"{statement} ON CONFLICT ({_listed(keys)}) DO {f'UPDATE SET {sets}' if change else 'NOTHING'}"


@cache
def _changing(table: Table, key: str, columns: tuple[str, ...], size: int) -> str:
    name = _quoted(table.name)
    sets = ", ".join(f"{_quoted(column)} = given.column{place}" for place, column in enumerate(columns, start=2))
    given = f"(VALUES {_rows(len(columns) + 1, size)}) AS given"
    return f"UPDATE {name} SET {sets} FROM {given} WHERE {name}.{_quoted(key)} = given.column1"  # noqa: S608


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _rows(width: int, size: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * size)
