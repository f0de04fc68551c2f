"""A query as a tree, its parameters already in place."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

AGGREGATES = frozenset({"AVG", "COUNT", "SUM", "MIN", "MAX"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column, by its name or as `t.name`; `*` and `t.*` stand for all of them where columns are listed."""

    name: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A fixed value; None is NULL."""

    value: str | Decimal | None


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; no argument is `COUNT(*)`, `distinct` is that of `COUNT(DISTINCT x)`."""

    name: str
    arguments: tuple[Value, ...]
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """Two values and one of `+ - * / ||` between them."""

    left: Value
    sign: str
    right: Value


@dataclass(frozen=True, slots=True)
class Case:
    """The first value whose condition holds, else another one or NULL."""

    parts: tuple[tuple[Condition, Value], ...]
    otherwise: Value


Value = Column | Literal | Call | Binary | Case


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
class InQuery:
    """A value and the one column of another query."""

    left: Value
    query: Query


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


Condition = Comparison | Like | In | InQuery | IsNull | Not | All | Some


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One column of the answer."""

    value: Value
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where rows come from: a table by its name, or another query; `alias` hides the name."""

    table: str | Query
    alias: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A further table and what its rows must have in common with those before it; None: every row with every row.

    An `outer` one keeps the rows before it that find no partner.
    """

    source: From
    on: Condition | None
    outer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole query; `order` are values with True for descending, `most` bounds the rows behind `skip`."""

    source: From
    joins: tuple[Join, ...]
    outputs: tuple[Output, ...]
    distinct: bool
    where: Condition | None
    groups: tuple[Value, ...]
    having: Condition | None
    order: tuple[tuple[Value, bool], ...]
    skip: int
    most: int | None


def parts(condition: Condition | None) -> tuple[Condition, ...]:
    """Give the conditions that must all hold for this one to hold."""
    if condition is None:
        return ()
    if isinstance(condition, All):
        return tuple(inner for part in condition.parts for inner in parts(part))
    return (condition,)
