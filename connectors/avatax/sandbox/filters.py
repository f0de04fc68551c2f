"""Lists: `$filter` with comparisons joined by `and`, `or` and parentheses, `$orderBy`, `$top` and `$skip`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.refusals import Refusal

#: Gives the value of a field.
Row = Callable[[str], Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(r"\s*(?:(?P<mark>[()])|'(?P<text>(?:[^']|'')*)'|(?P<word>[^\s()']+))")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "contains": lambda left, right: str(right) in str(left),
    "startswith": lambda left, right: str(left).startswith(str(right)),
}
#: Fields that AvaTax's own description calls not filterable, as far as this sandbox has them.
_NOT_FILTERABLE = frozenset({"exchangeratecurrencycode", "totaldiscount", "lines", "addresses", "summary"})


class Filter:
    """A compiled `$filter`; `fields` are the names it asks about, in lower case."""

    def __init__(self, text: str, known: frozenset[str]) -> None:
        """Compile; raises `Refusal` for what is not an expression, or names an unknown field."""
        self.fields: set[str] = set()
        self._known = {name.lower(): name for name in known}
        self._tokens = _tokens(text)
        self._next = 0
        self.matches: Test = self._either()
        if self._next != len(self._tokens):
            raise _unreadable(text)

    def _either(self) -> Test:
        left = self._both()
        while self._take("or"):
            left = _any_of(left, self._both())
        return left

    def _both(self) -> Test:
        left = self._comparison()
        while self._take("and"):
            left = _all_of(left, self._comparison())
        return left

    def _comparison(self) -> Test:
        if self._take("("):
            inner = self._either()
            if not self._take(")"):
                raise _unreadable("a parenthesis is not closed", "OpenClauseException")
            return inner
        name, word, literal = self._pop()[1], self._pop()[1].lower(), self._pop()
        field = self._known.get(name.lower())
        if name.lower() in _NOT_FILTERABLE:
            raise _unreadable(name, "FieldNotQueryableError")
        if field is None:
            raise _unreadable(name, "InvalidQueryField")
        if word not in _COMPARISONS:
            raise _unreadable(f"{name} {word}")
        self.fields.add(name.lower())
        compare = _COMPARISONS[word]
        return lambda row: _holds(compare, row(field), literal)

    def _take(self, word: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next] in {("word", word), ("mark", word)}:
            self._next += 1
            return True
        return False

    def _pop(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise _unreadable("it ends too early")
        self._next += 1
        return self._tokens[self._next - 1]


def sort_key(text: str, known: frozenset[str]) -> list[tuple[str, bool]]:
    """Read `$orderBy` into fields and whether each runs downwards; raises `Refusal`."""
    names = {name.lower(): name for name in known}
    order: list[tuple[str, bool]] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, direction = part.partition(" ")
        if name.lower() not in names:
            raise _unreadable(name, "InvalidQueryField")
        if direction.strip().lower() not in {"", "asc", "desc"}:
            raise _unreadable(part)
        order.append((names[name.lower()], direction.strip().lower() == "desc"))
    return order


def _tokens(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise _unreadable(text, "UnterminatedValueError")
        kind = str(match.lastgroup)
        value = match.group(kind)
        found.append((kind, value.replace("''", "'") if kind == "text" else value))
        place = match.end()
    return found


def _holds(compare: Callable[[Any, Any], bool], value: Any, literal: tuple[str, str]) -> bool:
    if value is None:
        return False
    wanted: Any = literal[1]
    if isinstance(value, bool):
        wanted = wanted.lower() == "true"
    elif isinstance(value, int | Decimal):
        try:
            wanted = Decimal(wanted)
        except ArithmeticError:
            raise _unreadable(literal[1], "InvalidQueryValue") from None
    elif isinstance(value, date | datetime):
        value = value.isoformat()[: len(wanted)]
    else:
        value = str(value)
    return compare(value, wanted)


def _any_of(left: Test, right: Test) -> Test:
    return lambda row: left(row) or right(row)


def _all_of(left: Test, right: Test) -> Test:
    return lambda row: left(row) and right(row)


def _unreadable(text: str, code: str = "SyntaxError") -> Refusal:
    return Refusal(code, f"The filter or order cannot be read: {text[:200]}")
