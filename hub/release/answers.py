"""What the outside answered a recorded run: of each step what was recorded, or that it cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.engine.checks import same
from hub.errors import FixData
from hub.model.ambient import of_micros
from hub.model.flow import Step
from hub.model.run import LEFT_OUT, StepState
from hub.sdk import exact_json
from hub.store.recorded import RecordedRun
from hub.workspace.catalogue import OperationEntry

Row = Mapping[str, Any]
#: Gives an operation of a connection; None when there is no such one.
Operations = Callable[[str, str], OperationEntry | None]


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


class Untold(Exception):
    """What follows cannot be told."""


class Recorded(Exception):
    """The outside refused, back then."""

    def __init__(self, failure: Failure) -> None:
        """Take what it said."""
        super().__init__(failure.detail)
        self.failure = failure


class Answers:
    """What the outside answered the recorded run."""

    def __init__(self, recorded: RecordedRun | None, operations: Operations) -> None:
        """Take what is recorded, which may be nothing, and what tells the operations of connections."""
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

    def asked_at(self, path: str, scope: Mapping[str, Any]) -> datetime:
        """Give when a step was done; when its event came where it never was."""
        row = None if self.recorded is None else self.recorded.steps.get(path)
        return datetime.fromisoformat(scope["event"]["received_at"]) if row is None else of_micros(row["started_at"])

    def lookup(self, path: str, step: Step, question: Mapping[str, str]) -> Any:
        """Give what a look-up found."""
        row = self.row(path)
        if row["state"] == StepState.SUCCEEDED:
            if not same(loaded(row["input"]), question):
                raise Untold("it looks up something else than was recorded")
            return loaded(row["output"])
        error = loaded(row["error"]) or {}
        facts = error.get("facts", {})
        if any(facts.get(name) != value for name, value in question.items()):
            raise Untold("it looks up something else than was recorded")
        code = step.missing.case if step.missing is not None else str(error.get("code"))
        raise Recorded(Failure(code=code, detail=str(error.get("detail")), recorded=True))

    def call(self, path: str, asked: Asked, *, mapped: bool) -> tuple[Any, str | None]:
        """Give what an operation answered, before any mapping of the flow, and the schema that it came in."""
        row = self.row(path)
        assert self.recorded is not None
        effect = self.recorded.effects.get(path)
        if effect is not None and (effect["connection"], effect["operation"]) != asked.target:
            raise Untold("it calls another operation than was recorded")
        if not asked.writes and row["input"] is not None and not same(loaded(row["input"]), asked.question):
            raise Untold("it reads something else than was recorded")
        for text in (row["answer"], effect["output"] if effect is not None else None):
            if text is not None:
                return loaded(text), row["answer_schema"]
        if not mapped and (row["output"] is not None or row["state"] == StepState.SUCCEEDED):
            return loaded(row["output"]), row["answer_schema"]
        outcome = self.recorded.outcomes.get(path, "done")
        if row["state"] == StepState.FAILED and outcome != "done":
            error = loaded(row["error"]) or {}
            raise Recorded(Failure(code=str(error.get("code")), detail=str(error.get("detail")), recorded=True))
        raise Untold("its answer was not recorded")

    def given(self, path: str) -> Any:
        """Give the output of a step that nobody can compute again; raises `Recorded` when it failed."""
        row = self.row(path)
        if row["state"] == StepState.FAILED:
            error = loaded(row["error"]) or {}
            raise Recorded(Failure(code=str(error.get("code")), detail=str(error.get("detail")), recorded=True))
        return loaded(row["output"])

    def row(self, path: str) -> Row:
        """Give what is recorded of a step that was asked and answered."""
        row = None if self.recorded is None else self.recorded.steps.get(path)
        if row is None or row["rule"] == LEFT_OUT:
            raise Untold("it was never asked")
        if row["state"] == StepState.WAITING:
            raise Untold("its run still waits for the answer")
        return row


def loaded(text: str | None) -> Any:
    """Read a recorded value."""
    return None if text is None else exact_json.loads(text)
