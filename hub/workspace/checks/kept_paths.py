"""What a mapping with `rest: keep` takes over as it is, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.expressions.parts import Grouped, Nested, Part, Repeated
from hub.expressions.paths import element_paths, value_paths
from hub.schemas.shape import Shape
from hub.workspace.lineage.edges import inside

#: So deep are the fields told that a mapping keeps as they are.
_DEEPEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where an object of fields stands in the target, and what it starts from in the source (None: from nothing)."""

    target: str
    source: str | None
    removed: tuple[str, ...] = ()


def kept_paths(shape: Grouped, target: Shape) -> Iterator[tuple[str, str]]:
    """Give source and target path of each declared field that a mapping neither fills nor takes out."""
    whole = _Place(target="", source="" if shape.kept else None, removed=shape.without)
    yield from _object(shape, target, whole, "")


def _object(group: Grouped, declared: Shape, place: _Place, at: str) -> Iterator[tuple[str, str]]:
    for name, part in group.fields.items():
        here = _Place(target=_step(place.target, name), source=_below(place.source, name), removed=place.removed)
        inner = declared.fields.get(name)
        if inner is not None:
            yield from _part(part, inner, here, at)
    if place.source is not None:
        for name, inner in declared.fields.items():
            if name not in group.fields:
                yield from _leaves(inner, _step(place.target, name), _step(place.source, name), place.removed, 0)


def _part(part: Part, declared: Shape, place: _Place, at: str) -> Iterator[tuple[str, str]]:
    match part:
        case Grouped():
            yield from _object(part, declared, place, at)
        case Repeated() if declared.items is not None:
            for path in element_paths(part.each.tree, at=(at,)):
                yield from _object(part.fields, declared.items, _own(part.fields, f"{place.target}[]", path), path)
        case Nested():
            for path in (at,) if part.of is None else value_paths(part.of.tree, at=(at,)):
                yield from _object(part.fields, declared, _own(part.fields, place.target, path), path)
        case _:
            pass


def _own(group: Grouped, target: str, path: str) -> _Place:
    """Give the place of an object that keeps the rest of its own source, or nothing."""
    plain = path.removeprefix("@")
    removed = tuple(_step(plain, each) for each in group.without)
    return _Place(target=target, source=plain if group.kept else None, removed=removed)


def _leaves(
    declared: Shape, target: str, source: str, removed: tuple[str, ...], depth: int
) -> Iterator[tuple[str, str]]:
    """Give the fields of a value that have no fields of their own."""
    if any(inside(source, each) for each in removed):
        return
    many = declared.items is not None
    inner = declared.items if declared.items is not None else declared
    if not inner.fields or depth == _DEEPEST:
        yield source, target
        return
    for name, field in inner.fields.items():
        ends = (_step(f"{target}[]" if many else target, name), _step(f"{source}[]" if many else source, name))
        yield from _leaves(field, *ends, removed, depth + 1)


def _step(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _below(path: str | None, name: str) -> str | None:
    return None if path is None else _step(path, name)
