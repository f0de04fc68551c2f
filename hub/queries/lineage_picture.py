"""A picture of lineage: each record a box with its fields, lines from field to field, laid out from left to right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from hub.queries.lineage import touched_edges
from hub.queries.stacks import Stack, order, placed, stacked
from hub.workspace.lineage.edges import Edge, Field, How, Lineage, Use, inside

BOX_WIDTH, GAP_X, MARGIN = 268, 92, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A field in its box; `y` is its middle, `wanted` marks what was asked for, `uses` what else is done with it."""

    field: Field
    meaning: str
    y: int
    wanted: bool
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A record with those of its fields that are in the picture."""

    record: str
    x: int
    y: int
    height: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One field goes into another; `points` are the corners it goes through, `sentences` say by which lines."""

    source: Field
    target: Field
    points: tuple[tuple[int, int], ...]
    direct: bool
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Boxes and lines in an area of `width` by `height` pixels."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def picture(lineage: Lineage, wanted: Sequence[Field]) -> Picture:
    """Lay out everything on a way to or from the wanted fields; a record stands right of all it is made of.

    How one version of a record is read as another is left out, unless it is the record that is asked about.
    """
    own = {each.series for each in wanted}
    touched = (edge for edge in touched_edges(lineage, wanted) if edge.source != edge.target)
    edges = _joined([edge for edge in touched if edge.source.series != edge.target.series or edge.source.series in own])
    fields = _fields(edges, wanted)
    layers = _layers(fields, edges)
    ways = _ways(edges, layers)
    columns = _columns(fields, layers, ways)
    order(columns, [pair for way in ways.values() for pair in pairwise(way)])
    tall = max(map(stacked, columns))
    boxes, spots = [], {}
    for layer, column in enumerate(columns):
        x = MARGIN + layer * (BOX_WIDTH + GAP_X)
        for stack, y in placed(column, tall):
            spots.update({each: (x, y + stack.middle(number)) for number, each in enumerate(stack.fields)})
            if not stack.passage:
                boxes.append(_box(stack, lineage, set(wanted), x, y))
    return Picture(
        boxes=tuple(boxes),
        lines=tuple(_lines(edges, ways, spots)),
        width=2 * MARGIN + len(columns) * BOX_WIDTH + (len(columns) - 1) * GAP_X,
        height=2 * MARGIN + tall,
    )


def _joined(edges: Sequence[Edge]) -> list[Edge]:
    """Let what reads a part of a field begin at the field that something fills: money is filled as a whole."""
    filled: dict[str, set[str]] = {}
    for edge in edges:
        if edge.how is not How.EACH and edge.target.path:
            filled.setdefault(edge.target.record, set()).add(edge.target.path)
    found = []
    for edge in edges:
        paths = filled.get(edge.source.record, set())
        whole = [path for path in paths if inside(edge.source.path, path)] if edge.source.path not in paths else []
        source = Field(record=edge.source.record, path=max(whole, key=len)) if whole else edge.source
        found.append(replace(edge, source=source))
    return found


def _fields(edges: Iterable[Edge], wanted: Sequence[Field]) -> dict[str, list[Field]]:
    """Give the fields of each record that are in the picture; a wanted part of one that is filled is seen there."""
    found: dict[str, dict[Field, None]] = {}
    for edge in edges:
        found.setdefault(edge.source.record, {})[edge.source] = None
        found.setdefault(edge.target.record, {})[edge.target] = None
    for each in wanted:
        there = found.setdefault(each.record, {})
        if not any(inside(each.path, other.path) or inside(other.path, each.path) for other in there):
            there[each] = None
    return {record: list(fields) for record, fields in found.items()}


def _layers(fields: Mapping[str, list[Field]], edges: Iterable[Edge]) -> dict[str, int]:
    """Give each record the column right of those it is made of; a line that leads back into a circle does not count."""
    below: dict[str, set[str]] = {record: set() for record in fields}
    for edge in edges:
        if edge.source.record != edge.target.record:
            below[edge.target.record].add(edge.source.record)
    layers: dict[str, int] = {}
    open_now: set[str] = set()

    def place(record: str) -> int:
        if record not in layers:
            open_now.add(record)
            sources = [source for source in sorted(below[record]) if source not in open_now]
            layers[record] = 1 + max((place(source) for source in sources), default=-1)
            open_now.discard(record)
        return layers[record]

    for record in fields:
        place(record)
    for record in [record for record, layer in layers.items() if layer == 0]:
        # What nothing leads to stands next to what it leads to, so that no line runs over half the picture.
        after = [layers[other] for other, sources in below.items() if record in sources and layers[other] > 0]
        if after:
            layers[record] = min(after) - 1
    return layers


def _ways(edges: Iterable[Edge], layers: Mapping[str, int]) -> dict[tuple[Field, Field], list[Field]]:
    """Give the places each line goes through: its ends, and a passage in every column between them."""
    ways: dict[tuple[Field, Field], list[Field]] = {}
    for edge in edges:
        between = range(layers[edge.source.record] + 1, layers[edge.target.record])
        names = (f"{edge.source.record}>{edge.target.record}@{layer}" for layer in between)
        passages = (Field(record=name, path=str(edge.source)) for name in names)
        ways[edge.source, edge.target] = [edge.source, *passages, edge.target]
    return ways


def _columns(
    fields: Mapping[str, list[Field]], layers: Mapping[str, int], ways: Mapping[tuple[Field, Field], list[Field]]
) -> list[list[Stack]]:
    columns: list[list[Stack]] = [[] for _ in range(max(layers.values()) + 1)]
    for record, inside_it in fields.items():
        columns[layers[record]].append(Stack(name=record, fields=list(inside_it)))
    passages: dict[str, Stack] = {}
    for source, target in ways:
        for layer, passage in enumerate(ways[source, target][1:-1], start=layers[source.record] + 1):
            if passage.record not in passages:
                passages[passage.record] = Stack(name=passage.record, fields=[], passage=True)
                columns[layer].append(passages[passage.record])
            if passage not in passages[passage.record].fields:
                passages[passage.record].fields.append(passage)
    return columns


def _box(stack: Stack, lineage: Lineage, wanted: set[Field], x: int, y: int) -> Box:
    rows = tuple(
        Row(
            field=field,
            meaning=lineage.declared.get(field, ""),
            y=y + stack.middle(number),
            wanted=any(each.record == field.record and inside(each.path, field.path) for each in wanted),
            uses=lineage.uses_of(field) if field.path else (),
        )
        for number, field in enumerate(stack.fields)
    )
    return Box(record=stack.name, x=x, y=y, height=stack.height, rows=rows)


def _lines(
    edges: Iterable[Edge],
    ways: Mapping[tuple[Field, Field], list[Field]],
    spots: Mapping[Field, tuple[int, int]],
) -> Iterable[Line]:
    together: dict[tuple[Field, Field], list[Edge]] = {}
    for edge in edges:
        together.setdefault((edge.source, edge.target), []).append(edge)
    for (source, target), same in together.items():
        first, *passages, last = (spots[each] for each in ways[source, target])
        through = [point for x, y in passages for point in ((x, y), (x + BOX_WIDTH, y))]
        yield Line(
            source=source,
            target=target,
            points=((first[0] + BOX_WIDTH, first[1]), *through, last),
            direct=any(edge.direct for edge in same),
            sentences=tuple(dict.fromkeys(f"{edge.text} ({edge.path}:{edge.line})" for edge in same)),
        )
