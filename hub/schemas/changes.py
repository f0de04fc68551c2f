"""What differs between two versions of a schema, field by field and in words, whether it breaks anything or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.model.kinds import ANY, Kind
from hub.schemas.documents import ANY_NAME, among, below, element
from hub.schemas.drift import shorten
from hub.schemas.shape import Shape, shape_of


class ChangeKind(StrEnum):
    """What happened to a field."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field that differs: its path (`lines[].amount`) and in words how."""

    path: str
    kind: ChangeKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a schema, as a reader sees it."""

    path: str
    type: str
    required: bool
    description: str


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """Give every field that differs, in the order of the new version, removed ones after their neighbours."""
    return list(_changes(shape_of(old), shape_of(new), "", set()))


def fields(document: Mapping[str, Any]) -> list[Field]:
    """Give every field that a schema describes, with its path."""
    return list(_fields(shape_of(document), "", frozenset()))


def spoken(shape: Shape) -> str:
    """Say what a shape allows: `integer, minor units`, `date or null`, `one of open, paid`."""
    if shape.values is not None:
        listed = ", ".join(map(_value, shape.values[:8]))
        return f"one of {listed}{', …' if len(shape.values) > 8 else ''}"
    if shape.kinds == ANY:
        return "anything"
    words = []
    for kind in (Kind.BOOLEAN, Kind.NUMBER, Kind.STRING, Kind.ARRAY, Kind.OBJECT, Kind.NULL):
        if kind in shape.kinds:
            words.append(_word(kind, shape))
    return " or ".join(words) or "nothing"


def _word(kind: Kind, shape: Shape) -> str:
    match kind:
        case Kind.NUMBER:
            unit = f", {shape.unit.value.replace('-', ' ')}" if shape.unit is not None else ""
            return ("integer" if shape.whole else "number") + unit
        case Kind.STRING:
            return shape.format or "string"
        case Kind.ARRAY:
            return "list" if shape.items is None or shape.items.kinds == ANY else f"list of {spoken(shape.items)}"
        case _:
            return kind.value


def _changes(old: Shape, new: Shape, path: str, seen: set[tuple[int, int]]) -> Iterator[Change]:
    if (id(old), id(new)) in seen:
        return
    seen.add((id(old), id(new)))
    said = _differences(old, new)
    if said:
        yield Change(path=path, kind=ChangeKind.CHANGED, detail="; ".join(said))
    for name, shape in new.fields.items():
        here = below(path, name)
        if name not in old.fields:
            needed = "required" if name in new.required else "optional"
            yield Change(path=here, kind=ChangeKind.ADDED, detail=f"{spoken(shape)}, {needed}")
            continue
        if (name in old.required) != (name in new.required):
            words = "required now" if name in new.required else "optional now"
            yield Change(path=here, kind=ChangeKind.CHANGED, detail=words)
        yield from _changes(old.fields[name], shape, here, seen)
    for name, shape in old.fields.items():
        if name not in new.fields:
            yield Change(path=below(path, name), kind=ChangeKind.REMOVED, detail=f"was {spoken(shape)}")
    if old.items is not None and new.items is not None:
        yield from _changes(old.items, new.items, element(path), seen)
    if old.rest is not None and new.rest is not None:
        yield from _changes(old.rest, new.rest, below(path, ANY_NAME), seen)


def _differences(old: Shape, new: Shape) -> list[str]:
    said = []
    if old.values is not None and new.values is not None:
        came = [_value(value) for value in new.values if not among(value, old.values)]
        went = [_value(value) for value in old.values if not among(value, new.values)]
        said += [f"allows {', '.join(came)} now"] if came else []
        said += [f"no longer allows {', '.join(went)}"] if went else []
    elif _own(old) != _own(new):
        said.append(f"{_own(old)} before, {_own(new)} now")
    return said


def _own(shape: Shape) -> str:
    """Say what a shape allows without its elements, which are told at their own path."""
    if shape.values is None and Kind.ARRAY in shape.kinds and shape.kinds != ANY:
        return spoken(shape).replace(_word(Kind.ARRAY, shape), "list")
    return spoken(shape)


def _fields(shape: Shape, path: str, above: frozenset[int]) -> Iterator[Field]:
    if id(shape) in above:
        return
    inside = above | {id(shape)}
    for name, field in shape.fields.items():
        here = below(path, name)
        yield Field(path=here, type=spoken(field), required=name in shape.required, description=field.description)
        yield from _fields(field, here, inside)
    if shape.items is not None:
        yield from _fields(shape.items, element(path), inside)


def _value(value: Any) -> str:
    return shorten(value) if value != "" else '""'
