"""A quick look at a payload: whether it surely is as its shape says, told in a tenth of the time of a comparison.

The shape is written as types of msgspec, which reads a value as them or refuses it. What these types cannot say is
refused, so that the comparison has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any, Literal

import msgspec

from hub.model.kinds import ANY, Kind
from hub.schemas.shape import Shape

#: What stands in no field's name of msgspec.
_UNWRITABLE = re.compile(r'["\\\x00-\x1f]')

QuickLook = Callable[[Any], bool]


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """What no payload can be."""

    never: msgspec.UnsetType


def quick_look(shape: Shape) -> QuickLook:
    """Give a function that tells whether a payload surely fits; False says that it has to be compared."""
    wanted = _Types().of(shape)

    def surely(payload: Any) -> bool:
        try:
            msgspec.convert(payload, wanted, builtin_types=(Decimal,))
        except (msgspec.ValidationError, RecursionError):
            return False
        return True

    return surely


def says(shape: Shape) -> bool:
    """Tell whether a shape says anything of a value."""
    silent = shape.kinds == ANY and shape.values is None and not shape.whole and not shape.fields
    return not (silent and not shape.given and shape.items is None and shape.rest is shape)


class _Types:
    """Writes each shape once, wherever it is used."""

    def __init__(self) -> None:
        self._written: dict[int, Any] = {}
        # Shapes are told apart by their identity, which holds only as long as they live.
        self._alive: list[Shape] = []

    def of(self, shape: Shape) -> Any:
        if not says(shape):
            return Any
        if id(shape) not in self._written:
            self._alive.append(shape)
            self._written[id(shape)] = _Nothing
            kinds = list(_values(shape) if shape.values is not None else self._kinds(shape))
            self._written[id(shape)] = reduce(or_, kinds) if kinds else _Nothing
        return self._written[id(shape)]

    def _kinds(self, shape: Shape) -> Iterator[Any]:
        for kind in sorted(shape.kinds):
            match kind:
                case Kind.NULL:
                    yield None
                case Kind.BOOLEAN:
                    yield bool
                case Kind.STRING:
                    yield str
                case Kind.NUMBER:
                    # A whole number may be written as a decimal, and next to texts msgspec knows no decimals.
                    yield int if shape.whole or Kind.STRING in shape.kinds else int | Decimal
                case Kind.ARRAY:
                    yield list[self.of(shape.items)] if shape.items is not None else list  # type: ignore[misc]
                case Kind.OBJECT if (written := self._object(shape)) is not None:
                    yield written
                case _:
                    continue

    def _object(self, shape: Shape) -> Any:
        """Write an object; None when both its declared fields and its others have to be looked at."""
        closed = shape.rest is None
        required = shape.given
        if shape.rest is not None and says(shape.rest):
            return None if shape.fields or required else dict[str, self.of(shape.rest)]  # type: ignore[misc]
        if not required <= shape.fields.keys() or any(map(_UNWRITABLE.search, shape.fields)):
            return None
        fields: list[Any] = []
        for number, (name, field) in enumerate(shape.fields.items()):
            wanted = self.of(field)
            if name in required:
                fields.append((f"field_{number}", wanted, msgspec.field(name=name)))
            else:
                maybe = wanted if wanted is Any else wanted | msgspec.UnsetType
                fields.append((f"field_{number}", maybe, msgspec.field(name=name, default=msgspec.UNSET)))
        return msgspec.defstruct("Fields", fields, kw_only=True, forbid_unknown_fields=closed, gc=False)


def _values(shape: Shape) -> Iterator[Any]:
    """Write the values that are allowed, if they are texts and null."""
    values = shape.values or ()
    texts = tuple(value for value in values if isinstance(value, str))
    if texts and Kind.STRING in shape.kinds:
        yield Literal[texts]
    if None in values and Kind.NULL in shape.kinds:
        yield None
