"""Runs a parsed query: rows, conditions, groups, order, and columns as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, overload

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.suiteql.conditions import Get, Scope, comparable, shown
from connectors.netsuite.sandbox.suiteql.syntax import (
    AGGREGATES,
    All,
    Call,
    Column,
    Comparison,
    Condition,
    Literal,
    Output,
    Query,
    Value,
)
from connectors.netsuite.sandbox.suiteql.tables import TABLES, Cell, Table
from connectors.netsuite.sandbox.suiteql.words import invalid

#: A group of rows as one row of the answer; without grouping each row is a group of its own.
_Group = list[Any]


class Rows(Sequence[dict[str, str]]):
    """The rows of an answer, written out only where they are looked at: mostly that is one page of many."""

    def __init__(self, groups: Sequence[_Group], columns: Sequence[tuple[str, Callable[[_Group], Cell]]]) -> None:
        """Take the groups in their order, and each column with its value."""
        self._groups = groups
        self._columns = columns

    def __len__(self) -> int:
        """Count all rows."""
        return len(self._groups)

    @overload
    def __getitem__(self, place: int) -> dict[str, str]: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[dict[str, str]]: ...

    def __getitem__(self, place: int | slice) -> dict[str, str] | Sequence[dict[str, str]]:
        """Write one row or some; columns that are NULL are left out."""
        if isinstance(place, slice):
            return [self._row(group) for group in self._groups[place]]
        return self._row(self._groups[place])

    def _row(self, group: _Group) -> dict[str, str]:
        return {name: shown(cell) for name, get in self._columns if (cell := get(group)) is not None}


def run(account: Account, query: Query) -> Sequence[dict[str, str]]:
    """Give all rows of the answer; columns that are NULL are left out."""
    table = TABLES.get(query.table)
    if table is None:
        raise invalid(f"Record '{query.table}' was not found")
    scope = Scope(account, table, frozenset({query.table, query.alias or query.table}))
    outputs = query.outputs or tuple(Output(value=Column(name), name=name) for name in table.columns)
    rows = _rows(account, table, scope, query.where)
    aggregated = bool(query.groups) or any(_is_aggregate(output.value) for output in outputs)
    groups = _grouped(rows, [scope.value(value) for value in query.groups]) if aggregated else [[row] for row in rows]
    aliases = {output.name: output.value for output in outputs if output.name}
    for value, descending in reversed(query.order):
        wanted = aliases.get(value.name, value) if isinstance(value, Column) else value
        get = _of_group(scope, wanted, query, aggregated=aggregated)
        groups = _ordered(groups, [get(group) for group in groups], descending=descending)
    columns = [
        (_named(output, place), _of_group(scope, output.value, query, aggregated=aggregated))
        for place, output in enumerate(outputs, start=1)
    ]
    answer = Rows(groups, columns)
    return list({tuple(row.items()): row for row in answer}.values()) if query.distinct else answer


def _rows(account: Account, table: Table, scope: Scope, where: Condition | None) -> list[Any]:
    if where is None:
        return list(table.rows(account))
    test = scope.test(where)
    return [row for row in _candidates(account, table, scope, where) if test(row)]


def _candidates(account: Account, table: Table, scope: Scope, where: Condition) -> Iterable[Any]:
    for part in where.parts if isinstance(where, All) else (where,):
        if isinstance(part, Comparison) and part.sign == "=" and isinstance(part.left, Column):
            find = table.narrowed.get(scope.column(part.left.name))
            if find is not None and isinstance(part.right, Literal) and part.right.value is not None:
                found = find(account, str(part.right.value))
                if found is not None:
                    return found
    return table.rows(account)


def _grouped(rows: list[Any], keys: list[Get]) -> list[_Group]:
    if not keys:
        return [rows]
    groups: dict[tuple[Cell, ...], _Group] = {}
    for row in rows:
        groups.setdefault(tuple(key(row) for key in keys), []).append(row)
    return list(groups.values())


def _of_group(scope: Scope, value: Value, query: Query, *, aggregated: bool) -> Callable[[_Group], Cell]:
    if isinstance(value, Call) and value.name in AGGREGATES:
        return _aggregate(scope, value)
    if aggregated and not isinstance(value, Literal) and value not in query.groups:
        raise invalid("An expression is not in the GROUP BY clause")
    get = scope.value(value)
    return lambda group: get(group[0]) if group else None


def _aggregate(scope: Scope, call: Call) -> Callable[[_Group], Cell]:
    if not call.arguments:
        return lambda group: Decimal(len(group))
    if len(call.arguments) != 1:
        raise invalid(f"{call.name} takes one argument")
    get = scope.value(call.arguments[0])

    def cells(group: _Group) -> list[Any]:
        return [cell for row in group if (cell := get(row)) is not None]

    if call.name == "COUNT":
        return lambda group: Decimal(len(cells(group)))
    if call.name == "SUM":
        return lambda group: sum(found, Decimal(0)) if (found := cells(group)) else None
    pick = min if call.name == "MIN" else max
    return lambda group: pick(found) if (found := cells(group)) else None


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
    return -1 if one < other else int(one > other)


def _is_aggregate(value: Value) -> bool:
    return isinstance(value, Call) and value.name in AGGREGATES


def _named(output: Output, place: int) -> str:
    if output.name:
        return output.name
    return output.value.name.rpartition(".")[2] if isinstance(output.value, Column) else f"expr{place}"
