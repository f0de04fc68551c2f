"""The filter language of lists: `field OPERATOR value`, joined by AND and OR, as a function of a shown record."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.record_types import Field, RecordType

#: Tells whether a record, as the service shows it, is meant.
Test = Callable[[Mapping[str, Any]], bool]

_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([()\[\],])|([^\s()\[\],"]+))')
#: Operators by what a field holds; each but EMPTY takes one value, or as many as it says.
_TEXT: Mapping[str, Callable[[Any, list[Any]], bool]] = {
    "CONTAIN": lambda value, given: given[0] in value,
    "IS": lambda value, given: bool(value == given[0]),
    "START_WITH": lambda value, given: bool(value.startswith(given[0])),
    "ENDWITH": lambda value, given: bool(value.endswith(given[0])),
    "END_WITH": lambda value, given: bool(value.endswith(given[0])),
}
_NUMBER: Mapping[str, Callable[[Any, list[Any]], bool]] = {
    "ANY_OF": lambda value, given: value in given,
    "BETWEEN": lambda value, given: bool(given[0] <= value <= given[1]),
    "WITHIN": lambda value, given: bool(given[0] <= value <= given[1]),
    "EQUAL": lambda value, given: bool(value == given[0]),
    "GREATER": lambda value, given: bool(value > given[0]),
    "GREATER_OR_EQUAL": lambda value, given: bool(value >= given[0]),
    "LESS": lambda value, given: bool(value < given[0]),
    "LESS_OR_EQUAL": lambda value, given: bool(value <= given[0]),
}
_DATE: Mapping[str, Callable[[Any, list[Any]], bool]] = {
    "AFTER": lambda value, given: bool(value > given[0]),
    "BEFORE": lambda value, given: bool(value < given[0]),
    "ON": lambda value, given: bool(value == given[0]),
    "ON_OR_AFTER": lambda value, given: bool(value >= given[0]),
    "ON_OR_BEFORE": lambda value, given: bool(value <= given[0]),
}
_CHOICE: Mapping[str, Callable[[Any, list[Any]], bool]] = {
    "ANY_OF": _NUMBER["ANY_OF"],
    "EQUAL": _NUMBER["EQUAL"],
    "IS": _TEXT["IS"],
}
_OPERATORS: Mapping[str, Mapping[str, Callable[[Any, list[Any]], bool]]] = {
    "string": _TEXT,
    "number": _NUMBER,
    "integer": _NUMBER,
    "boolean": {"IS": _TEXT["IS"]},
    "date": _DATE,
    "datetime": _DATE,
    "enum": _CHOICE,
    "name": _CHOICE,
    "reference": _CHOICE,
}
#: How many values an operator takes; any other takes one.
_MANY: Mapping[str, int | None] = {"ANY_OF": None, "BETWEEN": 2, "WITHIN": 2}
_ID = Field(name="id", kind="integer")


def is_filterable(field: Field) -> bool:
    """Tell whether a body field can be filtered by."""
    return field.kind in _OPERATORS


def compile_filter(shape: RecordType, text: str) -> Test:
    """Compile a filter against a record type; refuses what is not understood."""
    return _Parser(shape, _words(text)).whole()


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    quoted: bool = False
    sign: bool = False


class _Parser:
    def __init__(self, shape: RecordType, words: list[_Word]) -> None:
        self._shape = shape
        self._words = words
        self._place = 0

    def whole(self) -> Test:
        found = self._some()
        if self._place < len(self._words):
            raise _invalid(f"unexpected {self._words[self._place].text!r}")
        return found

    def _some(self) -> Test:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return lambda record: any(part(record) for part in parts)

    def _all(self) -> Test:
        parts = [self._one()]
        while self._take("AND"):
            parts.append(self._one())
        return lambda record: all(part(record) for part in parts)

    def _one(self) -> Test:
        if self._take("("):
            inner = self._some()
            if not self._take(")"):
                raise _invalid("a parenthesis is not closed")
            return inner
        name = self._next().text
        field = _ID if name.lower() == "id" else self._shape.field(name)
        if field is None or not is_filterable(field):
            raise _invalid(f"{name} is not a field to filter by")
        return self._condition(field, self._next().text)

    def _condition(self, field: Field, operator: str) -> Test:
        base, opposite = (operator.removesuffix("_NOT"), True) if operator.endswith("_NOT") else (operator, False)
        if base == "EMPTY":
            return lambda record: (_held(field, record) is None) is not opposite
        test = _OPERATORS[field.kind].get(base)
        if test is None:
            raise _invalid(f"{operator} is not an operator for {field.name}")
        given = [_read(field, text) for text in self._values(operator, _MANY.get(base, 1))]

        def holds(record: Mapping[str, Any]) -> bool:
            value = _held(field, record)
            return value is not None and test(value, given) is not opposite

        return holds

    def _values(self, operator: str, number: int | None) -> list[str]:
        if not self._take("["):
            found = [self._next().text]
        else:
            found = [self._next().text]
            while self._take(","):
                found.append(self._next().text)
            if not self._take("]"):
                raise _invalid("a list is not closed")
        if number is not None and len(found) != number:
            raise _invalid(f"{operator} takes {number} values, not {len(found)}")
        return found

    def _next(self) -> _Word:
        if self._place >= len(self._words) or self._words[self._place].sign:
            raise _invalid("a word is missing")
        self._place += 1
        return self._words[self._place - 1]

    def _take(self, text: str) -> bool:
        if self._place < len(self._words):
            word = self._words[self._place]
            if word.text == text and not word.quoted:
                self._place += 1
                return True
        return False


def _words(text: str) -> list[_Word]:
    found: list[_Word] = []
    place = 0
    while place < len(text.rstrip()):
        match = _WORD.match(text, place)
        if match is None:
            raise _invalid(f"it cannot be read from {text[place : place + 20]!r} on")
        quoted, sign, plain = match.groups()
        if quoted is not None:
            found.append(_Word(re.sub(r"\\(.)", r"\1", quoted), quoted=True))
        else:
            found.append(_Word(sign or plain, sign=sign is not None))
        place = match.end()
    return found


def _held(field: Field, record: Mapping[str, Any]) -> Any:
    """Give what a shown record holds, in a form that compares with what was read of a filter."""
    shown = record.get(field.name)
    if isinstance(shown, Mapping):
        shown = shown.get("id")
    if shown is None or shown == "":
        return None
    if field.kind in ("number", "integer"):
        return Decimal(str(shown))
    if field.kind == "date":
        return date.fromisoformat(shown)
    # A time is filtered by its day.
    return datetime.fromisoformat(shown).date() if field.kind == "datetime" else shown


def _read(field: Field, text: str) -> Any:
    if field.kind in ("number", "integer"):
        try:
            return Decimal(text)
        except InvalidOperation:
            raise _invalid(f"{text!r} is not a number") from None
    if field.kind in ("date", "datetime"):
        try:
            # Filters take the account's format and not ISO.
            return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            raise _invalid(f"{text!r} is not a date of the form M/D/YYYY") from None
    if field.kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise _invalid(f"{text!r} is neither true nor false")
        return text.lower() == "true"
    return text


def _invalid(why: str) -> Refusal:
    return Refusal(f"Invalid search query: {why}.", code="INVALID_PARAMETER", parameter="q")
