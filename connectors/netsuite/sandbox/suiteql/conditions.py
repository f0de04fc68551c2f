"""Values and conditions as functions of a row, with NULL and types as the database knows them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.suiteql.syntax import (
    AGGREGATES,
    All,
    Call,
    Column,
    Comparison,
    Condition,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Some,
    Value,
)
from connectors.netsuite.sandbox.suiteql.tables import Cell, Table
from connectors.netsuite.sandbox.suiteql.words import invalid

#: None means unknown: a comparison with NULL is neither true nor false.
Test = Callable[[Any], bool | None]
Get = Callable[[Any], Cell]

_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
#: Oracle's words for parts of a date, as strftime knows them.
_DATE_WORDS = (("YYYY", "%Y"), ("MM", "%m"), ("DD", "%d"), ("HH24", "%H"), ("MI", "%M"), ("SS", "%S"))


class Scope:
    """Compiles values and conditions against one table."""

    def __init__(self, account: Account, table: Table, names: frozenset[str]) -> None:
        """Take the table and the names it goes by, for columns written as `t.memo`."""
        self._account = account
        self._table = table
        self._names = names

    def column(self, name: str) -> str:
        """Give a column's own name; refuses one that the table does not have."""
        table, _, column = name.rpartition(".")
        if (table and table not in self._names) or column not in self._table.columns:
            raise invalid(f"Unknown identifier '{name}'")
        return column

    def value(self, value: Value) -> Get:
        """Compile a value of a single row."""
        if isinstance(value, Literal):
            fixed = value.value
            return lambda _row: fixed
        if isinstance(value, Column):
            get, account = self._table.columns[self.column(value.name)], self._account
            return lambda row: get(account, row)
        return self._call(value)

    def test(self, condition: Condition) -> Test:
        """Compile a condition."""
        match condition:
            case All(parts):
                return _all([self.test(part) for part in parts])
            case Some(parts):
                return _some([self.test(part) for part in parts])
            case Not(inner):
                test = self.test(inner)
                return lambda row: None if (known := test(row)) is None else not known
            case IsNull(left):
                get = self.value(left)
                return lambda row: get(row) is None
            case Like(left, pattern):
                return _like(self.value(left), self.value(pattern))
            case In(left, choices):
                return _some([_compare(self.value(left), "=", self.value(choice)) for choice in choices])
            case Comparison(left, sign, right):
                return _compare(self.value(left), sign, self.value(right))

    def _call(self, call: Call) -> Get:
        if call.name in AGGREGATES:
            raise invalid(f"{call.name} is not allowed here")
        arguments = [self.value(argument) for argument in call.arguments]
        match call.name, arguments:
            case "UPPER", [get]:
                return lambda row: None if (cell := get(row)) is None else shown(cell).upper()
            case "LOWER", [get]:
                return lambda row: None if (cell := get(row)) is None else shown(cell).lower()
            case "TO_CHAR", [get, form]:
                return lambda row: _to_char(get(row), form(row))
            case "TO_DATE", [get, form] if all(isinstance(argument, Literal) for argument in call.arguments):
                fixed = _to_date(get(None), form(None))
                return lambda _row: fixed
            case "TO_DATE", [get, form]:
                return lambda row: _to_date(get(row), form(row))
            case _:
                raise invalid(f"Unknown function '{call.name}'")


def shown(cell: Cell) -> str:
    """Write a cell as answers do: always text, dates in the account's format without time."""
    if isinstance(cell, Decimal):
        return f"{cell.normalize():f}" if cell else "0"
    if isinstance(cell, date):
        return f"{cell.month}/{cell.day}/{cell.year}"
    return str(cell)


def comparable(left: Cell, right: Cell) -> tuple[Any, Any]:
    """Bring two cells to one type, as the database does; refuses what cannot be converted."""
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return _as_number(left), _as_number(right)
    if isinstance(left, date) or isinstance(right, date):
        return _as_moment(left), _as_moment(right)
    return left, right


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


def _as_number(cell: Cell) -> Decimal:
    try:
        return cell if isinstance(cell, Decimal) else Decimal(str(cell))
    except InvalidOperation:
        raise invalid(f"'{cell}' is not a number") from None


def _as_moment(cell: Cell) -> datetime:
    if isinstance(cell, datetime):
        return cell
    if isinstance(cell, date):
        return datetime(cell.year, cell.month, cell.day, tzinfo=UTC)
    try:
        return datetime.strptime(str(cell), "%m/%d/%Y").replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"'{cell}' is not a date in the account's format M/D/YYYY") from None


def _pattern(form: Cell) -> str:
    text = str(form).replace('"', "")
    for word, sign in _DATE_WORDS:
        text = text.replace(word, sign)
    return text


def _to_char(cell: Cell, form: Cell) -> Cell:
    return cell.strftime(_pattern(form)) if isinstance(cell, date) else None if cell is None else shown(cell)


def _to_date(cell: Cell, form: Cell) -> Cell:
    try:
        return datetime.strptime(str(cell), _pattern(form)).replace(tzinfo=UTC)
    except ValueError:
        raise invalid(f"'{cell}' is not a date of the form {form}") from None
