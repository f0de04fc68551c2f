"""The grammar of SOQL: words become a tree."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql import periods
from connectors.salesforce.sandbox.soql.tree import (
    AGGREGATES,
    Aggregate,
    All,
    AllFields,
    Amount,
    Compare,
    Condition,
    Converted,
    Day,
    In,
    Includes,
    Literal,
    Moment,
    Not,
    Null,
    Number,
    Operand,
    Ordering,
    Output,
    Path,
    Period,
    Query,
    Some,
    Text,
    Truth,
)
from connectors.salesforce.sandbox.soql.words import Sort, Word, refuse, words
from connectors.salesforce.sandbox.values import read_day, read_moment

Part = TypeVar("Part")

_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_KEYWORDS = frozenset(
    "SELECT FROM WHERE AND OR NOT LIKE IN NULL TRUE FALSE GROUP BY HAVING ORDER ASC DESC NULLS LIMIT OFFSET FOR USING "
    "INCLUDES EXCLUDES WITH ALL ROWS".split()
)
_NOT_HERE = frozenset(
    "TYPEOF FORMAT TOLABEL DISTANCE GEOLOCATION GROUPING CALENDAR_YEAR CALENDAR_MONTH CALENDAR_QUARTER DAY_IN_MONTH "
    "DAY_IN_WEEK DAY_IN_YEAR DAY_ONLY FISCAL_MONTH FISCAL_QUARTER FISCAL_YEAR HOUR_IN_DAY WEEK_IN_MONTH WEEK_IN_YEAR "
    "CONVERTTIMEZONE".split()
)
#: How deep conditions and queries may stand in each other.
_DEEPEST = 100


def parse(text: str) -> Query:
    """Read a query; raises `Refusal` (`MALFORMED_QUERY`) that shows where it is wrong."""
    return _Parser(text).whole()


def parse_condition(text: str) -> Condition:
    """Read what may stand behind WHERE."""
    return _Parser(text).lone_condition()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words = words(text)
        self._place = 0
        self._depth = 0

    def whole(self) -> Query:
        query = self._query()
        self._finish()
        return query

    def lone_condition(self) -> Condition:
        condition = self._condition()
        self._finish()
        return condition

    def _finish(self) -> None:
        if self._next.sort is not Sort.END:
            raise self._unexpected()

    def _query(self) -> Query:
        self._deeper()
        self._need("SELECT")
        outputs = tuple(self._list(self._output))
        self._need("FROM")
        source_place = self._next.place
        # Any word may be an object's name: there are `Order` and `Group`.
        source = self._of(Sort.NAME)
        alias = self._name() if self._is_free_name() else None
        if self._next.upper == "USING":
            raise self._not_here("USING SCOPE")
        where = self._condition() if self._take("WHERE") else None
        if self._next.upper == "WITH":
            raise self._not_here("WITH")
        groups: tuple[Path, ...] = ()
        if self._take("GROUP"):
            self._need("BY")
            groups = tuple(self._list(self._group))
        having = self._condition(having=True) if self._take("HAVING") else None
        order: tuple[Ordering, ...] = ()
        if self._take("ORDER"):
            self._need("BY")
            order = tuple(self._list(self._ordering))
        limit = self._whole_number() if self._take("LIMIT") else None
        offset = self._whole_number() if self._take("OFFSET") else 0
        if self._next.upper == "FOR":
            raise self._not_here("FOR VIEW, FOR REFERENCE and FOR UPDATE")
        if self._next.upper == "ALL":
            raise refuse(self._text, self._next.place, "ALL ROWS not allowed in this context")
        self._depth -= 1
        return Query(
            text=self._text,
            outputs=outputs,
            source=source,
            source_place=source_place,
            alias=alias,
            where=where,
            groups=groups,
            having=having,
            order=order,
            limit=limit,
            offset=offset,
        )

    def _output(self) -> Output:
        if self._next.upper == "(":
            self._advance()
            inner = self._query()
            self._need(")")
            return inner
        place, function = self._next.place, self._next.upper
        if function in _NOT_HERE:
            raise self._not_here(function)
        found: Output = self._operand(selects=True)
        alias = self._name() if self._is_free_name() else None
        if alias is None:
            return found
        if isinstance(found, Aggregate):
            return Aggregate(found.function, found.path, found.place, alias)
        if isinstance(found, Path):
            return Path(found.parts, found.place, alias)
        if isinstance(found, Converted):
            return Converted(found.path, alias)
        raise refuse(self._text, place, f"unexpected token: '{alias}'")

    def _operand(self, *, selects: bool = False) -> Path | Aggregate | Converted | AllFields:
        word = self._next
        if not self._is_free_name():
            raise self._unexpected()
        if self._words[self._place + 1].upper != "(":
            return self._path()
        function = self._advance().upper
        self._advance()
        if function in AGGREGATES:
            path = None if function == "COUNT" and self._next.upper == ")" else self._path()
            self._need(")")
            return Aggregate(function, path, word.place)
        if function == "CONVERTCURRENCY" and selects:
            path = self._path()
            self._need(")")
            return Converted(path)
        if function == "FIELDS" and selects:
            which = self._name().upper()
            if which not in ("ALL", "STANDARD", "CUSTOM"):
                raise refuse(self._text, word.place, f"unexpected token: '{which}'")
            self._need(")")
            return AllFields(which, word.place)
        if function in _NOT_HERE or function == "CONVERTCURRENCY":
            raise refuse(self._text, word.place, f"{word.text}() is not supported here")
        raise refuse(self._text, word.place, "unexpected token: '('")

    def _group(self) -> Path:
        if self._next.upper in ("ROLLUP", "CUBE") or self._next.upper in _NOT_HERE:
            raise self._not_here(f"GROUP BY {self._next.text}")
        return self._path()

    def _ordering(self) -> Ordering:
        operand = self._compared()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        last = False
        if self._take("NULLS"):
            last = self._take("LAST")
            if not last:
                self._need("FIRST")
        return Ordering(operand, descending=descending, nulls_last=last)

    def _compared(self) -> Operand:
        if self._next.upper in _NOT_HERE:
            raise self._not_here(self._next.text)
        found = self._operand()
        if isinstance(found, Converted | AllFields):
            raise self._unexpected()
        return found

    def _condition(self, *, having: bool = False) -> Condition:
        """Read parts joined by AND, or by OR: SOQL wants parentheses where both stand."""
        self._deeper()
        parts = [self._part(having=having)]
        joint = self._next.upper if self._next.upper in ("AND", "OR") else ""
        while joint and self._take(joint):
            parts.append(self._part(having=having))
        if joint and self._next.upper in ("AND", "OR"):
            raise self._unexpected()
        self._depth -= 1
        if len(parts) == 1:
            return parts[0]
        return Some(tuple(parts)) if joint == "OR" else All(tuple(parts))

    def _part(self, *, having: bool) -> Condition:
        if self._take("NOT"):
            self._deeper()
            inner = self._part(having=having)
            self._depth -= 1
            return Not(inner)
        if self._take("("):
            inner = self._condition(having=having)
            self._need(")")
            return inner
        operand, place = self._compared(), self._next.place
        if isinstance(operand, Aggregate) and not having:
            raise refuse(self._text, operand.place, "Aggregate functions are not allowed in a WHERE clause")
        sign = self._next.upper
        if sign in _COMPARISONS:
            self._advance()
            return Compare(operand, "!=" if sign == "<>" else sign, self._literal(), place)
        if sign == "LIKE":
            self._advance()
            return Compare(operand, "LIKE", self._literal(), place)
        if isinstance(operand, Path):
            opposite = self._take("NOT")
            if self._next.upper == "IN":
                self._advance()
                found: Condition = In(operand, self._members(), place)
                return Not(found) if opposite else found
            if self._next.upper in ("INCLUDES", "EXCLUDES") and not opposite:
                excludes = self._advance().upper == "EXCLUDES"
                found = Includes(operand, self._texts(), place)
                return Not(found) if excludes else found
        raise self._unexpected()

    def _members(self) -> tuple[Literal, ...] | Query:
        if self._next.upper == ":":
            raise self._unexpected()
        self._need("(")
        if self._next.upper == "SELECT":
            inner: tuple[Literal, ...] | Query = self._query()
        else:
            inner = tuple(self._list(self._literal))
        self._need(")")
        return inner

    def _texts(self) -> tuple[str, ...]:
        self._need("(")
        found = tuple(self._list(lambda: self._of(Sort.TEXT)))
        self._need(")")
        return found

    def _literal(self) -> Literal:
        word = self._advance()
        if word.sort is Sort.TEXT:
            return Text(word.text)
        if word.sort is Sort.NUMBER:
            return Number(Decimal(word.text))
        if word.sort is Sort.DAY and (day := read_day(word.text)):
            return Day(day)
        if word.sort is Sort.MOMENT and (moment := read_moment(word.text)) is not None:
            return Moment(moment)
        if word.sort in (Sort.DAY, Sort.MOMENT):
            raise refuse(self._text, word.place, f"Invalid date: {word.text}")
        if word.upper in ("TRUE", "FALSE"):
            return Truth(word.upper == "TRUE")
        if word.upper == "NULL":
            return Null()
        if periods.is_period(word.upper):
            count = None
            if periods.counts(word.upper):
                self._need(":")
                count = self._whole_number()
            return Period(word.upper, count, word.place)
        if word.sort is Sort.NAME and len(word.text) > 3 and word.text[:3].isupper() and word.text[3:].isdigit():
            return Amount(word.text[:3], Decimal(word.text[3:]))
        raise refuse(self._text, word.place, f"unexpected token: '{word.text}'")

    def _whole_number(self) -> int:
        word = self._next
        text = self._of(Sort.NUMBER)
        if not text.isdigit() or len(text) > 9:
            raise refuse(self._text, word.place, f"unexpected token: '{text}'")
        return int(text)

    def _path(self) -> Path:
        word = self._next
        if not self._is_free_name():
            raise self._unexpected()
        return Path(tuple(self._advance().text.split(".")), word.place)

    def _list(self, one: Callable[[], Part]) -> list[Part]:
        parts = [one()]
        while self._take(","):
            parts.append(one())
        return parts

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise Refusal("MALFORMED_QUERY", "The query is nested too deeply.")

    @property
    def _next(self) -> Word:
        return self._words[self._place]

    def _advance(self) -> Word:
        word = self._next
        if word.sort is not Sort.END:
            self._place += 1
        return word

    def _take(self, text: str) -> bool:
        if self._next.upper != text:
            return False
        self._place += 1
        return True

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(text)

    def _of(self, sort: Sort) -> str:
        if self._next.sort is not sort:
            raise self._unexpected()
        return self._advance().text

    def _is_free_name(self) -> bool:
        return self._next.sort is Sort.NAME and self._next.upper not in _KEYWORDS

    def _name(self) -> str:
        if self._next.sort is not Sort.NAME or (self._next.upper in _KEYWORDS and not self._is_name_too()):
            raise self._unexpected()
        return self._advance().text

    def _is_name_too(self) -> bool:
        """Tell whether the word, which may begin a clause, names something here: there is an object `Order`."""
        if self._next.upper == "ORDER":
            return self._words[self._place + 1].upper != "BY"
        return self._next.upper == "ALL"

    def _not_here(self, what: str) -> Refusal:
        return refuse(self._text, self._next.place, f"{what} is not supported by this sandbox")

    def _unexpected(self, wanted: str = "") -> Refusal:
        hint = f" (expected {wanted})" if wanted else ""
        return refuse(self._text, self._next.place, f"unexpected token: '{self._next.text}'{hint}")
