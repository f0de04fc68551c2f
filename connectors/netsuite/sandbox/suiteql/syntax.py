"""The grammar: a query as a tree, its parameters already in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from connectors.netsuite.sandbox.suiteql.words import Kind, Word, invalid, words

Part = TypeVar("Part")

AGGREGATES = frozenset({"COUNT", "SUM", "MIN", "MAX"})
_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_RESERVED = frozenset(
    "SELECT DISTINCT FROM WHERE GROUP ORDER BY AND OR NOT LIKE IN IS NULL BETWEEN ASC DESC AS JOIN HAVING UNION".split()
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A fixed value; None is NULL."""

    value: str | Decimal | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; no argument is `COUNT(*)`."""

    name: str
    arguments: tuple[Value, ...]


Value = Column | Literal | Call


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two values and a sign between them."""

    left: Value
    sign: str
    right: Value


@dataclass(frozen=True, slots=True)
class Like:
    """A text and a pattern with `%` and `_`."""

    left: Value
    pattern: Value


@dataclass(frozen=True, slots=True)
class In:
    """A value and a list."""

    left: Value
    choices: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """A value that may be missing."""

    left: Value


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    inner: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Conditions that must all hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Conditions of which one must hold."""

    parts: tuple[Condition, ...]


Condition = Comparison | Like | In | IsNull | Not | All | Some


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One column of the answer."""

    value: Value
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole query; `outputs` is None for `*`; `order` are values with True for descending."""

    table: str
    alias: str | None
    outputs: tuple[Output, ...] | None
    distinct: bool
    where: Condition | None
    groups: tuple[Value, ...]
    order: tuple[tuple[Value, bool], ...]


def parse(query: str, params: Sequence[str]) -> Query:
    """Read a query; refuses what is not understood, and a wrong number of parameters."""
    parser = _Parser(words(query), list(params))
    parsed = parser.query()
    if parser.params:
        raise invalid("There are more parameters than question marks")
    return parsed


class _Parser:
    def __init__(self, found: list[Word], params: list[str]) -> None:
        self._words = found
        self._place = 0
        self.params = params

    def query(self) -> Query:
        self._need("SELECT")
        distinct = self._take("DISTINCT")
        outputs = None if self._take("*") else tuple(self._list(self._output))
        self._need("FROM")
        table = self._name()
        self._take("AS")
        alias = self._name() if self._free_name() else None
        where = self._some() if self._take("WHERE") else None
        groups: tuple[Value, ...] = ()
        if self._take("GROUP"):
            self._need("BY")
            groups = tuple(self._list(self._value))
        order: tuple[tuple[Value, bool], ...] = ()
        if self._take("ORDER"):
            self._need("BY")
            order = tuple(self._list(self._ordering))
        if self._next.kind is not Kind.END:
            raise self._unexpected()
        return Query(
            table=table, alias=alias, outputs=outputs, distinct=distinct, where=where, groups=groups, order=order
        )

    def _output(self) -> Output:
        value = self._value()
        if self._take("AS"):
            return Output(value=value, name=self._name())
        return Output(value=value, name=self._name() if self._free_name() else None)

    def _ordering(self) -> tuple[Value, bool]:
        value = self._value()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        return value, descending

    def _some(self) -> Condition:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self) -> Condition:
        parts = [self._condition()]
        while self._take("AND"):
            parts.append(self._condition())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _condition(self) -> Condition:
        if self._take("NOT"):
            return Not(self._condition())
        if self._take("("):
            inner = self._some()
            self._need(")")
            return inner
        left = self._value()
        if self._next.upper in _COMPARISONS:
            sign = self._advance().text
            return Comparison(left, "<>" if sign == "!=" else sign, self._value())
        if self._take("IS"):
            opposite = self._take("NOT")
            self._need("NULL")
            return Not(IsNull(left)) if opposite else IsNull(left)
        opposite = self._take("NOT")
        found = self._membership(left)
        return Not(found) if opposite else found

    def _membership(self, left: Value) -> Condition:
        if self._take("LIKE"):
            return Like(left, self._value())
        if self._take("IN"):
            self._need("(")
            choices = tuple(self._list(self._value))
            self._need(")")
            return In(left, choices)
        if self._take("BETWEEN"):
            low = self._value()
            self._need("AND")
            return All((Comparison(left, ">=", low), Comparison(left, "<=", self._value())))
        raise self._unexpected()

    def _value(self) -> Value:
        if self._take("?"):
            if not self.params:
                raise invalid("There are fewer parameters than question marks")
            return Literal(self.params.pop(0))
        if self._take("-"):
            return Literal(-Decimal(self._of(Kind.NUMBER)))
        if self._take("NULL"):
            return Literal(None)
        word = self._next
        if word.kind is Kind.TEXT:
            return Literal(self._advance().text)
        if word.kind is Kind.NUMBER:
            return Literal(Decimal(self._advance().text))
        if word.kind is not Kind.NAME or word.upper in _RESERVED:
            raise self._unexpected()
        name = self._advance().text
        if not self._take("("):
            return Column(name.lower())
        if name.upper() == "COUNT" and self._take("*"):
            self._need(")")
            return Call("COUNT", ())
        arguments = tuple(self._list(self._value))
        self._need(")")
        return Call(name.upper(), arguments)

    def _list(self, one: Callable[[], Part]) -> list[Part]:
        parts = [one()]
        while self._take(","):
            parts.append(one())
        return parts

    @property
    def _next(self) -> Word:
        return self._words[self._place]

    def _advance(self) -> Word:
        word = self._next
        self._place += 1
        return word

    def _take(self, text: str) -> bool:
        if self._next.upper != text:
            return False
        self._place += 1
        return True

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected()

    def _of(self, kind: Kind) -> str:
        if self._next.kind is not kind:
            raise self._unexpected()
        return self._advance().text

    def _free_name(self) -> bool:
        return self._next.kind is Kind.NAME and self._next.upper not in _RESERVED

    def _name(self) -> str:
        if not self._free_name():
            raise self._unexpected()
        return self._advance().text.lower()

    def _unexpected(self) -> Exception:
        return invalid(f"Invalid or unsupported search near '{self._next.text}'")
