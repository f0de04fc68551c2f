"""Columns of stacks of fields, ordered so that few of the lines between them cross."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hub.workspace.lineage.edges import Field

HEADER, ROW, GAP_Y, MARGIN = 34, 24, 26, 14
_FOOT, _PASSING = 6, 7
_SWEEPS = 8


@dataclass(slots=True, kw_only=True)
class Stack:
    """The fields of a record one below the other, or the place kept free where long lines pass a column."""

    name: str
    fields: list[Field]
    passage: bool = False

    @property
    def height(self) -> int:
        """Give its height in pixels."""
        return len(self.fields) * _PASSING if self.passage else HEADER + len(self.fields) * ROW + _FOOT

    def middle(self, number: int) -> int:
        """Give how far below its top the middle of a field is."""
        return number * _PASSING + _PASSING // 2 if self.passage else HEADER + number * ROW + ROW // 2


def stacked(column: Sequence[Stack]) -> int:
    """Give the height of a column."""
    return sum(stack.height for stack in column) + max(len(column) - 1, 0) * GAP_Y


def placed(column: Sequence[Stack], tall: int) -> Iterator[tuple[Stack, int]]:
    """Give each stack of a column with its top; the column stands in the middle of the height `tall`."""
    y = MARGIN + (tall - stacked(column)) // 2
    for stack in column:
        yield stack, y
        y += stack.height + GAP_Y


def order(columns: Sequence[list[Stack]], pairs: Iterable[tuple[Field, Field]]) -> None:
    """Order stacks in their columns and fields in their stacks: each near the middle of what it is joined with."""
    neighbours: dict[Field, list[Field]] = {}
    for one, other in pairs:
        neighbours.setdefault(one, []).append(other)
        neighbours.setdefault(other, []).append(one)
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            places = _places(columns)
            centres = {
                field: _centre([places[other] for other in neighbours.get(field, ())], places[field])
                for stack in column
                for field in stack.fields
            }
            for stack in column:
                stack.fields.sort(key=lambda field: centres[field])
            column.sort(key=lambda stack: _centre([centres[field] for field in stack.fields], 0))


def _places(columns: Sequence[list[Stack]]) -> dict[Field, float]:
    tall = max(map(stacked, columns))
    return {
        field: y + stack.middle(number)
        for column in columns
        for stack, y in placed(column, tall)
        for number, field in enumerate(stack.fields)
    }


def _centre(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise
