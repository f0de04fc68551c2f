"""A condition as a formula: tests of single subjects, joined by and, or, not.

A subject is a path (`invoice.entity`) or any other part of the condition, taken as a whole (`lower(name)`). Subjects
are taken to be independent of each other; that only adds cases which cannot come about, so that what holds in all cases
of the formulas holds for the conditions too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.expressions.budgets import Meter
from hub.expressions.compiler import Expression
from hub.expressions.equality import equal
from hub.expressions.runtime import ordered
from hub.expressions.tree import Node, Part
from hub.model.kinds import NUMBER_TYPES


class Way(StrEnum):
    """How a subject is tested."""

    TRUE = "true"
    EQUAL = "eq"
    UNEQUAL = "ne"
    LESS = "lt"
    AT_MOST = "lte"
    GREATER = "gt"
    AT_LEAST = "gte"
    AMONG = "among"


_TURNED = {
    Way.LESS: Way.GREATER,
    Way.AT_MOST: Way.AT_LEAST,
    Way.GREATER: Way.LESS,
    Way.AT_LEAST: Way.AT_MOST,
}
_ORDERS: dict[Way, Callable[[int], bool]] = {
    Way.LESS: lambda order: order < 0,
    Way.AT_MOST: lambda order: order <= 0,
    Way.GREATER: lambda order: order > 0,
    Way.AT_LEAST: lambda order: order >= 0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is tested; `path` are its keys from the root when it is a plain path, and None otherwise."""

    meaning: str
    path: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Test:
    """One test of a subject against a literal (None for the test of truth)."""

    subject: Subject
    way: Way
    literal: Any = None

    def __call__(self, value: Any) -> bool:
        """Tell whether a value passes, as the compiled expression would."""
        match self.way:
            case Way.TRUE:
                return bool(value) or type(value) in NUMBER_TYPES
            case Way.EQUAL:
                return bool(equal(value, self.literal, Meter()))
            case Way.UNEQUAL:
                return not equal(value, self.literal, Meter())
            case Way.AMONG:
                return any(equal(value, each, Meter()) for each in self.literal)
            case _:
                order = ordered(value, self.literal)
                return order is not None and _ORDERS[self.way](order)

    @property
    def literals(self) -> Sequence[Any]:
        """Give the values that it compares with."""
        if self.way is Way.TRUE:
            return ()
        return self.literal if self.way is Way.AMONG else (self.literal,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A join of parts: `and`, `or`, `not` (of one part), a constant `true` or `false`, or one test."""

    join: str
    parts: tuple[Formula, ...] = ()
    test: Test | None = None

    def tests(self) -> Iterator[Test]:
        """Give every test in it."""
        if self.test is not None:
            yield self.test
        for part in self.parts:
            yield from part.tests()

    def conjuncts(self) -> Iterator[Formula]:
        """Give the parts that must all hold."""
        if self.join == "and":
            for part in self.parts:
                yield from part.conjuncts()
        else:
            yield self


TRUE = Formula(join="true")
FALSE = Formula(join="false")


def formula_of(condition: Expression | None) -> Formula:
    """Give the formula of a rule's condition; a rule without one always matches."""
    return TRUE if condition is None else _formula(condition.tree)


def _formula(node: Node) -> Formula:
    match node.part:
        case Part.AND | Part.OR:
            join = "and" if node.part is Part.AND else "or"
            return Formula(join=join, parts=tuple(map(_formula, node.children)))
        case Part.NOT:
            return Formula(join="not", parts=(_formula(node.children[0]),))
        case Part.LITERAL:
            return TRUE if bool(node.value) or type(node.value) in NUMBER_TYPES else FALSE
        case Part.COMPARATOR:
            return _comparison(node)
        case Part.FUNCTION if node.value == "contains" and len(node.children) == 2:
            listed, search = node.children
            if listed.part is Part.LITERAL and isinstance(listed.value, list) and search.part is not Part.LITERAL:
                return _test(search, Way.AMONG, tuple(listed.value))
            if listed.part is Part.MULTI_SELECT_LIST and all(each.part is Part.LITERAL for each in listed.children):
                return _test(search, Way.AMONG, tuple(each.value for each in listed.children))
    return _test(node, Way.TRUE, None)


def _comparison(node: Node) -> Formula:
    left, right = node.children
    way = Way(node.value)
    if right.part is Part.LITERAL and left.part is not Part.LITERAL:
        return _test(left, way, right.value)
    if left.part is Part.LITERAL and right.part is not Part.LITERAL:
        return _test(right, _TURNED.get(way, way), left.value)
    return _test(node, Way.TRUE, None)


def _test(node: Node, way: Way, literal: Any) -> Formula:
    subject = Subject(meaning=repr(node.meaning()), path=_path(node))
    return Formula(join="test", test=Test(subject=subject, way=way, literal=literal))


def _path(node: Node) -> tuple[str, ...] | None:
    if node.part is Part.FIELD:
        return (str(node.value),)
    if node.part is Part.SUBEXPRESSION and all(child.part is Part.FIELD for child in node.children):
        return tuple(str(child.value) for child in node.children)
    return None
