"""What functions give, where that depends on what they are given: rules for the check of types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.expressions.functions.meanings import money_shape
from hub.expressions.functions.signature import Call, Rule
from hub.model.kinds import NUMBER_TYPES, Kind
from hub.schemas.shape import ANYTHING, Shape, Unit

_NUMBER = frozenset({Kind.NUMBER})
_NULL = frozenset({Kind.NULL})
_STRING = frozenset({Kind.STRING})
_ARRAY = frozenset({Kind.ARRAY})
_POWERS_OF_TEN = {10, 100, 1000}

#: Units in words.
SPOKEN = {
    Unit.MINOR: "minor units of a currency",
    Unit.MAJOR: "major units of a currency",
    Unit.UNIX_SECONDS: "seconds since 1970",
}


def items_of(shape: Shape) -> Shape:
    """Give the shape of a list's elements; nothing is known of those of anything else."""
    return shape.items if shape.items is not None and Kind.ARRAY in shape.kinds else ANYTHING


def list_of(items: Shape) -> Shape:
    """Give the shape of a list of such elements."""
    return Shape(kinds=_ARRAY, items=items)


def same(call: Call) -> Shape:
    """Give back what the first argument is."""
    return call.shapes[0]


def turned(call: Call) -> Shape:
    """Turn a list round, whose elements are the same, or a text, which is another one then."""
    return replace(call.shapes[0], values=None, format=None)


def number(*, whole: bool = False) -> Rule:
    """Give a number of the unit of the first argument, of which no single value is known."""

    def rule(call: Call) -> Shape:
        given = call.shapes[0]
        return Shape(kinds=_NUMBER, unit=given.unit, whole=whole or (given.whole and given.kinds <= _NUMBER | _NULL))

    return rule


def read_number(call: Call) -> Shape:
    """Give a number as it is; a text may be none."""
    given = call.shapes[0]
    shape = Shape(kinds=_NUMBER, unit=given.unit, whole=given.whole and given.kinds == _NUMBER)
    return shape if given.kinds == _NUMBER else shape.nullable()


def total(call: Call) -> Shape:
    """Add numbers of a list up: they keep their unit."""
    items = items_of(call.shapes[0])
    return Shape(kinds=_NUMBER, unit=items.unit, whole=items.whole)


def mean(call: Call) -> Shape:
    """Average numbers of a list: they keep their unit; nothing has no average."""
    return Shape(kinds=_NUMBER | _NULL, unit=items_of(call.shapes[0]).unit)


def element(*kinds: Kind) -> Rule:
    """Give one of a list's elements, or null when there is none."""

    def rule(call: Call) -> Shape:
        items = items_of(call.shapes[0])
        return (replace(items, kinds=items.kinds & frozenset(kinds)) if kinds else items).nullable()

    return rule


def made_list(call: Call) -> Shape:
    """Give a list of what the `&expression` gives."""
    return list_of(call.shapes[0])


def added(call: Call) -> Shape:
    """Add or subtract: both must count the same; seconds from seconds are a duration."""
    left, right = call.shapes
    if left.unit is not None and right.unit is not None and left.unit is not right.unit:
        call.report(1, "wrong-unit", f"{_capital(left.unit)} and {SPOKEN[right.unit]} cannot be added or subtracted.")
    unit = left.unit or right.unit
    if left.unit is Unit.UNIX_SECONDS and right.unit is Unit.UNIX_SECONDS:
        unit = None
    return Shape(kinds=_NUMBER, unit=unit, whole=left.whole and right.whole)


def multiplied(call: Call) -> Shape:
    """Multiply: an amount times a factor is an amount, but a shift of the point changes what it counts."""
    left, right = call.shapes
    unit = left.unit or right.unit
    if (left.unit and right.unit) or any(_shifts(literal) for literal in call.literals):
        unit = None
    return Shape(kinds=_NUMBER, unit=unit, whole=left.whole and right.whole)


def divided(call: Call) -> Shape:
    """Divide: an amount by a number is an amount, by an amount a ratio."""
    left, right = call.shapes[:2]
    unit = None if right.unit or _shifts(call.literals[1]) else left.unit
    return Shape(kinds=_NUMBER, unit=unit, whole=_is_zero(call, 2))


def rounded(call: Call) -> Shape:
    """Round: whole when no digit after the point is kept."""
    return Shape(kinds=_NUMBER, unit=call.shapes[0].unit, whole=call.shapes[0].whole or _is_zero(call, 1))


def first_known(call: Call) -> Shape:
    """Give the first value that is not null: null only when all may be."""
    choices: list[Shape] = []
    for shape in call.shapes:
        choices.append(replace(shape, kinds=shape.kinds - _NULL))
        if not shape.may_be_null:
            return call.join(choices)
    return call.join(choices).nullable()


def as_array(call: Call) -> Shape:
    """Give a list as it is, anything else in a list."""
    shape = call.shapes[0]
    other = replace(shape, kinds=shape.kinds - _ARRAY)
    parts = [shape.items or ANYTHING] if Kind.ARRAY in shape.kinds else []
    return list_of(call.join([*parts, other] if other.kinds else parts))


def as_text(call: Call) -> Shape:
    """Give a text as it is; of what else becomes a text, nothing more is known."""
    shape = call.shapes[0]
    return shape if shape.kinds == _STRING else Shape(kinds=_STRING)


def texts(change: Callable[[str], str]) -> Rule:
    """Give changed texts: of known ones, what becomes of them."""

    def rule(call: Call) -> Shape:
        values = call.shapes[0].values
        known = None if values is None else tuple(change(value) for value in values if isinstance(value, str))
        return Shape(kinds=_STRING, values=known)

    return rule


def field_values(call: Call) -> Shape:
    """List an object's values."""
    return list_of(values_in(call.shapes[0], call.join))


def values_in(shape: Shape, join: Callable[[list[Shape]], Shape]) -> Shape:
    """Give the shape of what any field of an object may hold."""
    if Kind.OBJECT not in shape.kinds or not shape.fields:
        return ANYTHING if shape.rest is None else shape.rest
    return join([*shape.fields.values(), *([] if shape.rest is None else [shape.rest])])


def searched(call: Call) -> Shape:
    """Look for a value in a list: what cannot be in it is never found."""
    subject, search = call.shapes
    items = subject.items if subject.kinds == _ARRAY else None
    if items is not None and items.kinds and search.kinds:
        if not items.kinds & search.kinds:
            call.report(1, "never-true", "No element of the list is of this kind, so that this is never true.")
        elif items.values and search.values and not any(value in items.values for value in search.values):
            words = _listed(search.values)
            call.report(1, "never-true", f"{words} is never an element of the list, so that this is never true.")
    return Shape(kinds=frozenset({Kind.BOOLEAN}))


def list_of_texts(call: Call) -> Shape:
    """Give a list of texts."""
    return list_of(Shape(kinds=_STRING))


def _record(**fields: Shape) -> Shape:
    """Give the shape of an object with just these fields."""
    return Shape(kinds=frozenset({Kind.OBJECT}), fields=fields, required=frozenset(fields))


def grouped(call: Call) -> Shape:
    """Group a list's elements by what the `&expression` gives."""
    return list_of(_record(key=call.shapes[1], items=list_of(items_of(call.shapes[0]))))


def entries(call: Call) -> Shape:
    """List an object's keys and values."""
    return list_of(_record(key=Shape(kinds=_STRING), value=values_in(call.shapes[0], call.join)))


def of_entries(call: Call) -> Shape:
    """Make an object of keys that no schema knows."""
    return Shape(kinds=frozenset({Kind.OBJECT}), rest=items_of(call.shapes[0]).at("value") or ANYTHING)


def rows(call: Call) -> Shape:
    """Make objects of the elements of lists."""
    lists = call.shapes[0]
    for name, column in lists.fields.items():
        if column.kinds and Kind.ARRAY not in column.kinds:
            call.report(0, "wrong-type", f"zip() takes an object of lists, but its {name} is no list.")
    if not lists.fields or lists.rest is not None:
        return list_of(Shape(kinds=frozenset({Kind.OBJECT}), rest=ANYTHING))
    fields = {name: items_of(column) for name, column in lists.fields.items()}
    return list_of(Shape(kinds=frozenset({Kind.OBJECT}), fields=fields, required=lists.required))


def allocated(call: Call) -> Shape:
    """Split money: the parts are of its currency."""
    return list_of(money_shape(_currencies(call.shapes[0])))


def merged(call: Call) -> Shape:
    """Join objects: of a field that several have, the last one is there."""
    fields: dict[str, Shape] = {}
    required: frozenset[str] = frozenset()
    rest: Shape | None = None
    for shape in call.shapes:
        if not shape.fields and shape.rest is None:
            return Shape(kinds=frozenset({Kind.OBJECT}), rest=ANYTHING)
        rest = shape.rest if rest is None else rest if shape.rest is None else call.join([rest, shape.rest])
        for name, part in shape.fields.items():
            before = fields.get(name)
            fields[name] = part if before is None or name in shape.required else call.join([before, part])
        required |= shape.required
    return Shape(kinds=frozenset({Kind.OBJECT}), fields=fields, required=required, rest=rest)


def money_of(place: int) -> Rule:
    """Make money in the currency that the argument at this place names."""

    def rule(call: Call) -> Shape:
        values = call.shapes[place].values if place < len(call.shapes) else None
        return money_shape(None if values is None else tuple(str(value).upper() for value in values))

    return rule


def one_currency(call: Call) -> Shape:
    """Work on amounts that must be of one currency."""
    known = [_currencies(shape) for shape in call.shapes]
    common = known[0]
    for place, other in enumerate(known[1:], start=1):
        if common is not None and other is not None and not set(common) & set(other):
            detail = f"Amounts in {_listed(common)} and in {_listed(other)} cannot be added or subtracted."
            call.report(place, "wrong-unit", detail)
        common = common if common is not None else other
    return money_shape(common)


def one_money(call: Call) -> Shape:
    """Work on one amount, which keeps its currency."""
    return money_shape(_currencies(call.shapes[0]))


def money_total(call: Call) -> Shape:
    """Add money up: nothing adds up to null, unless the currency is named."""
    named = call.shapes[1].values if len(call.shapes) > 1 else _currencies(items_of(call.shapes[0]))
    shape = money_shape(None if named is None else tuple(str(value).upper() for value in named))
    return shape if len(call.shapes) > 1 else shape.nullable()


def _currencies(shape: Shape) -> tuple[Any, ...] | None:
    currency = shape.fields.get("currency")
    return None if currency is None else currency.values


def _shifts(literal: tuple[Any] | None) -> bool:
    return literal is not None and type(literal[0]) in NUMBER_TYPES and Decimal(literal[0]) in _POWERS_OF_TEN


def _is_zero(call: Call, place: int) -> bool:
    literal = call.literals[place]
    return literal is not None and literal[0] == 0


def _listed(values: tuple[Any, ...]) -> str:
    return " or ".join(map(str, values[:3]))


def _capital(unit: Unit) -> str:
    return SPOKEN[unit][0].upper() + SPOKEN[unit][1:]
