"""Steps without others inside them, computed again: what is pure, and what was recorded of what is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.engine.children import told_name
from hub.engine.demands import demand_of, hash_of
from hub.engine.gates import work_scope
from hub.engine.readings import answer_of, source_of
from hub.engine.values import (
    call_input,
    call_output,
    compared_keys,
    linked_ids,
    lookup_question,
    mapped,
    match_question,
    shaped,
)
from hub.engine.waits import for_time
from hub.errors import HubDefect
from hub.model.ambient import of_micros
from hub.model.flow import Approve, Call, Decide, Emit, Link, Lookup, Map, Match, Step, Subflow, Wait
from hub.policy.decision import decide
from hub.policy.matching import in_words
from hub.policy.rules import Decision
from hub.release.answers import Answers, Asked, Untold, loaded
from hub.release.trace import Made, StepTrace, Trace

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)
Scope = Mapping[str, Any]


class SingleSteps:
    """The single steps of one run by one version."""

    def __init__(self, made: Trace, answers: Answers) -> None:
        """Take the trace that they belong to, and what was recorded."""
        self._bundle = made.bundle
        self._flow = made.flow
        self._changed = made.changed
        self._answers = answers

    def act(self, step: Step, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        """Give a step's output; raises `Untold`, `Recorded`, or what the engine would raise."""
        match step.action:
            case Map() as action:
                value = mapped(self._bundle, action, scope)
                here.made.append(self._made("output", action.mapping, value))
                return value
            case Decide() as action:
                decision = self._decided(action.policy, scope, path)
                here.rule = decision.rule
                here.made.append(Made(role="decision", schema=None, value=decision.output))
                return decision.output
            case Lookup() as action:
                here.asked = Asked(target=("crossref",), question=lookup_question(action, scope))
                return self._answers.lookup(path, step, here.asked.question)
            case Match() as action:
                return self._match(action, scope, path, here)
            case Call() as action:
                return self._call(step, action, scope, path, here)
            case Link() as action:
                ids = linked_ids(action, scope)
                here.made.append(Made(role="output", schema=None, value=ids))
                return ids
            case Approve() as action:
                return self._approve(action, scope, path, here)
            case Wait() as action:
                return self._wait(action, scope, path, here)
            case Emit() as action:
                return self._emit(action, scope, path, here)
            case Subflow() as action:
                return self._subflow(action, scope, path, here)
            case action:
                raise HubDefect(f"A step of the kind {type(action).__name__} is none by itself.", code="internal-error")

    def _match(self, action: Match, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        """What others there were at that time is not known any more: only the same keys have the same outcome."""
        _, values = compared_keys(self._bundle.matches[action.policy], action, scope)
        asked = {**match_question(action, scope), "policy": action.policy, "keys": in_words(values)}
        here.asked = Asked(target=("match", action.policy), question=asked)
        came = self._answers.given(path)
        if loaded(self._answers.row(path)["input"]) != asked:
            raise Untold("it compares by other keys than was recorded")
        return came

    def _call(self, step: Step, action: Call, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        connection = str(action.connection(scope))
        given = call_input(self._bundle, action, scope)
        here.made.append(self._made("input", action.shape, given))
        here.asked = self._answers.asked(connection, action.operation, given)
        answer, came_in = self._answers.call(path, here.asked, mapped=action.into is not None)
        if not here.asked.writes:
            # As in the engine: what came is read in the version that this flow was written for.
            declared = here.asked.declared
            answer = answer_of(self._bundle, self._flow, step, answer, given=came_in, declared=declared)
        value = call_output(self._bundle, action, answer, scope)
        if action.into is not None:
            here.made.append(self._made("output", action.into, value))
        return value

    def _decided(self, name: str, scope: dict[str, Any], path: str, record: Any = None) -> Decision:
        """Ask a policy; what it sees of the time is when it was asked back then."""
        policy = self._bundle.policies[name]
        if policy.kind.scope is None:
            return decide(policy, scope)
        run = {"environment": scope["event"]["environment"]}
        asked = work_scope(run, self._flow, scope, self._answers.asked_at(path, scope))
        return decide(policy, asked if record is None else {**asked, "input": record})

    def _approve(self, action: Approve, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        """Nobody is asked: what the policy asks for nobody about is approved, and of anything else what people said."""
        record = action.of(scope) if action.of is not None else scope["record"]
        decision = self._decided(action.policy, scope, path, record)
        here.rule = decision.rule
        if not demand_of(decision, self._answers.asked_at(path, scope)).needed:
            return {"approved": True, "by": [], "hash": hash_of(record)}
        here.asked = Asked(target=("people", action.policy), question=record)
        said = self._answers.given(path)
        if said["hash"] != hash_of(record):
            raise Untold("people were asked about something else than was recorded")
        if not said["by"]:
            raise Untold("nobody was asked")
        return said

    def _wait(self, action: Wait, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        if action.event is None:
            row = self._answers.row(path) if action.until is None else None
            began = _END_OF_TIME if row is None else of_micros(row["started_at"])
            return for_time(action, scope, began=began, now=_END_OF_TIME).value
        assert action.subject is not None
        question = {"type": action.event, "subject": action.subject(scope)}
        here.asked = Asked(target=("event",), question=question)
        came = self._answers.given(path)
        asked = loaded(self._answers.row(path)["input"]) or {}
        if {name: asked.get(name) for name in question} != question:
            raise Untold("it waits for another event than was recorded")
        return came

    def _emit(self, action: Emit, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        here.made.append(self._made("event", action.shape, self._handed_over(action, scope)))
        recorded = self._answers.recorded
        name = told_name(
            scope["event"]["environment"],
            self._flow.name,
            str(self._flow.business_key(scope)),
            path,
            generation=0 if recorded is None else recorded.run["generation"],
        )
        return {"id": name}

    def _subflow(self, action: Subflow, scope: dict[str, Any], path: str, here: StepTrace) -> Any:
        record = self._handed_over(action, scope)
        here.made.append(self._made("input", action.shape, record))
        here.asked = Asked(target=("flow", action.flow), question=record)
        if action.flow in self._changed:
            raise Untold(f"the flow {action.flow} that it runs has changed")
        return self._answers.given(path)

    def _handed_over(self, action: Emit | Subflow, scope: dict[str, Any]) -> Any:
        if action.shape is None:
            return action.of(scope) if action.of is not None else scope["record"]
        source = source_of(self._bundle, action.of, action.shape, scope)
        return shaped(self._bundle, action.shape, source, action.given, scope)

    def _made(self, role: str, mapping: str | None, value: Any) -> Made:
        schema = self._bundle.mappings[mapping].target if mapping is not None else None
        return Made(role=role, schema=schema, value=value)
