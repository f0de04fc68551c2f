"""Runs a parsed query: rows, conditions, groups, order, and columns as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, overload

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.suiteql.conditions import DISPLAY, Get, Leaf, Scope, Source
from connectors.netsuite.sandbox.suiteql.functions import Cell, comparable, shown
from connectors.netsuite.sandbox.suiteql.joins import Row, joined
from connectors.netsuite.sandbox.suiteql.tables import TABLES, Table
from connectors.netsuite.sandbox.suiteql.tree import (
    AGGREGATES,
    Binary,
    Call,
    Case,
    Column,
    Comparison,
    Condition,
    From,
    Literal,
    Output,
    Query,
    Value,
    parts,
)
from connectors.netsuite.sandbox.suiteql.words import invalid

#: A group of rows as one row of the answer; without grouping each row is a group of its own.
_Group = list[Row]


@dataclass(frozen=True, slots=True)
class _Found:
    """The groups of an answer in their order, and each column with its value."""

    groups: Sequence[_Group]
    columns: Sequence[tuple[str, Callable[[_Group], Cell]]]


class Rows(Sequence[dict[str, str]]):
    """The rows of an answer, written out only where they are looked at: mostly that is one page of many."""

    def __init__(self, found: _Found) -> None:
        """Take what was found."""
        self._found = found

    def __len__(self) -> int:
        """Count all rows."""
        return len(self._found.groups)

    @overload
    def __getitem__(self, place: int) -> dict[str, str]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[dict[str, str]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, str] | Sequence[dict[str, str]]:
        """Write one row or some; columns that are NULL are left out."""
        if isinstance(place, slice):
            return [self._row(group) for group in self._found.groups[place]]
        return self._row(self._found.groups[place])

    def _row(self, group: _Group) -> dict[str, str]:
        return {name: shown(cell) for name, get in self._found.columns if (cell := get(group)) is not None}


def run(account: Account, query: Query) -> Sequence[dict[str, str]]:
    """Give all rows of the answer; columns that are NULL are left out."""
    return Rows(_find(account, query))


def _find(account: Account, query: Query) -> _Found:
    scope = Scope(account, _sources(account, query), lambda inner: _one_column(account, inner))
    outputs = _outputs(scope, query.outputs)
    rows = _rows(scope, query)
    aggregated = bool(query.groups) or any(_aggregates(output.value) for output in outputs)
    groups = _grouped(rows, [scope.value(value) for value in query.groups]) if aggregated else [[row] for row in rows]
    leaf = _leaf(scope, query.groups) if aggregated else _alone(scope)
    if query.having is not None:
        if not aggregated:
            raise invalid("HAVING needs groups")
        holds = scope.test(query.having, leaf)
        groups = [group for group in groups if holds(group)]
    columns = [
        (_named(output, place), scope.compiled(output.value, leaf)) for place, output in enumerate(outputs, start=1)
    ]
    if query.distinct:
        groups = list({tuple(get(group) for _, get in columns): group for group in reversed(groups)}.values())[::-1]
    for value, descending in reversed(query.order):
        get = scope.compiled(_meant(value, outputs), leaf)
        groups = _ordered(groups, [get(group) for group in groups], descending=descending)
    end = None if query.most is None else query.skip + query.most
    return _Found(groups[query.skip : end], columns)


def _sources(account: Account, query: Query) -> list[Source]:
    found = [_source(account, one) for one in (query.source, *(join.source for join in query.joins))]
    names = [source.name for source in found if source.name is not None]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Two tables are called '{name}'; give them aliases")
    return found


def _source(account: Account, wanted: From) -> Source:
    if isinstance(wanted.table, Query):
        return Source(table=_derived(_find(account, wanted.table)), name=wanted.alias)
    table = TABLES.get(wanted.table)
    if table is None:
        raise invalid(f"Record '{wanted.table}' was not found")
    return Source(table=table, name=wanted.alias or wanted.table)


def _derived(found: _Found) -> Table:
    """Make a table of what another query found."""
    names = [name for name, _ in found.columns]
    rows = [dict(zip(names, (get(group) for _, get in found.columns), strict=True)) for group in found.groups]
    columns = {name: _cell(name) for name in names}
    return Table(rows=lambda _account: rows, columns=columns)


def _cell(name: str) -> Callable[[Account, Any], Cell]:
    return lambda _account, row: row[name]


def _one_column(account: Account, query: Query) -> list[Cell]:
    found = _find(account, query)
    if len(found.columns) != 1:
        raise invalid("The query behind IN must have one column")
    ((_, get),) = found.columns
    return [get(group) for group in found.groups]


def _outputs(scope: Scope, outputs: Sequence[Output]) -> list[Output]:
    """Write out `*` and `t.*`."""
    found: list[Output] = []
    for output in outputs:
        name = output.value.name if isinstance(output.value, Column) else ""
        if name.rpartition(".")[2] != "*":
            found.append(output)
            continue
        wanted = name.rpartition(".")[0]
        sources = [source for source in scope.sources if not wanted or source.name == wanted]
        if not sources:
            raise invalid(f"Unknown identifier '{name}'")
        for source in sources:
            start = f"{source.name}." if source.name else ""
            found += [Output(value=Column(f"{start}{column}"), name=column) for column in source.table.columns]
    # Where two tables have a column of one name, the first one's is shown.
    shown_once: dict[str, Output] = {}
    for place, output in enumerate(found, start=1):
        shown_once.setdefault(_named(output, place), output)
    return list(shown_once.values())


def _rows(scope: Scope, query: Query) -> list[Row]:
    most, conditions = _first_rows(query.where)
    tests = [scope.test(part) for part in conditions]
    found: list[Row] = []
    for row in joined(scope, query):
        if most is not None and len(found) >= most:
            break
        if all(test(row) for test in tests):
            found.append(row)
    return found


def _first_rows(where: Condition | None) -> tuple[int | None, list[Condition]]:
    """Tell how many rows `ROWNUM <= n` leaves, and what other conditions there are."""
    most: int | None = None
    rest: list[Condition] = []
    for part in parts(where):
        match part:
            case Comparison(Column("rownum"), ("<" | "<=") as sign, Literal(Decimal() as number)):
                bound = int(number) - (1 if sign == "<" else 0)
                most = bound if most is None else min(most, bound)
            case _:
                rest.append(part)
    return most, rest


def _grouped(rows: Iterable[Row], keys: list[Get]) -> list[_Group]:
    if not keys:
        return [list(rows)]
    groups: dict[tuple[Cell, ...], _Group] = {}
    for row in rows:
        groups.setdefault(tuple(key(row) for key in keys), []).append(row)
    return list(groups.values())


def _alone(scope: Scope) -> Leaf:
    """Take values from groups of one row each."""

    def leaf(value: Value) -> Get:
        get = scope.value(value)
        return lambda group: get(group[0])

    return leaf


def _leaf(scope: Scope, groups: Sequence[Value]) -> Leaf:
    """Take values from groups: what they were made by, and what is computed over their rows."""

    def leaf(value: Value) -> Get | None:
        if any(scope.same(value, group) for group in groups):
            get = scope.value(value)
            return lambda group: get(group[0])
        if isinstance(value, Call) and value.name in AGGREGATES:
            return _aggregate(scope, value)
        if isinstance(value, Column) or (isinstance(value, Call) and value.name == DISPLAY):
            raise invalid("An expression is not in the GROUP BY clause")
        return None

    return leaf


def _aggregate(scope: Scope, call: Call) -> Callable[[_Group], Cell]:
    if not call.arguments:
        return lambda group: Decimal(len(group))
    if len(call.arguments) != 1:
        raise invalid(f"{call.name} takes one argument")
    get = scope.value(call.arguments[0])

    def cells(group: _Group) -> list[Any]:
        found = [cell for row in group if (cell := get(row)) is not None]
        return list(dict.fromkeys(found)) if call.distinct else found

    match call.name:
        case "COUNT":
            return lambda group: Decimal(len(cells(group)))
        case "SUM":
            return lambda group: sum(found, Decimal(0)) if (found := cells(group)) else None
        case "AVG":
            return lambda group: sum(found, Decimal(0)) / len(found) if (found := cells(group)) else None
        case _:
            pick = min if call.name == "MIN" else max
            return lambda group: pick(found) if (found := cells(group)) else None


def _meant(value: Value, outputs: Sequence[Output]) -> Value:
    """Give what an order is by: an output, by its name or its number, or a value of its own."""
    if isinstance(value, Column):
        return next((output.value for output in outputs if output.name == value.name), value)
    if isinstance(value, Literal) and isinstance(value.value, Decimal):
        if value.value not in range(1, len(outputs) + 1):
            raise invalid(f"There is no column {value.value} to order by")
        return outputs[int(value.value) - 1].value
    return value


def _ordered(groups: list[_Group], cells: list[Any], *, descending: bool) -> list[_Group]:
    """Put groups into the order of their cells, those of equal cells as they came; NULL counts as the largest value."""
    alike = len({type(cell) for cell in cells if cell is not None}) < 2
    key: Callable[[int], Any] = (
        (lambda place: (cells[place] is None, cells[place]))
        if alike
        else cmp_to_key(lambda one, other: _compared(cells[one], cells[other]))
    )
    return [groups[place] for place in sorted(range(len(groups)), key=key, reverse=descending)]


def _compared(left: Cell, right: Cell) -> int:
    if left is None or right is None:
        return (left is None) - (right is None)
    one, other = comparable(left, right)
    if one == other:
        return 0
    return -1 if one < other else 1  # type: ignore[operator]  # of one type by now


def _aggregates(value: Value) -> bool:
    match value:
        case Call(name, arguments, _):
            return name in AGGREGATES or any(map(_aggregates, arguments))
        case Binary(left, _, right):
            return _aggregates(left) or _aggregates(right)
        case Case(cases, otherwise):
            return any(_aggregates(then) for _, then in cases) or _aggregates(otherwise)
        case _:
            return False


def _named(output: Output, place: int) -> str:
    if output.name:
        return output.name
    return output.value.name.rpartition(".")[2] if isinstance(output.value, Column) else f"expr{place}"
