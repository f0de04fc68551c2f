"""Flows that start flows: what is emitted, and which flow a step runs."""

from __future__ import annotations

from collections.abc import Iterable

from hub.workspace.checks.flow_heads import CALLED, OWN, SCHEDULED, FlowHead
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, text_of


def lint_emit(flow: Keyed, emit: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint when an event that a flow tells would start the flow itself, at once or through others."""
    at = emit.entries["type"].value
    if text_of(at).startswith((f"{SCHEDULED}.", f"{CALLED}.")) or text_of(at) == OWN:
        message = f"Events named `{SCHEDULED}.…` and `{CALLED}.…` are the hub's own."
        lints.error(at, "reserved-name", message, f"Choose another type, such as `{OWN}.invoice.posted`.")
        return
    circle = _circle(text_of(flow.get("flow")), known.started_by(text_of(at)), known)
    if circle:
        message = f"This event starts the flow itself again, without end: {circle}."
        lints.error(at, "emit-loop", message, "Emit another type.")


def lint_subflow(flow: Keyed, subflow: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint when a step runs a flow that is not there, that is not run by others, or that runs this one."""
    at = subflow.entries["flow"].value
    name = text_of(at)
    head = known.flows.get(name)
    if not known.lint_name(FileKind.FLOW, at, lints) or head is None:
        return
    if not head.event:
        # Its own file says what is wrong with it.
        return
    if head.called is None:
        message = f"The flow `{name}` is started by `{head.event}`, not by other flows."
        lints.error(at, "flow-not-called", message, "Name a flow with `on: { called: SCHEMA }`.")
        return
    circle = _circle(text_of(flow.get("flow")), [head], known)
    if circle:
        lints.error(at, "flow-loop", f"The flow runs itself, without end: {circle}.", "Name another flow.")
        return
    mapping = known.mappings.get(text_of(subflow.get("with")))
    if mapping is not None and mapping.target != head.called and head.called in known.declared[FileKind.SCHEMA]:
        message = f"The mapping `{mapping.name}` makes `{mapping.target}`; the flow `{name}` takes `{head.called}`."
        lints.error(subflow.entries["with"].value, "wrong-schema", message, "Name another mapping.")


def _circle(name: str, first: Iterable[FlowHead], known: Known) -> str:
    """Give the way by which flows that are started here start this one again, in words; empty when none does."""
    ways: list[tuple[str, ...]] = [(head.name,) for head in first]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        if way[-1] == name:
            return " → ".join((name, *way))
        if way[-1] not in seen:
            seen.add(way[-1])
            ways += [(*way, head.name) for head in _started(known.flows[way[-1]], known)]
    return ""


def _started(head: FlowHead, known: Known) -> list[FlowHead]:
    """Give the flows that a flow starts, by events or straight."""
    told = [each for type in sorted(head.emits) for each in known.started_by(type)]
    return told + [known.flows[name] for name in sorted(head.runs) if name in known.flows]
