"""Values and conditions as functions of a row, which has a part of each table that the query names."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.suiteql import functions
from connectors.netsuite.sandbox.suiteql.functions import Cell, comparable, shown
from connectors.netsuite.sandbox.suiteql.tables import Table, display
from connectors.netsuite.sandbox.suiteql.tree import (
    AGGREGATES,
    All,
    Binary,
    Call,
    Case,
    Column,
    Comparison,
    Condition,
    In,
    InQuery,
    IsNull,
    Like,
    Literal,
    Not,
    Query,
    Some,
    Value,
)
from connectors.netsuite.sandbox.suiteql.words import invalid

#: None means unknown: a comparison with NULL is neither true nor false.
Test = Callable[[Any], bool | None]
Get = Callable[[Any], Cell]
#: Compiles a value that is not made of others, or that stands for itself; None leaves it to its parts.
Leaf = Callable[[Value], Get | None]

_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
DISPLAY = "BUILTIN.DF"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A table of the query, and the name that its columns are written with."""

    table: Table
    name: str | None


class Scope:
    """Compiles values and conditions against the tables of a query, in their order."""

    def __init__(self, account: Account, sources: Sequence[Source], ask: Callable[[Query], list[Cell]]) -> None:
        """Take the tables; `ask` gives the cells of an inner query's one column."""
        self.account = account
        self.sources = tuple(sources)
        self._ask = ask

    def upto(self, number: int) -> Scope:
        """Give the scope of the first tables alone: what joins them knows no later ones."""
        return Scope(self.account, self.sources[:number], self._ask)

    def find(self, name: str) -> tuple[int, str]:
        """Give which table a column is of, and its own name; refuses one that no table has, or several."""
        table, _, column = name.rpartition(".")
        found = [
            place
            for place, source in enumerate(self.sources)
            if (not table or table == source.name) and column in source.table.columns
        ]
        if not found:
            raise invalid(f"Unknown identifier '{name}'")
        if len(found) > 1:
            raise invalid(f"Column '{name}' is ambiguous")
        return found[0], column

    def same(self, one: Value, other: Value) -> bool:
        """Tell whether two values mean the same, however their columns are written."""
        match one, other:
            case Column(), Column():
                return self.find(one.name) == self.find(other.name)
            case Call(), Call():
                alike = (one.name, one.distinct, len(one.arguments)) == (
                    other.name,
                    other.distinct,
                    len(other.arguments),
                )
                return alike and all(map(self.same, one.arguments, other.arguments))
            case Binary(), Binary():
                return one.sign == other.sign and self.same(one.left, other.left) and self.same(one.right, other.right)
            case _:
                return one == other

    def places(self, value: Value) -> frozenset[int]:
        """Give the tables that a value needs; a case needs all of them, as its conditions are not looked into."""
        match value:
            case Column(name):
                return frozenset() if self._is_now(name) else frozenset({self.find(name)[0]})
            case Literal():
                return frozenset()
            case Call(_, arguments, _):
                return frozenset().union(*map(self.places, arguments))
            case Binary(left, _, right):
                return self.places(left) | self.places(right)
            case Case():
                return frozenset(range(len(self.sources)))

    def value(self, value: Value) -> Get:
        """Compile a value of a single row."""
        return self.compiled(value, self._of_row)

    def compiled(self, value: Value, leaf: Leaf) -> Get:
        """Compile a value of whatever `leaf` takes its parts from."""
        found = leaf(value)
        if found is not None:
            return found
        match value:
            case Literal(fixed):
                return lambda _row: fixed
            case Binary(left, sign, right):
                one, other = self.compiled(left, leaf), self.compiled(right, leaf)
                return lambda row: functions.compute(one(row), sign, other(row))
            case Case(parts, otherwise):
                chosen = [(self.test(when, leaf), self.compiled(then, leaf)) for when, then in parts]
                rest = self.compiled(otherwise, leaf)
                return lambda row: next((then for when, then in chosen if when(row)), rest)(row)
            case Call(name, arguments, _):
                return self._call(name, arguments, leaf)
            case Column(name):
                raise invalid(f"Unknown identifier '{name}'")

    def test(self, condition: Condition, leaf: Leaf | None = None) -> Test:
        """Compile a condition on a single row, or on what `leaf` takes its parts from."""
        from_row = leaf or self._of_row

        def get(value: Value) -> Get:
            return self.compiled(value, from_row)

        match condition:
            case All(parts):
                return _all([self.test(part, leaf) for part in parts])
            case Some(parts):
                return _some([self.test(part, leaf) for part in parts])
            case Not(inner):
                test = self.test(inner, leaf)
                return lambda row: None if (known := test(row)) is None else not known
            case IsNull(left):
                cell = get(left)
                return lambda row: cell(row) is None
            case Like(left, pattern):
                return _like(get(left), get(pattern))
            case In(left, choices):
                return _some([_compare(get(left), "=", get(choice)) for choice in choices])
            case InQuery(left, query):
                found = self._ask(query)
                return _some([_compare(get(left), "=", _fixed(cell)) for cell in found])
            case Comparison(left, sign, right):
                return _compare(get(left), sign, get(right))

    def _of_row(self, value: Value) -> Get | None:
        account = self.account
        match value:
            case Column(name):
                if self._is_now(name):
                    return lambda _row: account.clock.now()
                place, column = self.find(name)
                get = self.sources[place].table.columns[column]
                # A row of an outer join may lack a part.
                return lambda row: None if row[place] is None else get(account, row[place])
            case Call("BUILTIN.DF", (Column(name),), _):
                place, column = self.find(name)
                name_of = display(self.sources[place].table, column)
                return lambda row: None if row[place] is None else name_of(account, row[place])
            case Call(name, _, _) if name in AGGREGATES:
                raise invalid(f"{name} is not allowed here")
            case _:
                return None

    def _is_now(self, name: str) -> bool:
        return name == "sysdate" and not any(name in source.table.columns for source in self.sources)

    def _call(self, name: str, arguments: tuple[Value, ...], leaf: Leaf) -> Get:
        if name == DISPLAY:
            raise invalid(f"{DISPLAY} takes one column")
        functions.check(name, len(arguments))
        cells = [self.compiled(argument, leaf) for argument in arguments]
        if all(isinstance(argument, Literal) for argument in arguments):
            return _fixed(functions.call(name, [cell(None) for cell in cells]))
        return lambda row: functions.call(name, [cell(row) for cell in cells])


def _fixed(cell: Cell) -> Get:
    return lambda _row: cell


def _compare(left: Get, sign: str, right: Get) -> Test:
    compare = _SIGNS[sign]

    def test(row: Any) -> bool | None:
        one, other = left(row), right(row)
        if one is None or other is None:
            return None
        return compare(*comparable(one, other))

    return test


def _like(left: Get, pattern: Get) -> Test:
    def test(row: Any) -> bool | None:
        cell, wanted = left(row), pattern(row)
        if cell is None or wanted is None:
            return None
        parts = {"%": ".*", "_": "."}
        expression = "".join(parts.get(sign) or re.escape(sign) for sign in shown(wanted))
        return re.fullmatch(expression, shown(cell), re.DOTALL) is not None

    return test


def _all(tests: list[Test]) -> Test:
    def test(row: Any) -> bool | None:
        result: bool | None = True
        for one in tests:
            known = one(row)
            if known is False:
                return False
            result = None if known is None else result
        return result

    return test


def _some(tests: list[Test]) -> Test:
    def test(row: Any) -> bool | None:
        result: bool | None = False
        for one in tests:
            known = one(row)
            if known:
                return True
            result = None if known is None else result
        return result

    return test
