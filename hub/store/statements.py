"""Statements in the database's own words: formed once, and handed to the driver as they are.

Forming a statement, or its parameters, costs more than what the database does with it. Many rows go into few
statements: row by row, the writing thread would come back from the database for each, and wait there until the threads
that compute let it go on. Callers say what they want, and the same comes of it in both databases.

SQLite's own are the marks of parameters, `json_each`, rows of values without types, and that one statement may take
over the same row twice. PostgreSQL's own are COPY, for many rows that are new, and columns as typed arrays, so that a
statement is the same for any number of rows; `= ANY`; and that rows are written in the order of their keys, so that two
who write the same ones never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby, islice, repeat
from operator import attrgetter, itemgetter
from typing import Any, NewType

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    LargeBinary,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import String, TypeEngine

from hub.errors import DatabaseAway
from hub.sdk import exact_json
from hub.store.arrays import Array, BigIntegers, Binaries, Booleans, Integers, Texts
from hub.store.lines import lines, numbered, texts

Values = Mapping[str, Any]
#: Names as `names_of` gives them.
Names = NewType("Names", tuple[str, ...])

#: So many rows a statement of SQLite takes at once; of other sizes none is formed, so that the driver keeps them all
#: prepared.
_SIZES = (128, 64, 32, *range(16, 0, -1))
#: So many rows go to PostgreSQL at once, which bounds the memory that their parameters take.
_MOST_ROWS = 4000
#: So many new rows are copied, which costs both sides less from some ten on, and one more way there and back.
_COPIED = 32
#: So many of them are made into lines at once: the database works on some while the next are made.
_PORTION = 500
_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]
}
_quoted = _DIALECTS["sqlite"].identifier_preparer.quote
_quoted_in_postgresql = _DIALECTS["postgresql"].identifier_preparer.quote


class _Form:
    """A statement in one database's words: its text, its parameters in order, and those of them that are lists."""

    __slots__ = ("fixed", "listed", "lists", "names", "sql")

    def __init__(self, statement: Any, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        asked = {name for name, bind in compiled.binds.items() if bind.required}
        # Lists of constants are written out; for that every parameter has to have some value.
        form = compiled.construct_expanded_state(dict.fromkeys(asked), escape_names=False)
        self.sql: str = form.statement
        self.names: tuple[str, ...] = tuple(form.positiontup or ())
        self.fixed = {name: value for name, value in form.parameters.items() if name not in asked}
        self.lists = [
            place for place, name in enumerate(self.names) if name in asked and compiled.binds[name].type is _LIST
        ]
        self.listed: Callable[[Sequence[str]], Any] = Texts if dialect.name == "postgresql" else _in_json


class Formed:
    """A statement that is asked so often that it is formed only once; its columns come as the driver gives them."""

    def __init__(self, statement: Any) -> None:
        """Take the statement; what it is asked with are its named parameters."""
        self._statement = statement
        self._forms: dict[str, _Form] = {}

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
        form = self._forms.get(connection.dialect.name) or self.form(connection.dialect.name)
        given = {**form.fixed, **given}
        values = [given[name] for name in form.names]
        for place in form.lists:
            values[place] = form.listed(values[place])
        return execute(connection, form.sql, values)

    def form(self, dialect: str) -> _Form:
        """Give what a database is asked with."""
        return self._forms.setdefault(dialect, _Form(self._statement, _DIALECTS[dialect]))


def execute(connection: Connection, sql: str, values: Sequence[Any]) -> Any:
    """Have the driver execute a statement of its own words; gives its cursor, and raises what SQLAlchemy would."""
    cursor, dialect = connection.connection.cursor(), connection.dialect
    try:
        cursor.execute(sql, values)
    except dialect.loaded_dbapi.Error as error:
        raise _known(connection, sql, values, error) from error
    return cursor


def script(connection: Connection, statements: str) -> Any:
    """Have PostgreSQL execute several statements in one way there and back; raises what `execute` would.

    That the protocol allows where values stand in their text. What fails keeps those behind it from being done. Gives
    the driver's cursor, which has each one's answer.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statements, prepare=False)  # type: ignore[call-arg]
    except connection.dialect.loaded_dbapi.Error as error:
        raise _known(connection, statements, (), error) from error
    return cursor


def copy(connection: Connection, sql: str, given: Iterable[bytes]) -> None:
    """Have PostgreSQL's driver copy rows in, as `lines` gives them; raises what `execute` would.

    The database takes what was given while the next is made; what cannot be made leaves nothing copied.
    """
    try:
        with connection.connection.cursor() as cursor, cursor.copy(sql) as copying:  # type: ignore[attr-defined]
            for some in given:
                copying.write(some)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _known(connection, sql, (), error) from error


def _fetched(connection: Connection, fetch: Callable[[], Any]) -> Any:
    try:
        # The driver goes on with the statement while rows are taken.
        return fetch()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _known(connection, "", (), error) from error


def without_values(error: Any) -> None:
    """Leave of a server's error its first sentence: what it says further shows the row that was refused."""
    primary = getattr(getattr(error, "diag", None), "message_primary", None)
    if primary is not None:
        error.args = (primary,)


def _known(connection: Connection, sql: str, values: Sequence[Any], error: Any) -> BaseException:
    dialect = connection.dialect
    without_values(error)
    lost: bool = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
    told: BaseException = DBAPIError.instance(
        sql,
        list(values),
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=lost,
        dialect=dialect,
    )
    if lost:
        connection.invalidate(error)
        if dialect.name == "postgresql" and connection.get_execution_options().get("reads"):
            return unread(error)
    return told


def unread(error: BaseException) -> DatabaseAway:
    """Give what a reader hears whose database cannot be reached."""
    said = str(error).strip().splitlines()
    return DatabaseAway(
        "The database cannot be read just now.", after=_AWAY_SECONDS, reason=said[0][:200] if said else None
    )


#: After so many seconds it is tried again whether a database that was away can be read.
_AWAY_SECONDS = 1.0


#: What the parameter of `among` is; by it a form knows its lists.
_LIST = ARRAY(Text())


class _Either(ColumnElement[bool]):
    """A condition in each database's own words; a statement that has one is formed anew each time it is executed."""

    inherit_cache = False
    type = Boolean()
    #: SQLite would be asked whether it equals 1 otherwise.
    _is_implicitly_boolean = True

    def __init__(self, *, sqlite: ColumnElement[bool], postgresql: ColumnElement[bool]) -> None:
        self._forms = {"sqlite": sqlite, "postgresql": postgresql}

    @property
    def _from_objects(self) -> list[Any]:
        found: list[Any] = self._forms["postgresql"]._from_objects  # noqa: SLF001 - as SQLAlchemy's own do
        return found

    def form(self, dialect: str) -> ColumnElement[bool]:
        return self._forms[dialect]


@compiles(_Either)
def _in_its_words(element: _Either, compiler: SQLCompiler, **told: Any) -> str:
    return compiler.process(element.form(compiler.dialect.name), **told)


def among(column: Column[str], parameter: str) -> ColumnElement[bool]:
    """Ask for one of many names, which are given as `names_of` makes them: so the statement is always the same.

    It stands in a statement that is `Formed`.
    """
    names = bindparam(parameter, type_=_LIST)
    return _Either(
        sqlite=column.in_(select(func.json_each(names).table_valued("value").c.value)), postgresql=column == any_(names)
    )


def alike(column: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """Ask for a text by a pattern with `%` and `_`, escaped by a backslash; an ASCII letter is found in both cases."""
    return _Either(sqlite=column.like(pattern, escape="\\"), postgresql=column.ilike(pattern, escape="\\"))


def containing(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Ask for what a person types anywhere in a text; an ASCII letter is found in both cases."""
    escaped = text.replace("/", "//").replace("%", "/%").replace("_", "/_")
    return _Either(sqlite=column.contains(text, autoescape=True), postgresql=column.ilike(f"%{escaped}%", escape="/"))


def names_of(names: Iterable[str]) -> Names:
    """Give names as the parameter of `among`; none may have a NUL in it, where SQLite ends a text it reads in JSON."""
    return Names(tuple(names))


def _in_json(names: Sequence[str]) -> str:
    return exact_json.dumps(list(names)).decode()


def insert(connection: Connection, table: Table, rows: Sequence[Values]) -> None:
    """Insert rows, each with the columns that the first one has."""
    if rows:
        _put(connection, table, rows, (), None)


def insert_columns(connection: Connection, table: Table, common: Values, columns: Mapping[str, Sequence[Any]]) -> None:
    """Insert rows that are given as columns, all of one length, beside what is `common` to all rows."""
    names, size = (*common, *columns), len(next(iter(columns.values())))
    if connection.dialect.name == "postgresql":
        for start in range(0, size, _MOST_ROWS):
            some = [values[start : start + _MOST_ROWS] for values in columns.values()]
            alike = [[value] * len(some[0]) for value in common.values()]
            _insert_some(connection, table, names, [*alike, *some])
        return
    rows = zip(*map(repeat, common.values()), *columns.values(), strict=False)
    for count in _counts(size):
        statement = _putting(table, names, count, (), None)
        execute(connection, statement, list(chain.from_iterable(islice(rows, count))))


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows as PostgreSQL copies them, made before their turn: the columns, and of each row all but a first number."""

    names: tuple[str, ...]
    texts: Sequence[str]


def lines_of(table: Table, common: Values, columns: Mapping[str, Sequence[Any]]) -> Lines:
    """Make lines of rows that are given as `insert_columns` takes them; raises for what its column cannot hold."""
    names, size = (*common, *columns), len(next(iter(columns.values())))
    alike = ([value] * size for value in common.values())
    return Lines(names, texts(_kinds(table, names), [*alike, *columns.values()]))


def insert_lines(
    connection: Connection, table: Table, given: Sequence[Lines], *, number: str, values: Sequence[int]
) -> None:
    """Copy rows into PostgreSQL whose lines are made already, each with its own of these values as its `number`."""
    at = 0
    for names, some in groupby(given, attrgetter("names")):
        rows = list(chain.from_iterable(each.texts for each in some))
        own, portions = values[at : at + len(rows)], range(0, len(rows), _PORTION)
        made = (numbered(own[start : start + _PORTION], rows[start : start + _PORTION]) for start in portions)
        copy(connection, _copying(table, (number, *names)), made)
        at += len(rows)


def upsert(
    connection: Connection, table: Table, rows: Sequence[Values], *, keys: Sequence[str], change: Sequence[str]
) -> None:
    """Insert rows; where one with the same `keys` exists, take over the columns in `change` (none: leave it)."""
    if rows:
        _put(connection, table, rows, tuple(keys), tuple(change))


def change(connection: Connection, table: Table, rows: Sequence[Values], *, key: str, columns: Sequence[str]) -> None:
    """Change `columns` of the rows that `key` names, each to its own values; of two about one row the later stands."""
    latest = {row[key]: row for row in rows}
    if connection.dialect.name == "postgresql":
        names = (key, *columns)
        statement = _changing_arrays(table, key, tuple(columns))
        _write_arrays(connection, table, statement, names, [latest[name] for name in sorted(latest)])
        return
    taken = itemgetter(key, *columns)
    for some in _portions(list(latest.values())):
        statement = _changing(table, key, tuple(columns), len(some))
        execute(connection, statement, list(chain.from_iterable(map(taken, some))))


def _put(
    connection: Connection, table: Table, rows: Sequence[Values], keys: tuple[str, ...], change: tuple[str, ...] | None
) -> None:
    names = tuple(rows[0])
    if connection.dialect.name == "postgresql":
        ordered = _in_order(table, rows, keys, change)
        if change is None:
            for columns in _columns(ordered, names):
                _insert_some(connection, table, names, columns)
        else:
            _write_arrays(connection, table, _putting_arrays(table, names, keys, change), names, ordered)
        return
    taken = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    for some in _portions(rows):
        statement = _putting(table, names, len(some), keys, change)
        execute(connection, statement, list(chain.from_iterable(map(taken, some))))


def _portions(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    start = 0
    for count in _counts(len(rows)):
        yield rows[start : start + count]
        start += count


def _counts(left: int) -> Iterator[int]:
    for size in _SIZES:
        while left >= size:
            yield size
            left -= size


@cache
def _putting(
    table: Table, names: tuple[str, ...], size: int, keys: tuple[str, ...], change: tuple[str, ...] | None
) -> str:
    into = f"{_quoted(table.name)} ({_listed(names)})"
    # All that is put together here are names of columns.
    statement = f"INSERT INTO {into} VALUES {_rows(len(names), size)}"  # noqa: S608
    return f"{statement}{_where_one_stands(keys, change, _quoted)}"


@cache
def _changing(table: Table, key: str, columns: tuple[str, ...], size: int) -> str:
    name = _quoted(table.name)
    sets = ", ".join(f"{_quoted(column)} = given.column{place}" for place, column in enumerate(columns, start=2))
    given = f"(VALUES {_rows(len(columns) + 1, size)}) AS given"
    return f"UPDATE {name} SET {sets} FROM {given} WHERE {name}.{_quoted(key)} = given.column1"  # noqa: S608


def _listed(names: Sequence[str], quoted: Callable[[str], str] | None = None) -> str:
    return ", ".join(map(quoted or _quoted, names))


def _rows(width: int, size: int) -> str:
    return ", ".join([f"({', '.join('?' * width)})"] * size)


def _where_one_stands(keys: Sequence[str], change: Sequence[str] | None, quoted: Callable[[str], str]) -> str:
    if change is None:
        return ""
    sets = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in change)
    return f" ON CONFLICT ({_listed(keys, quoted)}) DO {f'UPDATE SET {sets}' if change else 'NOTHING'}"


def _in_order(
    table: Table, rows: Sequence[Values], keys: tuple[str, ...], change: tuple[str, ...] | None
) -> Sequence[Values]:
    """Give rows in the order of their keys; of several about one row what they come to, one after the other."""
    names = keys or tuple(column.name for column in table.primary_key)
    key = itemgetter(*names)
    if change is None:
        return sorted(rows, key=key)
    one: dict[Any, Values] = {}
    for row in rows:
        before = one.get(key(row))
        one[key(row)] = row if before is None else {**before, **{name: row[name] for name in change}}
    return [one[each] for each in sorted(one)]


def _write_arrays(
    connection: Connection, table: Table, statement: str, names: tuple[str, ...], rows: Sequence[Values]
) -> None:
    kinds = _kinds(table, names)
    for columns in _columns(rows, names):
        execute(connection, statement, [kind(values) for kind, values in zip(kinds, columns, strict=True)])


def _columns(rows: Sequence[Values], names: Sequence[str]) -> Iterator[list[list[Any]]]:
    """Give as many rows as go to PostgreSQL at once, and again, as the values of each column."""
    for start in range(0, len(rows), _MOST_ROWS):
        some = rows[start : start + _MOST_ROWS]
        yield [[row[name] for row in some] for name in names]


def _insert_some(
    connection: Connection, table: Table, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
) -> None:
    kinds = _kinds(table, names)
    if len(columns[0]) < _COPIED:
        values = [kind(each) for kind, each in zip(kinds, columns, strict=True)]
        execute(connection, _putting_arrays(table, names, (), None), values)
    else:
        portions = range(0, len(columns[0]), _PORTION)
        given = (lines(kinds, [values[start : start + _PORTION] for values in columns]) for start in portions)
        copy(connection, _copying(table, names), given)


@cache
def _kinds(table: Table, names: tuple[str, ...]) -> list[type[Array]]:
    return [_array_of(table.c[name].type) for name in names]


@cache
def _copying(table: Table, names: tuple[str, ...]) -> str:
    quoted = _quoted_in_postgresql
    return f"COPY {quoted(table.name)} ({_listed(names, quoted)}) FROM STDIN"


@cache
def _putting_arrays(table: Table, names: tuple[str, ...], keys: tuple[str, ...], change: tuple[str, ...] | None) -> str:
    quoted = _quoted_in_postgresql
    into = f"{quoted(table.name)} ({_listed(names, quoted)})"
    statement = f"INSERT INTO {into} SELECT * FROM {_unnested(table, names)}"  # noqa: S608 - names of columns
    return f"{statement}{_where_one_stands(keys, change, quoted)}"


@cache
def _changing_arrays(table: Table, key: str, columns: tuple[str, ...]) -> str:
    quoted = _quoted_in_postgresql
    name = quoted(table.name)
    named = ", ".join(f"column{place}" for place in range(1, len(columns) + 2))
    sets = ", ".join(f"{quoted(column)} = given.column{place}" for place, column in enumerate(columns, start=2))
    given = f"{_unnested(table, (key, *columns))} AS given ({named})"
    return f"UPDATE {name} SET {sets} FROM {given} WHERE {name}.{quoted(key)} = given.column1"  # noqa: S608


def _unnested(table: Table, names: Sequence[str]) -> str:
    return f"unnest({', '.join(f'%s::{_array_of(table.c[name].type).name}[]' for name in names)})"


def _array_of(of: TypeEngine[Any]) -> type[Array]:
    for kind, array in _ARRAYS:
        if isinstance(of, kind):
            return array
    raise TypeError(f"No column of this kind is written in many rows: {of!r}.")


#: A big integer is an integer too.
_ARRAYS: tuple[tuple[type[TypeEngine[Any]], type[Array]], ...] = (
    (String, Texts),
    (BigInteger, BigIntegers),
    (Integer, Integers),
    (Boolean, Booleans),
    (LargeBinary, Binaries),
)
