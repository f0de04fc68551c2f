"""Flows as people read them: what starts them, what each step does in a sentence, and how their runs stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from hub.errors import NotFound
from hub.model.flow import Call, Decide, Equal, Flow, Link, Lookup, Map, Step, Term
from hub.model.run import RunState
from hub.queries.graph import Graph, layout
from hub.queries.runs import counts
from hub.queries.view import View
from hub.store.tables import cases
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One step of a flow's file: its kind, its object, a sentence, and the open cases that stopped in it."""

    id: str
    kind: str
    subject: str
    sentence: str
    conditions: tuple[str, ...]
    open_cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRow:
    """A flow in the list, with its runs by state (those that stand for themselves)."""

    name: str
    title: str
    owner: str
    event: str
    steps: int
    runs: Mapping[RunState, int]
    open_cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowDetail:
    """A flow whole: its words, its steps, and the graph of which step uses what of which."""

    flow: FlowRow
    path: str
    bundle: str
    key: str
    business_key: str
    runbook: str | None
    steps: tuple[StepPlan, ...]
    graph: Graph


def listing(view: View, bundle: Bundle) -> tuple[FlowRow, ...]:
    """List the flows of a bundle by name."""
    standing, stuck = counts(view), _stuck(view)
    return tuple(_row(flow, standing, stuck) for _, flow in sorted(bundle.flows.items()))


def detail(view: View, bundle: Bundle, name: str) -> FlowDetail:
    """Give a flow whole; raises `NotFound`."""
    flow = bundle.flows.get(name)
    if flow is None:
        raise NotFound("The workspace has no such flow.", flow=name)
    stuck = _stuck(view)
    plans = plan(flow, stuck.get(name, {}))
    return FlowDetail(
        flow=_row(flow, counts(view), stuck),
        path=flow.path,
        bundle=bundle.id,
        key=flow.key.text,
        business_key=flow.business_key.text,
        runbook=bundle.runbook(flow.runbook) if flow.runbook else None,
        steps=plans,
        graph=layout(flow),
    )


def plan(flow: Flow, stuck: Mapping[str, int]) -> tuple[StepPlan, ...]:
    """Tell what each step does; `stuck` counts open cases by step."""
    return tuple(
        StepPlan(
            id=step.id,
            kind=type(step.action).__name__.lower(),
            subject=_subject(step),
            sentence=_sentence(step),
            conditions=tuple(_conditions(step)),
            open_cases=stuck.get(step.id, 0),
        )
        for step in flow.steps
    )


def _row(flow: Flow, standing: Mapping[str, Mapping[RunState, int]], stuck: Mapping[str, Mapping[str, int]]) -> FlowRow:
    return FlowRow(
        name=flow.name,
        title=flow.title,
        owner=flow.owner,
        event=flow.event,
        steps=len(flow.steps),
        runs=standing.get(flow.name, {}),
        open_cases=sum(stuck.get(flow.name, {}).values()),
    )


def _stuck(view: View) -> dict[str, dict[str, int]]:
    statement = (
        select(cases.c.flow, cases.c.path, func.count())
        .where(cases.c.environment == view.environment, cases.c.state == "open")
        .group_by(cases.c.flow, cases.c.path)
    )
    found: dict[str, dict[str, int]] = {}
    with view.database.reading() as connection:
        for flow, path, number in connection.execute(statement):
            found.setdefault(flow, {})[path] = number
    return found


def _subject(step: Step) -> str:
    match step.action:
        case Map(mapping=mapping):
            return mapping
        case Decide(policy=policy):
            return policy
        case Lookup(crossref=crossref):
            return crossref
        case Call(operation=operation):
            return operation
        case Link(entity=entity):
            return entity
        case action:
            return type(action).__name__.lower()


def _sentence(step: Step) -> str:
    match step.action:
        case Map(mapping=mapping, of=of):
            return f"Map {_text(of, 'the record')} with {mapping}."
        case Decide(policy=policy):
            return f"Ask the policy {policy}."
        case Lookup(crossref=crossref, system=system, id=id, want=want):
            return f"Find the {want.text} id of {system.text} {crossref} {id.text}."
        case Call(connection=connection, operation=operation, shape=shape, of=of, by=by):
            given = f" with {shape} of {_text(of, 'the record')}" if shape else f" by {by.text}" if by else ""
            return f"Call {operation} on {connection.text}{given}."
        case Link(entity=entity, ids=ids):
            return f"Tie the ids of one {entity} together: {', '.join(system.text for system, _ in ids)}."
        case action:
            return type(action).__name__


def _conditions(step: Step) -> list[str]:
    found = []
    if step.when is not None:
        found.append(f"Only when {step.when.text}.")
    match step.expect:
        case Equal(left=left, right=right, case=case):
            found.append(f"{left.text} must equal {right.text}, or it becomes the exception {case}.")
        case None:
            pass
        case same:
            names = ", ".join(name for name, _ in same.fields)
            found.append(f"Must agree with {same.other.text} in {names}, or it becomes the exception {same.case}.")
    if step.missing is not None:
        wait = f"waits up to {step.missing.wait}, then it" if step.missing.wait else "it"
        found.append(f"When nothing is found, {wait} becomes the exception {step.missing.case}.")
    if isinstance(step.action, Call) and step.action.undo:
        found.append(f"Can be undone with {step.action.undo.operation}.")
    if step.retry is not None:
        found.append(f"Retried by the policy {step.retry}.")
    return found


def _text(term: Term | None, otherwise: str) -> str:
    return otherwise if term is None else term.text
