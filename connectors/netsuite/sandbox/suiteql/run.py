"""Runs a parsed query: rows, conditions, groups, order, and columns as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

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


def run(account: Account, query: Query) -> list[dict[str, str]]:
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
        groups.sort(key=_ordering(_of_group(scope, wanted, query, aggregated=aggregated)), reverse=descending)
    columns = [
        (_named(output, place), _of_group(scope, output.value, query, aggregated=aggregated))
        for place, output in enumerate(outputs, start=1)
    ]
    answer = [{name: shown(cell) for name, get in columns if (cell := get(group)) is not None} for group in groups]
    if query.distinct:
        answer = list({tuple(row.items()): row for row in answer}.values())
    return answer


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


def _ordering(get: Callable[[_Group], Cell]) -> Callable[[_Group], Any]:
    def compare(one: _Group, other: _Group) -> int:
        left, right = get(one), get(other)
        if left is None or right is None:
            # NULL counts as the largest value.
            return (left is None) - (right is None)
        left, right = comparable(left, right)
        return -1 if left < right else int(left > right)

    return cmp_to_key(compare)


def _is_aggregate(value: Value) -> bool:
    return isinstance(value, Call) and value.name in AGGREGATES


def _named(output: Output, place: int) -> str:
    if output.name:
        return output.name
    return output.value.name.rpartition(".")[2] if isinstance(output.value, Column) else f"expr{place}"
