"""A flow as a graph: which step uses what of which, and what stands within which, laid out from left to right; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hub.model.flow import Approve, Branch, Call, Decide, Flow, Foreach, Parallel, Step, Term, Wait
from hub.model.flow_steps import every_step, terms_of
from hub.queries.graph_layers import GAP_Y, Box, place
from hub.queries.step_words import kind_of, start_of, subject_of, until_told

#: The name of the node that starts the flow.
TRIGGER = "event"

NODE_WIDTH, NODE_HEIGHT = 130, 52
MARGIN = 12
#: Around the steps within a step, and the line above them that says what they are.
PADDING, HEADING = 14, 34
#: The line above the steps of an arm that says when it is taken.
ARM_HEADING = 24
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")
_NAME = re.compile(r"(?<![.\w])[A-Za-z_]\w*(?!\w*\()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A step or the trigger with its place: the left upper corner and the size, in pixels.

    `id` is the step's place in the flow, `number` counts the steps of each level (`4.2`) and is empty for the trigger.
    `undone` tells that it can be taken back.
    """

    id: str
    number: str
    kind: str
    title: str
    subtitle: str
    x: int
    y: int
    width: int = NODE_WIDTH
    height: int = NODE_HEIGHT
    undone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The way of one arm within its branch: its words, and where the line that begins it stands."""

    name: str
    words: str
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """The later step `end` uses the output of `start`; `points` are the corners the line goes through."""

    start: str
    end: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes, frames around steps that stand within one, lanes and edges in an area of `width` by `height` pixels.

    Frames stand in the order in which they are drawn: the outer ones first.
    """

    nodes: tuple[Node, ...] = ()
    frames: tuple[Node, ...] = ()
    lanes: tuple[Lane, ...] = ()
    edges: tuple[Edge, ...] = ()
    width: int = 0
    height: int = 0


def layout(flow: Flow) -> Graph:
    """Lay a flow out: a step stands right of everything it uses; lines cross as little as a few sweeps can reach."""
    start = start_of(flow)
    trigger = Node(id=TRIGGER, number="", kind=start.kind, title=start.title, subtitle=start.subtitle, x=0, y=0)
    found = _laid_out(flow.steps, dependencies(flow), trigger=trigger)
    moved = _moved(found, MARGIN, MARGIN)
    return replace(moved, width=found.width + 2 * MARGIN, height=found.height + 2 * MARGIN)


def dependencies(flow: Flow) -> dict[str, set[str]]:
    """Give for each step the earlier steps, or the trigger, whose values its expressions name."""
    return _uses(flow.steps, trigger=True)


def _uses(steps: Sequence[Step], *, trigger: bool) -> dict[str, set[str]]:
    uses: dict[str, set[str]] = {TRIGGER: set()} if trigger else {}
    last, gate = TRIGGER, ""
    for step in steps:
        terms = (term for each in every_step((step,)) for term in _all_terms(each))
        named = {name for term in terms for name in _names(term)}
        earlier = named & (uses.keys() - {TRIGGER})
        if gate:
            earlier.add(gate)
        if isinstance(step.action, Approve | Wait):
            # Everything before it is done when it waits, and nothing after it begins before.
            earlier |= uses.keys() - {TRIGGER}
            gate = step.id
        elif isinstance(step.action, Decide) and last in uses:
            # What a policy looks at stands in its own file; it sees everything up to the step before it.
            earlier.add(last)
        if trigger and (named & {"event", "data", "record"} or not earlier):
            earlier.add(TRIGGER)
        uses[step.id] = earlier
        last = step.id
    return uses


def _all_terms(step: Step) -> tuple[Term, ...]:
    match step.action:
        case Foreach(by=by, collect=collect):
            return (*terms_of(step), *(term for term in (by, collect) if term is not None))
        case _:
            return terms_of(step)


def _names(term: Term) -> set[str]:
    # A literal has no context to name anything in; an expression of the workspace is told by its being compiled.
    if hasattr(term, "value"):
        return set()
    return set(_NAME.findall(_QUOTED.sub(" ", term.text)))


def _laid_out(
    steps: Sequence[Step],
    uses: dict[str, set[str]],
    *,
    around: str = "",
    number: str = "",
    first: int = 1,
    trigger: Node | None = None,
) -> Graph:
    """Lay out steps beside each other; those within a step are laid out before, because they say how large it is."""
    inside = {
        step.id: _inside(step, f"{around}{step.id}", f"{number}{order}")
        for order, step in enumerate(steps, start=first)
    }
    boxes = {id: Box(width=graph.width, height=graph.height) for id, graph in inside.items()}
    if trigger is not None:
        boxes = {TRIGGER: Box(width=trigger.width, height=trigger.height), **boxes}
    placed = place(boxes, uses)
    parts = [_moved(graph, *placed.spots[id]) for id, graph in inside.items()]
    if trigger is not None:
        x, y = placed.spots[TRIGGER]
        parts.insert(0, Graph(nodes=(replace(trigger, x=x, y=y),)))
    lines = tuple(
        Edge(start=_place(line.start, around), end=_place(line.end, around), points=line.points)
        for line in placed.lines
    )
    return replace(_together(parts), edges=lines + _together(parts).edges, width=placed.width, height=placed.height)


def _inside(step: Step, place: str, number: str) -> Graph:
    """Draw one step at the left upper corner: a node, or a frame around the steps within it."""
    undone = isinstance(step.action, Call) and step.action.undo is not None
    node = Node(
        id=place,
        number=number,
        kind=kind_of(step),
        title=step.id,
        subtitle=subject_of(step),
        x=0,
        y=0,
        undone=undone,
    )
    match step.action:
        case Foreach(steps=steps):
            inner = _laid_out(steps, _uses(steps, trigger=False), around=f"{place}[].", number=f"{number}.")
        case Branch():
            inner = _branch(step.action, place, number)
        case Parallel(steps=steps):
            needs = {each.id: set(each.needs) for each in _in_order(steps)}
            inner = _laid_out(steps, needs, around=f"{place}.", number=f"{number}.")
        case _:
            return Graph(nodes=(node,), width=NODE_WIDTH, height=NODE_HEIGHT)
    width = max(inner.width + 2 * PADDING, 2 * NODE_WIDTH)
    height = HEADING + inner.height + PADDING
    frame = replace(node, width=width, height=height)
    moved = _moved(inner, PADDING, HEADING)
    return replace(moved, frames=(frame, *moved.frames), width=width, height=height)


def _branch(branch: Branch, place: str, number: str) -> Graph:
    """Lay the arms out below each other."""
    parts: list[Graph] = []
    lanes: list[Lane] = []
    top, first = 0, 1
    for arm in branch.arms:
        uses = _uses(arm.steps, trigger=False)
        inner = _laid_out(arm.steps, uses, around=f"{place}.", number=f"{number}.", first=first)
        lanes.append(Lane(name=arm.name, words=until_told(arm), x=0, y=top, width=0))
        parts.append(_moved(inner, 0, top + ARM_HEADING))
        top += ARM_HEADING + inner.height + GAP_Y
        first += len(arm.steps)
    width = max(part.width for part in parts)
    found = _together(parts)
    own = tuple(replace(lane, width=width) for lane in lanes)
    return replace(found, lanes=own + found.lanes, width=width, height=top - GAP_Y)


def _in_order(steps: Sequence[Step]) -> list[Step]:
    """Put steps at the same time in an order in which those come first that others need."""
    left, done = list(steps), list[Step]()
    while left:
        ready = next((step for step in left if all(each.id not in step.needs for each in left)), left[0])
        left.remove(ready)
        done.append(ready)
    return done


def _together(parts: Sequence[Graph]) -> Graph:
    return Graph(
        nodes=tuple(node for part in parts for node in part.nodes),
        frames=tuple(frame for part in parts for frame in part.frames),
        lanes=tuple(lane for part in parts for lane in part.lanes),
        edges=tuple(edge for part in parts for edge in part.edges),
    )


def _moved(graph: Graph, x: int, y: int) -> Graph:
    return replace(
        graph,
        nodes=tuple(replace(node, x=node.x + x, y=node.y + y) for node in graph.nodes),
        frames=tuple(replace(frame, x=frame.x + x, y=frame.y + y) for frame in graph.frames),
        lanes=tuple(replace(lane, x=lane.x + x, y=lane.y + y) for lane in graph.lanes),
        edges=tuple(
            replace(edge, points=tuple((left + x, top + y) for left, top in edge.points)) for edge in graph.edges
        ),
    )


def _place(id: str, around: str) -> str:
    return id if id == TRIGGER and not around else f"{around}{id}"
