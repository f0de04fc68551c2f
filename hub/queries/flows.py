"""Flows as people read them: what starts them, what each step does in a sentence, and how their runs stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from hub.errors import NotFound
from hub.model.flow import (
    Approve,
    Branch,
    Call,
    Decide,
    Emit,
    Flow,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    OnFailure,
    Parallel,
    Step,
    Subflow,
    Wait,
)
from hub.model.flow_steps import UNDOING, every_step, place_of
from hub.model.run import Priority, RunState
from hub.queries.graph import Graph, layout
from hub.queries.runs import counts
from hub.queries.step_words import conditions_of, kind_of, sentence_of, span, start_of, subject_of, until_told
from hub.queries.view import View
from hub.store.tables import cases
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One step of a flow's file: its kind, its object, a sentence, and the open cases that stopped in it.

    `place` names it in the flow (`way.post`, `lines[].post`), `lines` are the steps within it, and `runs` is the flow
    that it runs.
    """

    id: str
    place: str
    kind: str
    subject: str
    sentence: str
    conditions: tuple[str, ...]
    open_cases: int
    lines: tuple[PlanLine, ...] = ()
    runs: str | None = None

    @property
    def anchor(self) -> str:
        """Give the name of its place on the flow's page."""
        return anchor_of(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """Steps within a step, in order; of an arm also its name and when it is taken."""

    steps: tuple[StepPlan, ...]
    name: str = ""
    when: str = ""


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
    """A flow whole: its words, its steps, and the graph of which step uses what of which.

    `starts` says what starts it, and `also` what else its file says: who goes first, and what follows failures.
    """

    flow: FlowRow
    path: str
    bundle: str
    key: str
    business_key: str
    runbook: str | None
    starts: str
    also: tuple[str, ...]
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
        starts=start_of(flow).sentence,
        also=tuple(_also(flow)),
        steps=plans,
        graph=layout(flow),
    )


def _also(flow: Flow) -> Iterator[str]:
    if flow.priority is not Priority.NORMAL:
        order = "first" if flow.priority is Priority.HIGH else "last"
        yield f"It goes {order} where work waits for a slot or a limit."
    if flow.on_failure is OnFailure.COMPENSATE:
        yield "When a step fails for good, what was done is taken back."
    if flow.schedule is not None and flow.schedule.dead_man is not None:
        yield f"Somebody is alarmed {span(flow.schedule.dead_man)} after its last success."


def plan(flow: Flow, stuck: Mapping[str, int]) -> tuple[StepPlan, ...]:
    """Tell what each step does; `stuck` counts open cases by the step's place."""
    return _plans(flow.steps, stuck, "")


def every_plan(plans: Iterable[StepPlan]) -> Iterator[StepPlan]:
    """Give steps and those within them, in the order of the file."""
    for one in plans:
        yield one
        for line in one.lines:
            yield from every_plan(line.steps)


def anchor_of(place: str) -> str:
    """Give the name of a step's place on its flow's page."""
    return f"step-{place.replace('[]', '')}"


def _plans(steps: Sequence[Step], stuck: Mapping[str, int], around: str) -> tuple[StepPlan, ...]:
    return tuple(_plan(step, stuck, f"{around}{step.id}") for step in steps)


def _plan(step: Step, stuck: Mapping[str, int], place: str) -> StepPlan:
    # A call for many items has one step and a case of each.
    own = stuck.get(place, 0) + (stuck.get(f"{place}[]", 0) if isinstance(step.action, Call | Foreach) else 0)
    return StepPlan(
        id=step.id,
        place=place,
        kind=kind_of(step),
        subject=subject_of(step),
        sentence=sentence_of(step),
        conditions=tuple(conditions_of(step)),
        open_cases=own,
        lines=_lines(step, stuck, place),
        runs=step.action.flow if isinstance(step.action, Subflow) else None,
    )


def _lines(step: Step, stuck: Mapping[str, int], place: str) -> tuple[PlanLine, ...]:
    match step.action:
        case Foreach(steps=steps):
            return (PlanLine(steps=_plans(steps, stuck, f"{place}[].")),)
        case Parallel(steps=steps):
            return (PlanLine(steps=_plans(steps, stuck, f"{place}.")),)
        case Branch(arms=arms):
            return tuple(
                PlanLine(steps=_plans(arm.steps, stuck, f"{place}."), name=arm.name, when=until_told(arm))
                for arm in arms
            )
        case Map() | Decide() | Lookup() | Match() | Call() | Link() | Approve() | Wait() | Emit() | Subflow():
            return ()


def _row(flow: Flow, standing: Mapping[str, Mapping[RunState, int]], stuck: Mapping[str, Mapping[str, int]]) -> FlowRow:
    return FlowRow(
        name=flow.name,
        title=flow.title,
        owner=flow.owner,
        event=", ".join(flow.events),
        steps=sum(1 for _ in every_step(flow.steps)),
        runs=standing.get(flow.name, {}),
        open_cases=sum(stuck.get(flow.name, {}).values()),
    )


def _stuck(view: View) -> Mapping[str, Mapping[str, int]]:
    statement = (
        select(cases.c.flow, cases.c.path, func.count())
        .where(cases.c.environment == view.environment, cases.c.state == "open")
        .group_by(cases.c.flow, cases.c.path)
    )
    found: dict[str, Counter[str]] = {}
    with view.database.reading() as connection:
        for flow, path, number in connection.execute(statement):
            counted = found.setdefault(flow, Counter())
            # What could not be taken back stands with the step that did it.
            counted[place_of(path.removeprefix(UNDOING))] += number
    return found
