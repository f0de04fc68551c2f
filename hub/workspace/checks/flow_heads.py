"""What a flow says of itself to others: what starts it, what it tells, and which flows it runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.workspace.checks.step_nodes import every_step, inside, keyed_in
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of

#: Types of the hub's own events: those that flows emit, and those by which it starts flows.
OWN = "concord"
SCHEDULED = f"{OWN}.schedule"
CALLED = f"{OWN}.flow"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowHead:
    """A flow by what it may start and be started by; `called` is the schema of the record that a caller hands over."""

    name: str
    event: str
    called: str | None = None
    further_events: tuple[str, ...] = ()
    emits: frozenset[str] = frozenset()
    runs: frozenset[str] = frozenset()


def event_of(flow: Keyed) -> str:
    """Give the type of the events that start a flow; the first one where several do."""
    return events_of(flow)[0]


def events_of(flow: Keyed) -> tuple[str, ...]:
    """Give the types of the events that start a flow, at least one; it is empty where the file does not say."""
    on, name = inside(flow, "on"), text_of(flow.get("flow"))
    if on is None:
        return ("",)
    if "schedule" in on.entries:
        return (f"{SCHEDULED}.{name}",)
    if "called" in on.entries:
        return (f"{CALLED}.{name}",)
    return tuple(text_of(each) for each in event_nodes(on)) or ("",)


def event_nodes(on: Keyed) -> tuple[Node, ...]:
    """Give the nodes that name the events which start a flow."""
    event = on.get("event")
    if isinstance(event, Listed):
        return event.items
    return () if event is None else (event,)


def flow_heads(nodes: Iterable[Node]) -> Mapping[str, FlowHead]:
    """Give the heads of all files that call themselves flows, right or not."""
    flows = [node for node in nodes if isinstance(node, Keyed) and text_of(node.get("flow"))]
    return {head.name: head for head in map(_head, flows)}


def callees_first(nodes: Mapping[str, Node]) -> list[str]:
    """Put the files of flows in an order in which those come first that others run."""
    heads = {path: _head(node) for path, node in nodes.items() if isinstance(node, Keyed)}
    path_of = {head.name: path for path, head in heads.items()}
    order: dict[str, None] = {}
    under_way: set[str] = set()

    def follow(path: str) -> None:
        if path in under_way:
            return
        under_way.add(path)
        for name in sorted(heads[path].runs & path_of.keys()) if path in heads else ():
            follow(path_of[name])
        order[path] = None

    for path in nodes:
        follow(path)
    return list(order)


def _head(flow: Keyed) -> FlowHead:
    steps = tuple(every_step(keyed_in(flow.get("steps"))))
    on = inside(flow, "on")
    emits = (held for step in steps if (held := inside(step, "emit")) is not None)
    runs = (held for step in steps if (held := inside(step, "flow")) is not None)
    return FlowHead(
        name=text_of(flow.get("flow")),
        event=event_of(flow),
        further_events=events_of(flow)[1:],
        called=text_of(on.get("called")) or None if on is not None else None,
        emits=frozenset(text_of(held.get("type")) for held in emits),
        runs=frozenset(text_of(held.get("flow")) for held in runs),
    )
