"""Rows of several tables brought together, by a column that they share wherever there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.suiteql.conditions import Get, Scope, Test
from connectors.netsuite.sandbox.suiteql.functions import Cell, shown
from connectors.netsuite.sandbox.suiteql.tree import Column, Comparison, Condition, Join, Literal, Query, Value, parts
from connectors.netsuite.sandbox.suiteql.words import invalid

#: A query that looks at more pairs of rows is refused, as NetSuite ends one that runs for too long.
MOST_PAIRS = 5_000_000
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Row = tuple[Any, ...]


def joined(scope: Scope, query: Query) -> Iterable[Row]:
    """Give the rows of all tables, each with a part of every table; the conditions of WHERE still stand out."""
    rows: Iterable[Row] = ((row,) for row in _first(scope, query.where))
    for place, join in enumerate(query.joins, start=1):
        rows = _with(scope.upto(place + 1), rows, join, query.where)
    return rows


def _first(scope: Scope, where: Condition | None) -> Iterable[Any]:
    """Give the rows of the first table, or the few that can satisfy the conditions."""
    table = scope.sources[0].table
    for part in parts(where):
        if isinstance(part, Comparison) and part.sign == "=" and isinstance(part.left, Column):
            place, column = scope.find(part.left.name)
            find = table.narrowed.get(column) if place == 0 else None
            if find is not None and isinstance(part.right, Literal) and part.right.value is not None:
                found = find(scope.account, str(part.right.value))
                if found is not None:
                    return found
    return table.rows(scope.account)


def _with(scope: Scope, rows: Iterable[Row], join: Join, where: Condition | None) -> Iterator[Row]:
    """Add the last table of the scope to the rows before it."""
    test = None if join.on is None else scope.test(join.on)
    others = list(scope.sources[-1].table.rows(scope.account))
    # Tables that are only listed are joined by what WHERE says of them.
    pair = _shared(scope, parts(join.on) or parts(where))
    if pair is None:
        return _every(rows, others, test, outer=join.outer)
    left, right = pair
    index: dict[object, list[Any]] = {}
    blank = (None,) * (len(scope.sources) - 1)
    for other in others:
        cell = right((*blank, other))
        if cell is not None:
            index.setdefault(_key(cell), []).append(other)
    return _matching(rows, index, left, test, outer=join.outer)


def _matching(
    rows: Iterable[Row], index: dict[object, list[Any]], left: Get, test: Test | None, *, outer: bool
) -> Iterator[Row]:
    for row in rows:
        cell = left(row)
        found = False
        for other in () if cell is None else index.get(_key(cell), ()):
            whole = (*row, other)
            if test is None or test(whole):
                found = True
                yield whole
        if outer and not found:
            yield (*row, None)


def _every(rows: Iterable[Row], others: Sequence[Any], test: Test | None, *, outer: bool) -> Iterator[Row]:
    pairs = 0
    for row in rows:
        pairs += len(others)
        if pairs > MOST_PAIRS:
            raise invalid("The query runs for too long; join its tables by a column that they share")
        found = False
        for other in others:
            whole = (*row, other)
            if test is None or test(whole):
                found = True
                yield whole
        if outer and not found:
            yield (*row, None)


def _shared(scope: Scope, conditions: Sequence[Condition]) -> tuple[Get, Get] | None:
    """Find an equality of the last table with those before it: what it needs of them, and of the last table itself."""
    last = len(scope.sources) - 1
    for condition in conditions:
        if not isinstance(condition, Comparison) or condition.sign != "=":
            continue
        for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if _places(scope, other) == {last} and (needed := _places(scope, one)) and last not in needed:
                return scope.value(one), scope.value(other)
    return None


def _places(scope: Scope, value: Value) -> frozenset[int]:
    """Give the tables of the scope that a value needs; none where it needs one that comes later."""
    try:
        return scope.places(value)
    except Refusal:
        return frozenset()


def _key(cell: Cell) -> object:
    """Give what equal cells have in common, whatever their types: the test of the join has the last word."""
    if isinstance(cell, Decimal):
        return cell
    text = shown(cell)
    return Decimal(text) if _NUMBER.fullmatch(text) else text
