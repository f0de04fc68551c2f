"""What a schema says about null, told from what it leaves open."""

from __future__ import annotations

from dataclasses import replace

from hub.expressions.unions import is_unknown
from hub.schemas.shape import Shape


def declared(shape: Shape) -> Shape:
    """Give a shape in which only those fields may be null that a schema says may be.

    A schema that lists required fields says that the others may be missing. One that lists none, as most of vendors,
    says nothing about it.
    """
    return _declared(shape, {})


def _declared(shape: Shape, seen: dict[int, Shape]) -> Shape:
    if not shape.fields and shape.items is None and shape.rest is None:
        return shape
    known = seen.get(id(shape))
    if known is None:
        # A shape may hold one part in many places; each is looked at once.
        seen[id(shape)] = shape
        known = seen[id(shape)] = replace(
            shape,
            fields={name: _declared(field, seen) for name, field in shape.fields.items()},
            required=shape.required or frozenset(shape.fields),
            items=None if shape.items is None else _declared(shape.items, seen),
        )
    return known


def says(shape: Shape, path: str) -> bool:
    """Tell whether a shape says anything of what stands at a path such as `lines[].amount` (`@` for itself)."""
    for word in [] if path == "@" else path.replace("[]", ".[]").split("."):
        found = shape.items if word == "[]" else shape.at(word.strip('"'))
        if found is None or is_unknown(shape):
            return False
        shape = found
    return not is_unknown(shape)
