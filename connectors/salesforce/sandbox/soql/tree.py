"""What a query is once it was read: values without any meaning of the org's yet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

#: Functions over many rows.
AGGREGATES = frozenset({"COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX"})


@dataclass(frozen=True, slots=True)
class Path:
    """A field by its path, such as `Account.Parent.Name`; `place` is where it stands in the query."""

    parts: tuple[str, ...]
    place: int = 0
    alias: str | None = None

    @property
    def text(self) -> str:
        """Give the path as it is written."""
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over the rows of a group; without a path it is `COUNT()`."""

    function: str
    path: Path | None
    place: int = 0
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """`convertCurrency(Amount)`: an amount in the user's currency."""

    path: Path
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class AllFields:
    """`FIELDS(ALL)`, `FIELDS(STANDARD)` or `FIELDS(CUSTOM)`."""

    which: str
    place: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: Decimal


@dataclass(frozen=True, slots=True)
class Truth:
    """`TRUE` or `FALSE`."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """`NULL`."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day, as ISO text."""

    value: str


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment, in milliseconds since 1970."""

    value: int


@dataclass(frozen=True, slots=True)
class Period:
    """A date literal such as `TODAY`, or `LAST_N_DAYS:5` with its number."""

    name: str
    count: int | None
    place: int = 0


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount with its currency, such as `USD5000`."""

    currency: str
    value: Decimal


Literal: TypeAlias = Text | Number | Truth | Null | Day | Moment | Period | Amount
Operand: TypeAlias = Path | Aggregate


@dataclass(frozen=True, slots=True)
class Compare:
    """`operand sign literal`; `sign` is `=`, `!=`, `<`, `<=`, `>`, `>=` or `LIKE`."""

    operand: Operand
    sign: str
    literal: Literal
    place: int = 0


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (…)`: literals, or the query whose rows are asked."""

    operand: Path
    members: tuple[Literal, ...] | Query
    place: int = 0


@dataclass(frozen=True, slots=True)
class Includes:
    """`operand INCLUDES ('A;B', 'C')`: one of the texts has all its values chosen."""

    operand: Path
    texts: tuple[str, ...]
    place: int = 0


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite."""

    part: Condition


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | In | Includes | Not | All | Some


@dataclass(frozen=True, slots=True)
class Ordering:
    """One thing to order by; nulls come first unless told otherwise."""

    operand: Operand
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A whole query, or one in another; `source` is an object, or a list of children when it stands in SELECT."""

    text: str
    outputs: tuple[Output, ...]
    source: str
    source_place: int
    alias: str | None = None
    where: Condition | None = None
    groups: tuple[Path, ...] = ()
    having: Condition | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0


Output: TypeAlias = Path | Aggregate | Converted | AllFields | Query
