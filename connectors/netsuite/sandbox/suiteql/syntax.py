"""The grammar: words become a tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.suiteql.tree import (
    AGGREGATES,
    All,
    Binary,
    Call,
    Case,
    Column,
    Comparison,
    Condition,
    From,
    In,
    InQuery,
    IsNull,
    Join,
    Like,
    Literal,
    Not,
    Output,
    Query,
    Some,
    Value,
)
from connectors.netsuite.sandbox.suiteql.words import Kind, Word, invalid, words

Part = TypeVar("Part")

_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_RESERVED = frozenset(
    "SELECT DISTINCT FROM WHERE GROUP ORDER BY AND OR NOT LIKE IN IS NULL BETWEEN ASC DESC AS HAVING UNION CASE WHEN "
    "THEN ELSE END JOIN INNER LEFT RIGHT FULL OUTER CROSS ON OFFSET FETCH".split()
)
#: What goes on behind a value in parentheses, but not behind a condition.
_GOES_ON = _COMPARISONS | {"+", "-", "*", "/", "||", "IS", "LIKE", "IN", "BETWEEN", "NOT"}


def parse(query: str, params: Sequence[str]) -> Query:
    """Read a query; refuses what is not understood, and a wrong number of parameters."""
    parser = _Parser(words(query), params)
    parsed = parser.whole()
    if parser.taken < len(params):
        raise invalid("There are more parameters than question marks")
    return parsed


class _Parser:
    def __init__(self, found: list[Word], params: Sequence[str]) -> None:
        self._words = found
        self._place = 0
        self._params = params
        #: How many parameters stand in the tree.
        self.taken = 0
        #: Where a parenthesis opens that holds a value and no condition.
        self._values: set[int] = set()

    def whole(self) -> Query:
        query = self._query()
        if self._next.kind is not Kind.END:
            raise self._unexpected()
        return query

    def _query(self) -> Query:
        self._need("SELECT")
        most = self._top()
        distinct = self._take("DISTINCT")
        outputs = tuple(self._list(self._output))
        self._need("FROM")
        source = self._from()
        joins = tuple(self._joins())
        where = self._some() if self._take("WHERE") else None
        groups = tuple(self._list(self._value)) if self._takes("GROUP", "BY") else ()
        having = self._some() if self._take("HAVING") else None
        order = tuple(self._list(self._ordering)) if self._takes("ORDER", "BY") else ()
        skip = self._rows() if self._take("OFFSET") else 0
        if self._take("FETCH"):
            if not self._take("FIRST"):
                self._need("NEXT")
            most = self._rows()
            self._need("ONLY")
        return Query(
            source=source,
            joins=joins,
            outputs=outputs,
            distinct=distinct,
            where=where,
            groups=groups,
            having=having,
            order=order,
            skip=skip,
            most=most,
        )

    def _top(self) -> int | None:
        if self._next.upper != "TOP" or self._words[self._place + 1].kind is not Kind.NUMBER:
            return None
        self._need("TOP")
        return self._count()

    def _rows(self) -> int:
        number = self._count()
        if not self._take("ROWS"):
            self._need("ROW")
        return number

    def _count(self) -> int:
        text = self._of(Kind.NUMBER)
        if not text.isdigit():
            raise invalid(f"'{text}' is not a number of rows")
        return int(text)

    def _from(self) -> From:
        table: str | Query
        if self._take("("):
            table = self._query()
            self._need(")")
        else:
            table = self._name()
        self._take("AS")
        return From(table=table, alias=self._name() if self._free_name() else None)

    def _joins(self) -> list[Join]:
        found = []
        while True:
            if self._take(",") or self._takes("CROSS", "JOIN"):
                found.append(Join(source=self._from(), on=None, outer=False))
                continue
            outer = self._take("LEFT")
            if outer:
                self._take("OUTER")
                self._need("JOIN")
            elif not self._takes("INNER", "JOIN") and not self._take("JOIN"):
                return found
            source = self._from()
            self._need("ON")
            found.append(Join(source=source, on=self._some(), outer=outer))

    def _output(self) -> Output:
        if self._take("*"):
            return Output(value=Column("*"), name=None)
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
        inner = self._in_parentheses()
        if inner is not None:
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

    def _in_parentheses(self) -> Condition | None:
        """Read a condition in parentheses; None where what stands in them is a value after all."""
        place, taken = self._place, self.taken
        if place in self._values or not self._take("("):
            return None
        try:
            inner = self._some()
            self._need(")")
        except Refusal:
            inner = None
        if inner is None or self._next.upper in _GOES_ON:
            self._place, self.taken = place, taken
            self._values.add(place)
            return None
        return inner

    def _membership(self, left: Value) -> Condition:
        if self._take("LIKE"):
            return Like(left, self._value())
        if self._take("IN"):
            self._need("(")
            found: Condition
            if self._next.upper == "SELECT":
                found = InQuery(left, self._query())
            else:
                found = In(left, tuple(self._list(self._value)))
            self._need(")")
            return found
        if self._take("BETWEEN"):
            low = self._value()
            self._need("AND")
            return All((Comparison(left, ">=", low), Comparison(left, "<=", self._value())))
        raise self._unexpected()

    def _value(self) -> Value:
        return self._binary(("||",), lambda: self._binary(("+", "-"), self._product))

    def _product(self) -> Value:
        return self._binary(("*", "/"), self._single)

    def _binary(self, signs: Sequence[str], one: Callable[[], Value]) -> Value:
        left = one()
        while self._next.upper in signs:
            sign = self._advance().text
            left = Binary(left, sign, one())
        return left

    def _single(self) -> Value:
        if self._take("("):
            inner = self._value()
            self._need(")")
            return inner
        if self._take("?"):
            if self.taken >= len(self._params):
                raise invalid("There are fewer parameters than question marks")
            self.taken += 1
            return Literal(self._params[self.taken - 1])
        if self._take("-"):
            if self._next.kind is Kind.NUMBER:
                return Literal(-Decimal(self._advance().text))
            return Binary(Literal(Decimal(0)), "-", self._single())
        if self._take("NULL"):
            return Literal(None)
        if self._take("CASE"):
            return self._case()
        word = self._next
        if word.kind is Kind.TEXT:
            return Literal(self._advance().text)
        if word.kind is Kind.NUMBER:
            return Literal(Decimal(self._advance().text))
        if word.kind is not Kind.NAME or word.upper in _RESERVED:
            raise self._unexpected()
        name = self._advance().text
        return self._call(name.upper()) if self._take("(") else Column(name.lower())

    def _call(self, name: str) -> Call:
        if name == "COUNT" and self._take("*"):
            self._need(")")
            return Call(name, ())
        distinct = name in AGGREGATES and self._take("DISTINCT")
        arguments = tuple(self._list(self._value))
        self._need(")")
        return Call(name, arguments, distinct)

    def _case(self) -> Case:
        subject = None if self._next.upper == "WHEN" else self._value()
        parts: list[tuple[Condition, Value]] = []
        while self._take("WHEN"):
            when = self._some() if subject is None else Comparison(subject, "=", self._value())
            self._need("THEN")
            parts.append((when, self._value()))
        if not parts:
            raise self._unexpected()
        otherwise = self._value() if self._take("ELSE") else Literal(None)
        self._need("END")
        return Case(tuple(parts), otherwise)

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

    def _takes(self, first: str, second: str) -> bool:
        """Take two words that only make sense together."""
        if not self._take(first):
            return False
        self._need(second)
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
