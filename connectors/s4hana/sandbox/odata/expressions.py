"""Expressions of `$filter` as trees: read from text, checked against a set, and turned into functions of rows.

One grammar serves both versions: what differs is how literals are written and which functions there are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from connectors.s4hana.sandbox.edm.model import EntitySet, Property
from connectors.s4hana.sandbox.edm.values import NotAValue, alpha, held, padded
from connectors.s4hana.sandbox.odata.errors import NO_FILTER, NO_PROPERTY, Refusal
from connectors.s4hana.sandbox.odata.literals import Literal, dated, read_literal

Evaluate = Callable[[Mapping[str, Any]], Any]
Function = tuple[tuple[str, ...], str, Callable[..., Any]]

_TOKEN = re.compile(
    r"\s*(?:(?P<literal>(?:[A-Za-z]+)?'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<number>[+-]?\d[\w.:+\-]*)"
    r"|(?P<name>[A-Za-z_][\w./]*)"
    r"|(?P<mark>[(),\-]))"
)
#: The higher, the tighter.
_BINARY = {
    "or": 1,
    "and": 2,
    "eq": 3,
    "ne": 3,
    "lt": 4,
    "le": 4,
    "gt": 4,
    "ge": 4,
    "in": 4,
    "add": 5,
    "sub": 5,
    "mul": 6,
    "div": 6,
    "mod": 6,
}
_UNARY = 7
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: left == right,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
}
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
    "div": lambda left, right: left / right if right else None,
    "mod": lambda left, right: left % right if right else None,
}
#: Function: types of its arguments, type of what it gives, and what it does.
_TEXT, _NUMBER, _BOOLEAN, _MOMENT = "String", "Decimal", "Boolean", "DateTimeOffset"
_FUNCTIONS: Mapping[str, Function] = {
    "startswith": ((_TEXT, _TEXT), _BOOLEAN, lambda text, part: text.startswith(part)),
    "endswith": ((_TEXT, _TEXT), _BOOLEAN, lambda text, part: text.endswith(part)),
    "tolower": ((_TEXT,), _TEXT, str.lower),
    "toupper": ((_TEXT,), _TEXT, str.upper),
    "trim": ((_TEXT,), _TEXT, str.strip),
    "length": ((_TEXT,), _NUMBER, lambda text: Decimal(len(text))),
    "concat": ((_TEXT, _TEXT), _TEXT, lambda left, right: left + right),
    "substring": ((_TEXT, _NUMBER), _TEXT, lambda text, start: text[int(start) :]),
    "indexof": ((_TEXT, _TEXT), _NUMBER, lambda text, part: Decimal(text.find(part))),
    "year": ((_MOMENT,), _NUMBER, lambda value: Decimal(value.year)),
    "month": ((_MOMENT,), _NUMBER, lambda value: Decimal(value.month)),
    "day": ((_MOMENT,), _NUMBER, lambda value: Decimal(value.day)),
}
_ONLY_V2: Mapping[str, Function] = {"substringof": ((_TEXT, _TEXT), _BOOLEAN, lambda part, text: part in text)}
_ONLY_V4: Mapping[str, Function] = {
    "contains": ((_TEXT, _TEXT), _BOOLEAN, lambda text, part: part in text),
    "date": ((_MOMENT,), "Date", lambda value: value.date() if isinstance(value, datetime) else value),
}
#: A filter deeper than this is refused, as a server with a limited stack must.
_DEEPEST = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A part of an expression: its type, how it is worked out, and what it is, if it is a property or a literal.

    Conditions that are joined by one word stand side by side in `joined`, however many there are: clients ask for
    hundreds of keys in one filter.
    """

    type: str
    evaluate: Evaluate
    property: Property | None = None
    literal: Literal | None = None
    joined: tuple[str, tuple[Evaluate, ...]] = ("", ())
    equal: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A filter that was read; `equal` are columns that must have a value whatever else is asked for."""

    evaluate: Evaluate
    equal: Mapping[str, Any]

    def __call__(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a row is wanted."""
        return self.evaluate(row) is True


def compile_filter(text: str, entity_set: EntitySet, *, v4: bool) -> Condition:
    """Turn a filter into a condition of rows; raises `Refusal` for what is none."""
    reader = _Reader(text, entity_set, v4=v4)
    found = reader.expression(0, 0)
    reader.end()
    if found.type != _BOOLEAN:
        raise reader.wrong("The filter is not a condition")
    return Condition(evaluate=found.evaluate, equal=found.equal)


class _Reader:
    """Reads one expression from left to right."""

    def __init__(self, text: str, entity_set: EntitySet, *, v4: bool) -> None:
        self._text = text
        self._set = entity_set
        self._v4 = v4
        self._place = 0
        self._reckoned = 0
        self._token: tuple[str, str] | None = None
        self._functions: Mapping[str, Function] = {**_FUNCTIONS, **(_ONLY_V4 if v4 else _ONLY_V2)}
        self._next()

    def wrong(self, what: str) -> Refusal:
        """Make the refusal that says where the text is wrong."""
        return Refusal(f"{what} at position {self._place}.", code=NO_FILTER)

    def end(self) -> None:
        """Refuse what stands behind a complete expression."""
        if self._token is not None:
            raise self.wrong("Invalid token detected")

    def expression(self, tightest: int, depth: int) -> Compiled:
        """Read an expression whose operators bind tighter than `tightest`."""
        if depth > _DEEPEST:
            raise self.wrong("The filter is nested too deeply")
        left = self._operand(depth)
        while self._token is not None and self._token[0] == "name" and self._token[1] in _BINARY:
            operator = self._token[1]
            if _BINARY[operator] <= tightest or (operator == "in" and not self._v4):
                break
            self._next()
            if operator == "in":
                left = self._membership(left, depth)
                continue
            right = self.expression(_BINARY[operator], depth + 1)
            left = self._joined(operator, left, right)
        return left

    def _operand(self, depth: int) -> Compiled:
        if self._token is None:
            raise self.wrong("The filter ends too early")
        kind, text = self._token
        if (kind, text) == ("mark", "("):
            self._next()
            inner = self.expression(0, depth + 1)
            self._expect(")")
            return inner
        if (kind, text) == ("mark", "-"):
            self._next()
            operand = self.expression(_UNARY, depth + 1)
            self._only_by_value(operand)
            self._need(operand, _NUMBER)
            evaluate = operand.evaluate
            return Compiled(type=_NUMBER, evaluate=lambda row: None if (value := evaluate(row)) is None else -value)
        if kind == "name" and text == "not":
            self._next()
            operand = self.expression(_UNARY, depth + 1)
            self._need(operand, _BOOLEAN)
            evaluate = operand.evaluate
            return Compiled(type=_BOOLEAN, evaluate=lambda row: evaluate(row) is not True)
        self._next()
        if kind == "name" and text in self._functions and self._token == ("mark", "("):
            return self._call(text, depth)
        if kind == "name" and text in self._set.properties:
            return self._property(self._set.properties[text])
        if kind == "mark":
            raise self.wrong("Invalid token detected")
        if kind == "name" and text not in ("true", "false", "null"):
            if not self._v4 and self._token == ("mark", "("):
                raise self.wrong(f"Unknown function '{text}'")
            raise Refusal(
                f"Property {text} not found in type {self._set.type}.", code=NO_PROPERTY, status=400, target=text
            )
        try:
            literal = read_literal(text, v4=self._v4)
        except NotAValue:
            raise self.wrong(f"Invalid literal {text}") from None
        value = literal.value
        return Compiled(type=literal.type, evaluate=lambda row: value, literal=literal)

    def _property(self, property_: Property) -> Compiled:
        if not property_.filterable:
            text = f"Property {property_.name} cannot be used in the system query option '$filter'"
            raise Refusal(f"{text}.", code=NO_FILTER, target=property_.name)
        kind = {"Int32": _NUMBER, "Double": _NUMBER}.get(property_.type, property_.type)
        if property_.type in ("String", "Boolean", "Decimal"):
            return Compiled(type=kind, evaluate=lambda row: held(property_, row), property=property_)
        column = property_.column
        return Compiled(type=kind, evaluate=lambda row: row.get(column), property=property_)

    def _only_by_value(self, *operands: Compiled) -> None:
        """Refuse to work with a property that may only be looked for by its value."""
        for each in operands:
            if each.property is not None and each.property.by_value:
                name = each.property.name
                text = f"Property {name} can be compared with 'eq' only in the system query option '$filter'"
                raise Refusal(f"{text}.", code=NO_FILTER, target=name)

    def _call(self, name: str, depth: int) -> Compiled:
        wanted, gives, work = self._functions[name]
        self._expect("(")
        arguments: list[Compiled] = []
        while self._token != ("mark", ")"):
            if arguments:
                self._expect(",")
            arguments.append(self.expression(0, depth + 1))
        self._expect(")")
        if name == "substring" and len(arguments) == 3:
            wanted, work = (_TEXT, _NUMBER, _NUMBER), lambda text, start, size: text[int(start) :][: int(size)]
        if len(arguments) != len(wanted):
            raise self.wrong(f"Function {name} takes {len(wanted)} arguments")
        self._only_by_value(*arguments)
        for argument, kind in zip(arguments, wanted, strict=True):
            self._need(argument, kind)
        parts = [argument.evaluate for argument in arguments]

        def evaluate(row: Mapping[str, Any]) -> Any:
            values = [part(row) for part in parts]
            return None if any(value is None for value in values) else work(*values)

        return Compiled(type=gives, evaluate=evaluate)

    def _membership(self, left: Compiled, depth: int) -> Compiled:
        self._expect("(")
        equal: list[Compiled] = []
        while True:
            equal.append(self._joined("eq", left, self.expression(_BINARY["in"], depth + 1)))
            if self._token != ("mark", ","):
                break
            self._next()
        self._expect(")")
        tests = [each.evaluate for each in equal]
        return Compiled(type=_BOOLEAN, evaluate=lambda row: any(test(row) is True for test in tests))

    def _joined(self, operator: str, left: Compiled, right: Compiled) -> Compiled:
        if operator in ("and", "or"):
            self._need(left, _BOOLEAN)
            self._need(right, _BOOLEAN)
            parts = (*(left.joined[1] if left.joined[0] == operator else (left.evaluate,)), right.evaluate)
            decide = all if operator == "and" else any
            return Compiled(
                type=_BOOLEAN,
                evaluate=lambda row: decide(part(row) is True for part in parts),
                joined=(operator, parts),
                equal={**left.equal, **right.equal} if operator == "and" else {},
            )
        if operator != "eq":
            self._only_by_value(left, right)
        left, right = self._alike(left, right), self._alike(right, left)
        left, right = self._moment(left, right), self._moment(right, left)
        if "null" not in (left.type, right.type) and left.type != right.type:
            raise self.wrong(f"Operator {operator} cannot compare {left.type} with {right.type}")
        one, other = left.evaluate, right.evaluate
        if operator in _ARITHMETIC:
            self._need(left, _NUMBER)
            self._reckoned += 1
            if self._reckoned > _DEEPEST:
                raise self.wrong("The filter is nested too deeply")
            work = _ARITHMETIC[operator]

            def reckon(row: Mapping[str, Any]) -> Any:
                first, second = one(row), other(row)
                try:
                    return None if first is None or second is None else work(first, second)
                except ArithmeticError:
                    return None

            return Compiled(type=_NUMBER, evaluate=reckon)
        fixed = self._fixed(left, right) | self._fixed(right, left) if operator == "eq" else {}
        compare = _COMPARISONS[operator]
        equality = operator in ("eq", "ne")
        if not equality and any(
            each is not None and (each.alpha or each.digits) for each in (left.property, right.property)
        ):
            plain = compare

            def compare(first: Any, second: Any) -> bool:
                return plain(padded(first), padded(second))

        def judge(row: Mapping[str, Any]) -> bool:
            first, second = one(row), other(row)
            if first is None or second is None:
                return equality and compare(first, second)
            return compare(first, second)

        return Compiled(type=_BOOLEAN, evaluate=judge, equal=fixed)

    @staticmethod
    def _fixed(one: Compiled, other: Compiled) -> dict[str, Any]:
        """Give the column that a text is compared with, and the text in the form in which the table has it."""
        if one.property is None or one.property.type != _TEXT or other.literal is None or other.type == "null":
            return {}
        return {one.property.column: other.evaluate({})}

    def _alike(self, one: Compiled, other: Compiled) -> Compiled:
        """Bring a literal into the form of the property beside it."""
        literal, property_ = one.literal, other.property
        if literal is None or literal.type == "null" or property_ is None:
            return one
        value = literal.value
        if property_.type == "String" and isinstance(value, str):
            if property_.alpha:
                value = alpha(value) if value else value
            elif property_.digits and value.isdigit():
                value = value.lstrip("0") or "0"
        elif property_.type == "Date":
            value = dated(value)
            if value is None:
                return one
        elif property_.type == "Guid" and literal.type == "String" and self._v4:
            return one
        return Compiled(
            type=other.type if literal.fits(property_.type) else literal.type,
            evaluate=lambda row: value,
            literal=literal,
        )

    def _moment(self, one: Compiled, other: Compiled) -> Compiled:
        """Compare a date with a moment as midnight UTC."""
        if {one.type, other.type} != {"Date", _MOMENT} or one.type != "Date":
            return one
        evaluate = one.evaluate

        def widened(row: Mapping[str, Any]) -> Any:
            value = evaluate(row)
            return midnight(value) if isinstance(value, date) else value

        return Compiled(type=_MOMENT, evaluate=widened)

    def _need(self, found: Compiled, kind: str) -> None:
        if found.type not in (kind, "null") and {found.type, kind} != {"Date", _MOMENT}:
            raise self.wrong(f"Expected {kind} but found {found.type}")

    def _expect(self, mark: str) -> None:
        if self._token != ("mark", mark):
            raise self.wrong(f"Expected '{mark}'")
        self._next()

    def _next(self) -> None:
        if not self._text[self._place :].strip():
            self._token = None
            return
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            raise self.wrong("Malformed URI literal syntax")
        self._place = found.end()
        kind = str(found.lastgroup)
        self._token = (kind, found[kind])


def midnight(value: date) -> datetime:
    """Give the beginning of a day in UTC."""
    return value if isinstance(value, datetime) else datetime.combine(value, time(), UTC)
