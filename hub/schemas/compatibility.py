"""What a change of a schema breaks: who reads by one version must be able to read what was written by another.

`breaks` compares two JSON Schemas without looking at any record: what may be written by the one must be valid by the
other. It errs on the side of caution, so that a condition it cannot compare counts as a break, with two exceptions:

- a field that a schema neither declares nor means (`additionalProperties` left out) is taken as not written at all;
  otherwise no field could ever be added to an open schema;
- a pattern or a format is compared by its words, not by its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.model.kinds import Kind
from hub.schemas.containment import gaps
from hub.schemas.documents import below, element
from hub.schemas.gaps import Gap
from hub.schemas.series import Mode
from hub.schemas.shape import Shape, shape_of


class Direction(StrEnum):
    """Who must read what: the new version's readers old records, or the old version's readers new ones."""

    BACKWARD = "backward"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """One promise that a change breaks: at which field, what kind of change, and in words what happens."""

    path: str
    kind: str
    detail: str
    direction: Direction


def breaks(old: Mapping[str, Any], new: Mapping[str, Any], mode: Mode) -> list[Break]:
    """Give what of the mode's promise a new version breaks, compared with one old one."""
    found = []
    if mode.backward:
        found += breaks_in(old, new, Direction.BACKWARD)
    if mode.forward:
        found += breaks_in(old, new, Direction.FORWARD)
    return found


def breaks_in(old: Mapping[str, Any], new: Mapping[str, Any], direction: Direction) -> list[Break]:
    """Give what a new version breaks in one direction."""
    backward = direction is Direction.BACKWARD
    written, read = (old, new) if backward else (new, old)
    return [_break(gap, direction) for gap in gaps(written, read)]


def earlier(versions: Sequence[str], mode: Mode) -> tuple[str, ...]:
    """Give the versions that the last of these must keep its series' promise to, nearest first."""
    before = tuple(reversed(versions[:-1]))
    return before if mode.transitive else before[:1]


def removed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the paths of fields that the old version declares and the new one does not know."""
    found: list[str] = []
    _removed(shape_of(old), shape_of(new), "", found, set())
    return tuple(found)


def _removed(old: Shape, new: Shape, path: str, found: list[str], seen: set[tuple[int, int]]) -> None:
    if (id(old), id(new)) in seen:
        return
    seen.add((id(old), id(new)))
    if Kind.OBJECT in old.kinds and Kind.OBJECT in new.kinds:
        for name, shape in old.fields.items():
            kept = new.fields.get(name, new.rest)
            if kept is None:
                found.append(below(path, name))
            else:
                _removed(shape, kept, below(path, name), found, seen)
    if old.items is not None and new.items is not None:
        _removed(old.items, new.items, element(path), found, seen)


def _break(gap: Gap, direction: Direction) -> Break:
    writer, reader = ("old", "new") if direction is Direction.BACKWARD else ("new", "old")
    detail = gap.sentence(f"the {writer} version", f"the {reader} version")
    return Break(path=gap.path, kind=gap.kind, detail=detail, direction=direction)
