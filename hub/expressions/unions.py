"""The shape of what is one of several values, worked out in bounded time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hub.model.kinds import ANY, Kind, kind_of
from hub.schemas.shape import ANYTHING, Shape, Unit

#: So many fields are joined in one check of an expression; beyond that nothing more is said.
_MOST_FIELDS = 20_000
#: Deeper than this, joined values are not described.
_DEEPEST = 16
#: More values than these are not listed.
_MOST_VALUES = 500


_ANY_BUT_NULL = ANY - {Kind.NULL}


def is_unknown(shape: Shape) -> bool:
    """Tell whether a shape says nothing."""
    return shape.kinds >= _ANY_BUT_NULL and not shape.fields and shape.items is None and shape.values is None


class Unions:
    """Joins shapes; one object for each expression that is checked, since its patience is limited."""

    def __init__(self) -> None:
        """Start with full patience."""
        self._left = _MOST_FIELDS

    def __call__(self, shapes: Sequence[Shape]) -> Shape:
        """Give the shape of what has one of these shapes; of nothing, and beyond the bounds, nothing is known."""
        if not shapes:
            return ANYTHING
        joined, *others = shapes
        for other in others:
            joined = self._join(joined, other, 0)
        return joined

    def _join(self, one: Shape, other: Shape, depth: int) -> Shape:
        if one is other:
            return one
        if not one.kinds or one.kinds == {Kind.NULL}:
            return other.nullable() if one.kinds else other
        if not other.kinds or other.kinds == {Kind.NULL}:
            return one.nullable() if other.kinds else one
        self._left -= 1 + len(one.fields) + len(other.fields)
        if is_unknown(one) or is_unknown(other) or depth > _DEEPEST or self._left < 0:
            return ANYTHING
        objects = [shape for shape in (one, other) if Kind.OBJECT in shape.kinds]
        whole = objects[0] if objects else Shape(rest=ANYTHING)
        if len(objects) > 1 and one.fields is not other.fields:
            whole = self._fields(one, other, depth)
        lists = [shape for shape in (one, other) if Kind.ARRAY in shape.kinds]
        numbers = [shape for shape in (one, other) if Kind.NUMBER in shape.kinds]
        texts = [shape for shape in (one, other) if Kind.STRING in shape.kinds]
        return Shape(
            kinds=one.kinds | other.kinds,
            whole=bool(numbers) and all(shape.whole for shape in numbers),
            unit=_unit(numbers),
            fields=whole.fields,
            required=whole.required,
            rest=whole.rest,
            items=self._items(lists, depth),
            values=_values(one, other),
            format=texts[0].format if texts and all(text.format == texts[0].format for text in texts) else None,
        )

    def _items(self, lists: Sequence[Shape], depth: int) -> Shape | None:
        """Join what is known of the elements of one list or two: nothing when it is not known of both."""
        items = [shape.items for shape in lists if shape.items is not None]
        if not items or len(items) < len(lists):
            return None
        return items[0] if len(items) == 1 else self._join(items[0], items[1], depth + 1)

    def _fields(self, one: Shape, other: Shape, depth: int) -> Shape:
        joined: dict[str, Shape] = {}
        for name in dict.fromkeys([*one.fields, *other.fields]):
            # An object without declared fields is one of which nothing is known.
            left, right = (shape.fields.get(name, shape.rest if shape.fields else ANYTHING) for shape in (one, other))
            if left is not None and right is not None:
                joined[name] = self._join(left, right, depth + 1)
            else:
                joined[name] = left or right or ANYTHING
        rest = one.rest or other.rest
        if one.rest is not None and other.rest is not None:
            rest = self._join(one.rest, other.rest, depth + 1)
        if not one.fields or not other.fields:
            rest = rest or ANYTHING
        return Shape(fields=joined, required=one.required & other.required, rest=rest)


def truthy(shape: Shape) -> Shape:
    """Give what is left of a shape where the value is true: neither null nor false nor empty."""
    kinds = shape.kinds - {Kind.NULL}
    if shape.values is None:
        return replace(shape, kinds=kinds)
    values = tuple(value for value in shape.values if is_true(value))
    return replace(shape, kinds=kinds & _kinds(values), values=values)


def falsy(shape: Shape) -> Shape:
    """Give what is left of a shape where the value is null, false or empty; a number is never that."""
    values = shape.values
    kinds = shape.kinds - {Kind.NUMBER}
    if values is not None:
        values = tuple(value for value in values if not is_true(value))
        kinds &= _kinds(values) | {Kind.NULL}
    elif kinds <= {Kind.NULL, Kind.BOOLEAN}:
        values = (False,)
    return replace(shape, kinds=kinds, values=values)


def is_true(value: Any) -> bool:
    """Tell JMESPath's truth of a value: every number is true."""
    return bool(value) or kind_of(value) is Kind.NUMBER


def _kinds(values: Sequence[Any]) -> frozenset[Kind]:
    return frozenset(kind for kind in map(kind_of, values) if kind is not None)


def _unit(numbers: Sequence[Shape]) -> Unit | None:
    """Give the unit that all have; a literal, such as the 0 of a default, has whatever unit the others have."""
    units = {shape.unit for shape in numbers if shape.unit is not None or shape.values is None}
    return units.pop() if len(units) == 1 else None


def _values(one: Shape, other: Shape) -> tuple[Any, ...] | None:
    if one.values is None or other.values is None or len(one.values) + len(other.values) > _MOST_VALUES:
        return None
    added = [value for value in other.values if not any(value is known or value == known for known in one.values)]
    return (*one.values, *added)
