"""What a condition that holds says about the value it looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hub.expressions.tree import Node, Part
from hub.expressions.unions import Unions, truthy
from hub.model.kinds import Kind
from hub.schemas.shape import Shape

_NULL = frozenset({Kind.NULL})
_TEXT = frozenset({Kind.STRING, Kind.NULL})


def assume(condition: Node, shape: Shape) -> Shape:
    """Give the shape of a value for which a condition is true: its fields that are there, and those that are known.

    Conditions that are followed: a field by itself (`tax`), compared with a literal (`tax != `null``, `type == 'fee'`),
    looked for in a list of literals (`contains(['fee', 'tax'], type)`), and several of them joined by `&&` or `||`;
    all others say nothing.
    """
    match condition.part:
        case Part.OR:
            return Unions()([assume(child, shape) for child in condition.children])
        case Part.AND:
            for child in condition.children:
                shape = assume(child, shape)
            return shape
        case Part.FUNCTION:
            return _assume_contained(condition, shape) if condition.value == "contains" else shape
        case Part.COMPARATOR:
            return _assume_compared(condition, shape)
        case _:
            names = _names(condition)
            return shape if names is None else _at(shape, names, truthy)


def _assume_compared(condition: Node, shape: Shape) -> Shape:
    left, right = condition.children
    for side, other in ((left, right), (right, left)):
        names = _names(side)
        if names is None or other.part is not Part.LITERAL:
            continue
        if condition.value == "eq":
            return shape if other.value is None else _at(shape, names, _equal_to(other.value))
        if condition.value != "ne" or other.value is None:
            return _at(shape, names, _present)
    return shape


def _assume_contained(condition: Node, shape: Shape) -> Shape:
    among, sought = condition.children
    names = _names(sought)
    if among.part is Part.LITERAL and isinstance(among.value, list):
        values = among.value
    elif among.part is Part.MULTI_SELECT_LIST and all(child.part is Part.LITERAL for child in among.children):
        values = [child.value for child in among.children]
    else:
        return shape
    if names is None or not values or None in values:
        return shape
    return Unions()([_at(shape, names, _equal_to(value)) for value in values])


def _equal_to(value: Any) -> Callable[[Shape], Shape]:
    def narrowed(shape: Shape) -> Shape:
        known = isinstance(value, str) and shape.kinds <= _TEXT
        return replace(_present(shape), values=(value,)) if known else _present(shape)

    return narrowed


def _present(shape: Shape) -> Shape:
    return replace(shape, kinds=shape.kinds - _NULL)


def _names(node: Node) -> list[str] | None:
    """Give the fields that lead from the current value to this one; None when it is not read so simply."""
    if node.part is Part.FIELD:
        return [str(node.value)]
    if node.part is Part.SUBEXPRESSION and all(child.part is Part.FIELD for child in node.children):
        return [str(child.value) for child in node.children]
    return None


def _at(shape: Shape, names: list[str], narrowed: Callable[[Shape], Shape]) -> Shape:
    """Narrow the field at these names, and with it what it stands in."""
    name, *below = names
    found = shape.fields.get(name)
    if found is None:
        return shape
    inner = _at(_present(found), below, narrowed) if below else narrowed(found)
    return replace(_present(shape), fields={**shape.fields, name: inner}, required=shape.required | {name})
