"""A shape: what a JSON Schema says of a value, in the form that checks of mappings and payloads need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from hub.model.kinds import ANY, Kind, kind_of
from hub.schemas.documents import among, referred

#: The annotation of a number's unit in our schemas.
UNIT = "x-unit"
#: The annotation that names fields which a vendor's record always has, although one that is written may leave them out.
ANSWERED = "x-answered"
#: The annotation that names a flag: of a record where it is true, little is left, and nothing of the above is missed.
UNLESS = "x-answered-unless"
#: So deep is a schema read; below that a shape says nothing.
_DEEPEST = 24


class Unit(StrEnum):
    """What a number counts: minor or major units of a currency, or seconds since 1970 UTC."""

    MINOR = "minor"
    MAJOR = "major"
    UNIX_SECONDS = "unix-seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is known of a value.

    - `kinds` are the kinds it may have; a field that may be missing is one whose shape may be null when it is read.
    - `whole`: its numbers are integers. `unit` is what they count, None when the schema does not say.
    - `fields` are an object's declared fields, `required` those that are always there, `answered` those that are there
      in whatever the vendor gives unless the field `unless` is true in it, and `rest` the shape of all others that are
      meant (`additionalProperties`): None when none are, although a reader may tolerate them.
    - `items` is the shape of a list's elements, `values` the only ones it may have, `format` that of its texts.
    """

    kinds: frozenset[Kind] = ANY
    whole: bool = False
    unit: Unit | None = None
    fields: Mapping[str, Shape] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    answered: frozenset[str] = frozenset()
    unless: str | None = None
    rest: Shape | None = None
    items: Shape | None = None
    values: tuple[Any, ...] | None = None
    format: str | None = None
    description: str = ""

    @property
    def may_be_null(self) -> bool:
        """Tell whether the value may be null."""
        return Kind.NULL in self.kinds

    @property
    def given(self) -> frozenset[str]:
        """Give the fields that are there in whatever the vendor gives."""
        return self.required | self.answered

    def at(self, name: str) -> Shape | None:
        """Give the shape that reading a field gives, null included; None when no such field is declared."""
        declared = self.fields.get(name)
        if declared is not None:
            return declared if name in self.required else declared.nullable()
        return None if self.rest is None else self.rest.nullable()

    def nullable(self) -> Shape:
        """Give the same shape, with null among its kinds."""
        return self if self.may_be_null else replace(self, kinds=self.kinds | {Kind.NULL})

    def without_null(self) -> Shape:
        """Give the same shape, without null among its kinds."""
        return replace(self, kinds=self.kinds - {Kind.NULL}) if self.may_be_null else self


#: The shape of a value of which nothing is known, and of everything in it.
ANYTHING = Shape()
object.__setattr__(ANYTHING, "rest", ANYTHING)


def shape_of(document: Any, whole: Mapping[str, Any] | None = None) -> Shape:
    """Read a JSON Schema (2020-12); `whole` is the document that its references point into, by default itself.

    What a shape cannot hold (bounds, patterns, conditions) is left out. Of a reference that leads nowhere, or back to
    where it stands, nothing is known.
    """
    root = whole if whole is not None else document
    return _Reading(root if isinstance(root, Mapping) else {}).read(document, 0)


class _Reading:
    """One pass over a document; each reference is read once, so that references to references cannot multiply."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._referred: dict[str, Shape] = {}

    def read(self, document: Any, depth: int) -> Shape:
        """Read a schema and all that it consists of."""
        if not isinstance(document, Mapping) or depth > _DEEPEST:
            return Shape(kinds=frozenset()) if document is False else ANYTHING
        parts = [self._own(document, depth)]
        if "$ref" in document:
            parts.append(self._reference(str(document["$ref"]), depth))
        parts += [self.read(part, depth + 1) for part in document.get("allOf", ())]
        for word in ("anyOf", "oneOf"):
            if document.get(word):
                parts.append(either([self.read(part, depth + 1) for part in document[word]]))
        shape = parts[0]
        for part in parts[1:]:
            shape = _both(shape, part)
        return shape

    def _reference(self, reference: str, depth: int) -> Shape:
        if reference not in self._referred:
            self._referred[reference] = ANYTHING
            self._referred[reference] = self.read(referred(reference, self._root), depth + 1)
        return self._referred[reference]

    def _own(self, document: Mapping[str, Any], depth: int) -> Shape:
        """Read what stands in the schema itself."""
        values = document["enum"] if "enum" in document else [document["const"]] if "const" in document else None
        kinds, whole = _kinds(document, values)
        unit = document.get(UNIT)
        return Shape(
            kinds=kinds,
            whole=whole,
            unit=Unit(unit) if unit in list(Unit) else None,
            fields={name: self.read(part, depth + 1) for name, part in document.get("properties", {}).items()},
            required=frozenset(document.get("required", ())),
            answered=frozenset(document.get(ANSWERED, ())),
            unless=document.get(UNLESS),
            rest=self._rest(document, depth),
            items=self._items(document, depth),
            values=None if values is None else tuple(values),
            format=document.get("format"),
            description=document.get("description", ""),
        )

    def _items(self, document: Mapping[str, Any], depth: int) -> Shape | None:
        if "prefixItems" not in document:
            return self.read(document["items"], depth + 1) if "items" in document else None
        return either([self.read(part, depth + 1) for part in (*document["prefixItems"], document.get("items", True))])

    def _rest(self, document: Mapping[str, Any], depth: int) -> Shape | None:
        """Read what fields may be there beside the declared ones: those that are meant, not those merely tolerated."""
        parts = list(document.get("patternProperties", {}).values())
        further = document.get("additionalProperties", False)
        if parts or "additionalProperties" in document:
            meant = [part for part in (*parts, further) if part is not False]
            return either([self.read(part, depth + 1) for part in meant]) if meant else None
        return None if "properties" in document else ANYTHING


def _kinds(document: Mapping[str, Any], values: Any) -> tuple[frozenset[Kind], bool]:
    named = document.get("type")
    if named is None:
        if values is None:
            return ANY, False
        return frozenset(kind for kind in map(kind_of, values) if kind is not None), False
    names = [named] if isinstance(named, str) else list(named)
    kinds = frozenset(Kind.NUMBER if name == "integer" else Kind(name) for name in names)
    return kinds, "integer" in names and "number" not in names


def _both(one: Shape, other: Shape) -> Shape:
    """Give the shape of what fits both."""
    return Shape(
        kinds=one.kinds & other.kinds,
        whole=one.whole or other.whole,
        unit=one.unit or other.unit,
        fields={**other.fields, **one.fields},
        required=one.required | other.required,
        answered=one.answered | other.answered,
        unless=one.unless or other.unless,
        rest=one.rest if other.rest is not None else None,
        items=one.items or other.items,
        values=one.values if one.values is not None else other.values,
        format=one.format or other.format,
        description=one.description or other.description,
    )


def either(shapes: list[Shape]) -> Shape:
    """Give the shape of what fits one of several; nothing is known when there are none."""
    if not shapes:
        return ANYTHING
    first, *others = shapes
    for other in others:
        first = _one_of(first, other)
    return first


def _one_of(one: Shape, other: Shape) -> Shape:
    if one is other:
        return one
    objects = [shape for shape in (one, other) if Kind.OBJECT in shape.kinds]
    lists = [shape for shape in (one, other) if Kind.ARRAY in shape.kinds]
    numbers = [shape for shape in (one, other) if Kind.NUMBER in shape.kinds]
    texts = [shape for shape in (one, other) if Kind.STRING in shape.kinds]
    names = list(dict.fromkeys(name for shape in objects for name in shape.fields))
    rests = [shape.rest for shape in objects if shape.rest is not None]
    items = [shape.items for shape in lists if shape.items is not None]
    return Shape(
        kinds=one.kinds | other.kinds,
        whole=bool(numbers) and all(shape.whole for shape in numbers),
        unit=_same([shape.unit for shape in numbers]),
        fields={name: _field(name, objects) for name in names},
        required=frozenset.intersection(*(shape.required for shape in objects)) if objects else frozenset(),
        answered=frozenset.intersection(*(shape.answered for shape in objects)) if objects else frozenset(),
        unless=next((shape.unless for shape in objects if shape.unless), None),
        rest=either(rests) if rests else None if objects else ANYTHING,
        items=either(items) if lists and len(items) == len(lists) else None,
        values=_values(one, other),
        format=_same([shape.format for shape in texts]),
        description=one.description or other.description,
    )


def _field(name: str, objects: list[Shape]) -> Shape:
    """Give what a field may be: as declared, or as one of the further fields that are meant."""
    found = [shape.fields.get(name, shape.rest) for shape in objects]
    return either([shape for shape in found if shape is not None])


def _values(one: Shape, other: Shape) -> tuple[Any, ...] | None:
    if one.values is None and one.kinds != {Kind.NULL}:
        return None
    if other.values is None and other.kinds != {Kind.NULL}:
        return None
    values = [*(one.values or (None,)), *(other.values or (None,))]
    return tuple(value for index, value in enumerate(values) if not among(value, values[:index]))


def _same(values: list[Any]) -> Any:
    """Give the one value that all have; None when they differ."""
    return values[0] if values and all(value == values[0] for value in values) else None
