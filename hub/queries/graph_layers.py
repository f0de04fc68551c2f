"""Boxes of any size in layers from left to right, each right of all that it uses; lines keep clear of boxes; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GAP_X, GAP_Y = 22, 22
#: The height that is kept free where a line passes a layer.
PASSAGE = 52
_SWEEPS = 4

Point = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box to be placed, with its size in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The box `end` uses `start`; `points` are the corners the line goes through, curves and straight ones in turn."""

    start: str
    end: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Boxes by their left upper corners, and the lines between them, in an area of this size."""

    spots: Mapping[str, Point]
    lines: tuple[Line, ...]
    width: int
    height: int


def place(boxes: Mapping[str, Box], uses: Mapping[str, set[str]]) -> Placed:
    """Place boxes, those before others that are used by them; lines cross as little as a few sweeps can reach."""
    if not boxes:
        return Placed(spots={}, lines=(), width=0, height=0)
    uses = reduced(uses)
    layers = _layers(uses)
    columns = _ordered(uses, layers)
    widths = [max((boxes[id].width for id in column if id in boxes), default=0) for column in columns]
    heights = [sum(_height(boxes, id) for id in column) + GAP_Y * (len(column) - 1) for column in columns]
    lefts = [sum(widths[:layer]) + GAP_X * layer for layer in range(len(columns))]
    tallest = max(heights)
    spots: dict[str, Point] = {}
    for layer, column in enumerate(columns):
        top = (tallest - heights[layer]) // 2
        for id in column:
            spots[id] = (lefts[layer], top)
            top += _height(boxes, id) + GAP_Y
    rights = [left + width for left, width in zip(lefts, widths, strict=True)]
    lines = tuple(
        _line(source, id, boxes, spots, layers, rights) for id, sources in uses.items() for source in sorted(sources)
    )
    own = {id: spots[id] for id in boxes}
    return Placed(spots=own, lines=lines, width=rights[-1], height=tallest)


def reduced(uses: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what is implied: a line from A to C when one goes from A over B to C."""
    reach: dict[str, set[str]] = {}
    for id, sources in uses.items():
        reach[id] = set().union(*(reach[source] | {source} for source in sources)) if sources else set()
    return {
        id: {source for source in sources if not any(source in reach[other] for other in sources)}
        for id, sources in uses.items()
    }


def passage(start: str, end: str, layer: int) -> str:
    """Name the place in a layer that a long line goes through."""
    return f"{start}>{end}@{layer}"


def _height(boxes: Mapping[str, Box], id: str) -> int:
    return boxes[id].height if id in boxes else PASSAGE


def _layers(uses: Mapping[str, set[str]]) -> dict[str, int]:
    layers: dict[str, int] = {}
    for id, sources in uses.items():
        layers[id] = 1 + max((layers[source] for source in sources), default=-1)
    return layers


def _ordered(uses: Mapping[str, set[str]], layers: Mapping[str, int]) -> list[list[str]]:
    """Give each layer's boxes from top to bottom, with a place kept free wherever a long line passes."""
    columns: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    before: dict[str, list[str]] = {}
    for id, sources in uses.items():
        columns[layers[id]].append(id)
        before.setdefault(id, [])
        for source in sources:
            last = source
            for layer in range(layers[source] + 1, layers[id]):
                passing = passage(source, id, layer)
                columns[layer].append(passing)
                before[passing] = [last]
                last = passing
            before[id].append(last)
    after: dict[str, list[str]] = {}
    for id, sources_of in before.items():
        for source in sources_of:
            after.setdefault(source, []).append(id)
    rows: dict[str, float] = {id: float(row) for column in columns for row, id in enumerate(column)}
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda node: _centre([rows[other] for other in neighbours.get(node, [])], rows[node]))
            rows.update({id: float(row) for row, id in enumerate(column)})
    return columns


def _centre(rows: list[float], otherwise: float) -> float:
    return sum(rows) / len(rows) if rows else otherwise


def _line(
    start: str,
    end: str,
    boxes: Mapping[str, Box],
    spots: Mapping[str, Point],
    layers: Mapping[str, int],
    rights: list[int],
) -> Line:
    x, y = spots[start]
    middle, edge = y + boxes[start].height // 2, rights[layers[start]]
    points = [(x + boxes[start].width, middle)]
    if points[0][0] < edge:
        # Wider boxes of its layer are passed before the line bends.
        points += [(edge, middle), (edge, middle)]
    for layer in range(layers[start] + 1, layers[end]):
        left, top = spots[passage(start, end, layer)]
        points += [(left, top + PASSAGE // 2), (rights[layer], top + PASSAGE // 2)]
    left, top = spots[end]
    return Line(start=start, end=end, points=(*points, (left, top + boxes[end].height // 2)))
