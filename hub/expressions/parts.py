"""The parts of a record: fields, objects of fields, and lists of objects, each filled by expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub.expressions.compiler import Expression
from hub.expressions.tree import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a part stands in its document: the keys and indexes that lead there, for messages.

    `inset` counts the characters before an expression (1 for `=`); `fragment` names the fragment that the part comes
    from, whose `use` is then where it stands.
    """

    where: tuple[str | int, ...] = ()
    inset: int = 0
    fragment: str | None = None


NOWHERE = Spot()


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A field that an expression fills."""

    text: str
    tree: Node
    spot: Spot = NOWHERE

    @classmethod
    def of(cls, expression: Expression, spot: Spot = NOWHERE) -> Computed:
        """Take a compiled expression's text and tree."""
        return cls(text=expression.text, tree=expression.tree, spot=spot)


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value that stands as it is."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A field with more to say than an expression.

    When `when` is not true, the field is left alone. `default` stands in for null; a `required` field that is null
    after all is an error that names the source paths in `reads`. `back`, read from the target, gives what `value`
    read.
    """

    value: Computed
    when: Computed | None = None
    default: Computed | Literal | None = None
    required: bool = False
    reads: tuple[str, ...] = ()
    back: Computed | None = None
    spot: Spot = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """An object of fields; it is left out when all of them are.

    A `kept` one starts from all that the current object holds, but for the paths in `without`.
    """

    fields: Mapping[str, Part]
    kept: bool = False
    without: tuple[str, ...] = ()
    spot: Spot = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """An object of fields that are read from what `of` gives; left out when that is null or `when` is not true.

    When it is `required`, a null is an error.
    """

    of: Computed | None
    when: Computed | None
    fields: Grouped
    required: bool = False
    reads: tuple[str, ...] = ()
    spot: Spot = NOWHERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A list with one object for each element of `each`, or for those where `when` is true.

    It is left out when `each` gives null, which is an error when it is `required`.
    """

    each: Computed
    when: Computed | None
    fields: Grouped
    required: bool = False
    reads: tuple[str, ...] = ()
    spot: Spot = NOWHERE


Part = Computed | Filled | Grouped | Nested | Repeated
