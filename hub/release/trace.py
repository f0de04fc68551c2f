"""One run computed again by one version of the workspace, on recorded values and with nothing sent.

Everything pure is recomputed; what came from outside (look-ups, reads, outcomes of writes) is what was recorded. Where
nothing was recorded, or something else was asked, the trace ends: what would have followed cannot be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.engine.checks import check, same
from hub.engine.gates import work_scope
from hub.engine.readings import answer_of
from hub.engine.values import call_input, call_output, linked_ids, lookup_question, mapped
from hub.errors import FixData, HubError, NotMapped
from hub.model.ambient import of_micros
from hub.model.flow import Call, Decide, Flow, Link, Lookup, Map, Step
from hub.model.run import StepState
from hub.policy.decision import decide
from hub.policy.rules import Decision
from hub.sdk import exact_json
from hub.store.recorded import RecordedRun
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import OperationEntry

Row = Mapping[str, Any]
#: Gives an operation of a connection; None when there is no such one.
Operations = Callable[[str, str], OperationEntry | None]


class Status(StrEnum):
    """How a step ended: done, left out, failed, or not to be told from what was recorded."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A record that a step made: `input` for a call, `output`, or `decision`; the schema where one is known."""

    role: str
    schema: str | None
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a step asks of the outside, and where; `writes` tells a write from a read or a look-up.

    `declared` names the schema that an operation says it answers in.
    """

    target: tuple[str, ...]
    question: Any
    writes: bool = False
    declared: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run stops: the case's reason and a sentence; `recorded` when the outside said so, back then."""

    code: str
    detail: str
    recorded: bool = False


@dataclass(slots=True, kw_only=True)
class StepTrace:
    """One step of a trace. `unmet` is a check that did not hold after the step; `why` says what cannot be told."""

    path: str
    status: Status = Status.DONE
    rule: str | None = None
    made: list[Made] = field(default_factory=list)
    asked: Asked | None = None
    failure: Failure | None = None
    unmet: Failure | None = None
    why: str = ""


@dataclass(slots=True, kw_only=True)
class Trace:
    """A run as one version computes it: its steps until it ends or cannot be told, and what was known at the end."""

    flow: Flow
    bundle: Bundle
    scope: dict[str, Any]
    steps: dict[str, StepTrace] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """Give the paths of the flow's steps, also of those that were not reached."""
        return [step.id for step in self.flow.steps]


class _Untold(Exception):
    """What follows cannot be told."""


class _Recorded(Exception):
    """The outside refused, back then."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


def trace(
    bundle: Bundle, flow: Flow, scope: Mapping[str, Any], recorded: RecordedRun | None, operations: Operations
) -> Trace:
    """Compute a run again; a step whose check does not hold is noted, and the trace goes on."""
    made = Trace(flow=flow, bundle=bundle, scope=dict(scope))
    answers = _Answers(recorded, operations)
    for step in flow.steps:
        here = made.steps[step.id] = StepTrace(path=step.id)
        try:
            if step.when is not None and not step.when(made.scope):
                here.status, here.rule, value = Status.SKIPPED, "skipped", None
            else:
                value = _act(bundle, flow, step, made.scope, here, answers)
                _expect(step, made.scope, value, here)
        except _Untold as end:
            here.status, here.why = Status.UNTOLD, str(end)
            return made
        except _Recorded as end:
            here.status, here.failure = Status.FAILED, end.failure
            return made
        except HubError as error:
            here.status, here.failure = Status.FAILED, Failure(code=_reason(error, step), detail=str(error))
            return made
        except Exception as error:  # noqa: BLE001 - as in the engine, a defect met by one run stops no other
            here.status, here.failure = Status.FAILED, Failure(code="internal-error", detail=type(error).__name__)
            return made
        made.scope[step.id] = value
    return made


def _act(bundle: Bundle, flow: Flow, step: Step, scope: dict[str, Any], here: StepTrace, answers: _Answers) -> Any:
    match step.action:
        case Map() as action:
            value = mapped(bundle, action, scope)
            here.made.append(Made(role="output", schema=bundle.mappings[action.mapping].target, value=value))
            return value
        case Decide() as action:
            decision = _decide(bundle, flow, step, action, scope, answers)
            here.rule = decision.rule
            here.made.append(Made(role="decision", schema=None, value=decision.output))
            return decision.output
        case Lookup() as action:
            here.asked = Asked(target=("crossref",), question=lookup_question(action, scope))
            return answers.lookup(step, here.asked.question)
        case Call() as action:
            return _call(bundle, flow, step, action, scope, here, answers)
        case Link() as action:
            ids = linked_ids(action, scope)
            here.made.append(Made(role="output", schema=None, value=ids))
            return ids
        case _:
            raise _Untold("Steps of this kind cannot be told from what was recorded.")


def _call(
    bundle: Bundle, flow: Flow, step: Step, action: Call, scope: dict[str, Any], here: StepTrace, answers: _Answers
) -> Any:
    connection = str(action.connection(scope))
    given = call_input(bundle, action, scope)
    schema = bundle.mappings[action.shape].target if action.shape is not None else None
    here.made.append(Made(role="input", schema=schema, value=given))
    here.asked = answers.asked(connection, action.operation, given)
    answer, came_in = answers.call(step, here.asked, mapped=action.into is not None)
    if not here.asked.writes:
        # As in the engine: what came is read in the version that this flow was written for.
        answer = answer_of(bundle, flow, step, answer, given=came_in, declared=here.asked.declared)
    value = call_output(bundle, action, answer, scope)
    if action.into is not None:
        here.made.append(Made(role="output", schema=bundle.mappings[action.into].target, value=value))
    return value


def _decide(
    bundle: Bundle, flow: Flow, step: Step, action: Decide, scope: dict[str, Any], answers: _Answers
) -> Decision:
    """Ask a policy; what it sees of the time is when it was asked back then."""
    policy = bundle.policies[action.policy]
    if policy.kind.scope is None:
        return decide(policy, scope)
    run = {"environment": scope["event"]["environment"]}
    return decide(policy, work_scope(run, flow, scope, answers.asked_at(step, scope)))


def _expect(step: Step, scope: Mapping[str, Any], value: Any, here: StepTrace) -> None:
    if step.expect is None:
        return
    try:
        check(step.expect, {**scope, step.id: value}, value)
    except FixData as error:
        here.unmet = Failure(code=_reason(error, step), detail=str(error))


def _reason(error: HubError, step: Step) -> str:
    """Give the reason of the case that the engine would open."""
    return step.missing.case if isinstance(error, NotMapped) and step.missing is not None else error.code


class _Answers:
    """What the outside answered the recorded run."""

    def __init__(self, recorded: RecordedRun | None, operations: Operations) -> None:
        self.recorded = recorded
        self.operations = operations

    def asked(self, connection: str, operation: str, given: Any) -> Asked:
        """Say what a call asks, and whether it writes."""
        entry = self.operations(connection, operation)
        if entry is None:
            raise FixData(
                "There is no such connection or operation.",
                code="unknown-operation",
                connection=connection,
                operation=operation,
            )
        target = connection, operation
        return Asked(target=target, question=given, writes=entry.writes, declared=entry.declared)

    def asked_at(self, step: Step, scope: Mapping[str, Any]) -> datetime:
        """Give when a step was done; when its event came where it never was."""
        row = None if self.recorded is None else self.recorded.steps.get(step.id)
        return datetime.fromisoformat(scope["event"]["received_at"]) if row is None else of_micros(row["started_at"])

    def lookup(self, step: Step, question: Mapping[str, str]) -> Any:
        """Give what a look-up found."""
        row = self._row(step)
        if row["state"] == StepState.SUCCEEDED:
            if not same(_loaded(row["input"]), question):
                raise _Untold("it looks up something else than was recorded")
            return _loaded(row["output"])
        error = _loaded(row["error"]) or {}
        facts = error.get("facts", {})
        if any(facts.get(name) != value for name, value in question.items()):
            raise _Untold("it looks up something else than was recorded")
        code = step.missing.case if step.missing is not None else str(error.get("code"))
        raise _Recorded(Failure(code=code, detail=str(error.get("detail")), recorded=True))

    def call(self, step: Step, asked: Asked, *, mapped: bool) -> tuple[Any, str | None]:
        """Give what an operation answered, before any mapping of the flow, and the schema that it came in."""
        row = self._row(step)
        assert self.recorded is not None
        effect = self.recorded.effects.get(step.id)
        if effect is not None and (effect["connection"], effect["operation"]) != asked.target:
            raise _Untold("it calls another operation than was recorded")
        if not asked.writes and row["input"] is not None and not same(_loaded(row["input"]), asked.question):
            raise _Untold("it reads something else than was recorded")
        for text in (row["answer"], effect["output"] if effect is not None else None):
            if text is not None:
                return _loaded(text), row["answer_schema"]
        if not mapped and (row["output"] is not None or row["state"] == StepState.SUCCEEDED):
            return _loaded(row["output"]), row["answer_schema"]
        outcome = self.recorded.outcomes.get(step.id, "done")
        if row["state"] == StepState.FAILED and outcome != "done":
            error = _loaded(row["error"]) or {}
            raise _Recorded(Failure(code=str(error.get("code")), detail=str(error.get("detail")), recorded=True))
        raise _Untold("its answer was not recorded")

    def _row(self, step: Step) -> Row:
        row = None if self.recorded is None else self.recorded.steps.get(step.id)
        if row is None or row["rule"] == "skipped":
            raise _Untold("it was never asked")
        if row["state"] == StepState.WAITING:
            raise _Untold("its run still waits for the answer")
        return row


def _loaded(text: str | None) -> Any:
    return None if text is None else exact_json.loads(text)
