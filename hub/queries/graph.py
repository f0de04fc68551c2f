"""A flow as a graph: which step uses what of which, laid out in layers from left to right; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.model.flow import Call, Decide, Equal, Flow, Link, Lookup, Map, Same, Step, Term

#: The name of the node that starts the flow.
TRIGGER = "event"

NODE_WIDTH, NODE_HEIGHT = 130, 52
GAP_X, GAP_Y, MARGIN = 22, 22, 12
_SWEEPS = 4
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*(?!\w*\()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step or the trigger (number 0) with its place: the left upper corner, in pixels."""

    id: str
    number: int
    kind: str
    title: str
    subtitle: str
    x: int
    y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The later step `end` uses the output of `start`; `points` are the corners the line goes through."""

    start: str
    end: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes and edges in an area of `width` by `height` pixels."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


def layout(flow: Flow) -> Graph:
    """Lay a flow out: a step stands right of everything it uses; lines cross as little as a few sweeps can reach."""
    uses = _reduced(dependencies(flow))
    layers = _layers(uses)
    placed, rows = _order(uses, layers)
    deepest, height = max(layers.values()), max(rows)
    steps = {step.id: (number, step) for number, step in enumerate(flow.steps, start=1)}
    source, _, what = flow.event.partition(".")
    nodes = []
    for id, row in placed.items():
        if id not in layers:
            continue
        at = {"x": MARGIN + layers[id] * (NODE_WIDTH + GAP_X), "y": _top(row, rows[layers[id]], height)}
        if id == TRIGGER:
            nodes.append(Node(id=id, number=0, kind="event", title=source, subtitle=what, **at))
        else:
            number, step = steps[id]
            kind = type(step.action).__name__.lower()
            nodes.append(Node(id=id, number=number, kind=kind, title=id, subtitle=_subtitle(step), **at))
    spots = {node.id: node for node in nodes}
    edges = tuple(
        Edge(start=source, end=id, points=_route(spots[source], spots[id], placed, rows, layers, height))
        for id, sources in uses.items()
        for source in sorted(sources)
    )
    return Graph(
        nodes=tuple(sorted(nodes, key=lambda node: node.number)),
        edges=edges,
        width=2 * MARGIN + (deepest + 1) * NODE_WIDTH + deepest * GAP_X,
        height=2 * MARGIN + height * NODE_HEIGHT + (height - 1) * GAP_Y,
    )


def dependencies(flow: Flow) -> dict[str, set[str]]:
    """Give for each step the earlier steps, or the trigger, whose values its expressions name."""
    uses: dict[str, set[str]] = {TRIGGER: set()}
    last = TRIGGER
    for step in flow.steps:
        named = {name for term in _terms(step) for name in _names(term)}
        earlier = named & (uses.keys() - {TRIGGER})
        if isinstance(step.action, Decide):
            # What a policy looks at stands in its own file; it sees everything up to the step before it.
            earlier.add(last)
        elif named & {"event", "data", "record"} or not earlier:
            earlier.add(TRIGGER)
        uses[step.id] = earlier
        last = step.id
    return uses


def _terms(step: Step) -> Iterable[Term]:
    found: list[Term | None] = [step.when]
    match step.action:
        case Map(of=of, given=given):
            found += [of, *given.values()]
        case Decide():
            pass
        case Lookup(system=system, id=id, want=want):
            found += [system, id, want]
        case Call(connection=connection, of=of, by=by, given=given):
            found += [connection, of, by, *given.values()]
        case Link(ids=ids):
            found += [term for pair in ids for term in pair]
        case _:
            pass
    match step.expect:
        case Equal(left=left, right=right):
            found += [left, right]
        case Same(other=other):
            found.append(other)
        case None:
            pass
    return [term for term in found if term is not None]


def _names(term: Term) -> set[str]:
    # A literal has no context to name anything in; an expression of the workspace is told by its being compiled.
    if hasattr(term, "value"):
        return set()
    return set(_NAME.findall(_QUOTED.sub(" ", term.text)))


def _reduced(uses: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what is implied: a line from A to C when one goes from A over B to C."""
    reach: dict[str, set[str]] = {}
    for id, sources in uses.items():
        reach[id] = set().union(*(reach[source] | {source} for source in sources)) if sources else set()
    return {
        id: {source for source in sources if not any(source in reach[other] for other in sources)}
        for id, sources in uses.items()
    }


def _layers(uses: Mapping[str, set[str]]) -> dict[str, int]:
    layers: dict[str, int] = {}
    for id, sources in uses.items():
        layers[id] = 1 + max((layers[source] for source in sources), default=-1)
    return layers


def _order(uses: Mapping[str, set[str]], layers: Mapping[str, int]) -> tuple[dict[str, float], list[int]]:
    """Give each node its row in its layer, with a place kept free wherever a long line passes, and the layer sizes."""
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
    places: dict[str, float] = {id: float(row) for column in columns for row, id in enumerate(column)}
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        for column in columns if sweep % 2 == 0 else reversed(columns):
            column.sort(key=lambda node: _centre([places[other] for other in neighbours.get(node, [])], places[node]))
            places.update({id: float(row) for row, id in enumerate(column)})
    return places, [len(column) for column in columns]


def passage(start: str, end: str, layer: int) -> str:
    """Name the place in a layer that a long line goes through."""
    return f"{start}>{end}@{layer}"


def _centre(rows: list[float], otherwise: float) -> float:
    return sum(rows) / len(rows) if rows else otherwise


def _top(row: float, size: int, height: int) -> int:
    pitch = NODE_HEIGHT + GAP_Y
    return MARGIN + round((height - size) * pitch / 2 + row * pitch)


def _route(
    start: Node, end: Node, places: Mapping[str, float], rows: list[int], layers: Mapping[str, int], height: int
) -> tuple[tuple[int, int], ...]:
    middle = NODE_HEIGHT // 2
    points = [(start.x + NODE_WIDTH, start.y + middle)]
    for layer in range(layers[start.id] + 1, layers[end.id]):
        x = MARGIN + layer * (NODE_WIDTH + GAP_X)
        y = _top(places[passage(start.id, end.id, layer)], rows[layer], height) + middle
        points += [(x, y), (x + NODE_WIDTH, y)]
    return (*points, (end.x, end.y + middle))


def _subtitle(step: Step) -> str:
    match step.action:
        case Map(mapping=mapping):
            return mapping
        case Decide(policy=policy):
            return policy
        case Lookup(crossref=crossref):
            return f"{crossref} crossref"
        case Call(operation=operation):
            return operation
        case Link(entity=entity):
            return f"{entity} ids"
        case action:
            return type(action).__name__.lower()
