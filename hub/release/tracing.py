"""Going through a flow on recorded values: lane by lane, as the engine does, with nothing sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from hub.engine.checks import check
from hub.engine.loops import item_name
from hub.engine.readings import answer_of
from hub.engine.tally import MOST_RESULTS
from hub.engine.values import call_output, item_input
from hub.errors import FixData, HubError, NotMapped
from hub.model.flow import Branch, Call, Failures, Flow, Foreach, OnFailure, Parallel, Step
from hub.model.flow_steps import step_at
from hub.release.answers import Answers, Failure, Operations, Recorded, Untold
from hub.release.single_steps import SingleSteps
from hub.release.trace import END, Made, Status, StepTrace, Trace
from hub.store.recorded import RecordedRun
from hub.workspace.bundle import Bundle

Scope = dict[str, Any]


class _Stop(Exception):
    """A lane does not go on: `here` tells how it ended."""

    def __init__(self, here: StepTrace) -> None:
        super().__init__(here.path)
        self.here = here


def trace(
    bundle: Bundle,
    flow: Flow,
    scope: Mapping[str, Any],
    recorded: RecordedRun | None,
    operations: Operations,
    changed: Collection[str] = (),
) -> Trace:
    """Compute a run again; a step whose check does not hold is noted, and the trace goes on.

    `changed` are flows of which it is not known what they give by this version.
    """
    made = Trace(flow=flow, bundle=bundle, scope=dict(scope), changed=changed)
    with suppress(_Stop):
        _Tracing(made, Answers(recorded, operations)).lane(flow.steps, made.scope, "")
    return made


class _Tracing:
    """One run by one version."""

    def __init__(self, made: Trace, answers: Answers) -> None:
        self._made = made
        self._answers = answers
        self._single = SingleSteps(made, answers)

    def lane(self, steps: Sequence[Step], scope: Scope, around: str) -> None:
        """Go through steps in order; raises `_Stop` where they end, or cannot be told any more."""
        for step in steps:
            scope[step.id] = self._step(step, scope, around + step.id)

    def _step(self, step: Step, scope: Scope, path: str) -> Any:
        here = self._made.steps[path] = StepTrace(path=path)
        composed = isinstance(step.action, Branch | Parallel | Foreach) or (
            isinstance(step.action, Call) and step.action.each is not None
        )
        try:
            if step.when is not None and not step.when(scope):
                here.status, here.rule = Status.SKIPPED, "skipped"
                return None
            value = self._act(step, scope, path, here)
            met = self._expect(step, scope, value, here if not composed else None, path)
        except _Stop as stop:
            return self._stopped(step, path, stop)
        except Exception as error:  # noqa: BLE001 - as in the engine, a defect met by one run stops no other
            # How a step ends that has others within it stands behind these.
            last = self._end(path) if composed else here
            _ended(last, error, step)
            return self._stopped(step, path, _Stop(last))
        return value if met or step.on_failure is not OnFailure.CONTINUE else None

    def _stopped(self, step: Step, path: str, stop: _Stop) -> Any:
        """Go on without a step that may fail; otherwise it ends what is around it too."""
        if step.on_failure is OnFailure.CONTINUE and stop.here.status is Status.FAILED:
            stop.here.ends = path
            return None
        raise stop

    def _end(self, path: str) -> StepTrace:
        end = self._made.steps[path + END] = StepTrace(path=path)
        return end

    def _expect(self, step: Step, scope: Scope, value: Any, here: StepTrace | None, path: str) -> bool:
        """Note a check that does not hold; how a step with others inside it ends stands behind these."""
        if step.expect is None:
            return True
        try:
            check(step.expect, {**scope, step.id: value}, value)
        except FixData as error:
            last = here or self._end(path)
            last.unmet = Failure(code=_reason(error, step), detail=str(error))
            last.ends = path if step.on_failure is OnFailure.CONTINUE else ""
            return False
        return True

    def _act(self, step: Step, scope: Scope, path: str, here: StepTrace) -> Any:
        match step.action:
            case Branch() as action:
                return self._branch(action, scope, path, here)
            case Parallel() as action:
                return self._parallel(action, scope, path)
            case Foreach() as action:
                return self._loop(step, action, scope, path)
            case Call() as action if action.each is not None:
                return self._many(step, action, scope, path)
            case _:
                return self._single.act(step, scope, path, here)

    def _branch(self, action: Branch, scope: Scope, path: str, here: StepTrace) -> Any:
        arm = next((arm for arm in action.arms if arm.when is None or arm.when(scope)), None)
        here.rule = "none" if arm is None else arm.name
        if arm is None:
            return {"taken": None}
        inner = dict(scope)
        self.lane(arm.steps, inner, f"{path}.")
        return {"taken": arm.name, **{step.id: inner[step.id] for step in arm.steps}}

    def _parallel(self, action: Parallel, scope: Scope, path: str) -> Any:
        done: Scope = {}
        left = list(action.steps)
        while left:
            step = next(each for each in left if done.keys() >= set(each.needs))
            left.remove(step)
            inner = {**scope, **{name: done[name] for name in step.needs}}
            self.lane((step,), inner, f"{path}.")
            done[step.id] = inner[step.id]
        return done

    def _loop(self, step: Step, action: Foreach, scope: Scope, path: str) -> Any:
        items, names = _list(action.each(scope)), set[str]()
        ends: list[StepTrace] = []
        collected: list[Any] = []
        for number, item in enumerate(items):
            own = f"{path}[{item_name(action, scope, number, item, names)}]"
            inner = {**scope, action.name: item}
            try:
                self.lane(action.steps, inner, f"{own}.")
                if action.collect is not None:
                    collected.append(action.collect(inner))
            except _Stop as stop:
                self._item_stopped(stop, own)
                ends.append(stop.here)
            except FixData as error:
                here = self._made.steps[own] = StepTrace(path=own, ends=own)
                _ended(here, error, step)
                ends.append(here)
        failed = self._ended_items(ends, action.failures, len(items))
        value: Scope = {"count": len(items), "succeeded": len(items) - failed, "failed": failed}
        return value if action.collect is None else {**value, "collected": collected}

    def _item_stopped(self, stop: _Stop, own: str) -> None:
        """Let an item end by itself; what is to be taken back ends the run."""
        here = stop.here
        if here.status is Status.FAILED and self._takes_back(here.path):
            raise stop
        here.ends = own

    def _takes_back(self, path: str) -> bool:
        step = step_at(self._made.flow.steps, path)
        said = step.on_failure if step is not None else None
        return (said or self._made.flow.on_failure) is OnFailure.COMPENSATE

    def _many(self, step: Step, action: Call, scope: Scope, path: str) -> Any:
        assert action.each is not None
        items, names = _list(action.each(scope)), set[str]()
        ends: list[StepTrace] = []
        results: Scope = {}
        failures: list[dict[str, str]] = []
        connection = str(action.connection(scope))
        for number, item in enumerate(items):
            name = str(number if action.item is None else action.item(item))
            if name in names:
                raise FixData("Two items have the same name.", code="same-item-name", name=name)
            names.add(name)
            own = f"{path}[{name}]"
            here = self._made.steps[own] = StepTrace(path=own, ends=own)
            try:
                output = self._one_of_many(step, action, scope, connection, item, here)
            except Exception as error:  # noqa: BLE001 - as in the engine, one item stops no other
                _ended(here, error, step)
                ends.append(here)
                if here.failure is not None:
                    failures.append({"item": name, "code": here.failure.code, "detail": here.failure.detail[:300]})
                continue
            if len(results) < MOST_RESULTS:
                results[name] = output
        failed = self._ended_items(ends, action.failures, len(items))
        counts = {"count": len(items), "succeeded": len(items) - failed, "failed": failed}
        return {**counts, "results": results, "failures": failures[:100]}

    def _one_of_many(self, step: Step, action: Call, scope: Scope, connection: str, item: Any, here: StepTrace) -> Any:
        bundle = self._made.bundle
        given = item_input(bundle, action, item, scope)
        schema = bundle.mappings[action.shape].target if action.shape is not None else None
        here.made.append(Made(role="input", schema=schema, value=given))
        here.asked = self._answers.asked(connection, action.operation, given)
        answer, came_in = self._answers.call(here.path, here.asked, mapped=action.into is not None)
        if not here.asked.writes:
            declared = here.asked.declared
            answer = answer_of(bundle, self._made.flow, step, answer, given=came_in, declared=declared)
        value = call_output(bundle, action, answer, scope)
        if action.into is not None:
            here.made.append(Made(role="output", schema=bundle.mappings[action.into].target, value=value))
        return value

    @staticmethod
    def _ended_items(ends: Sequence[StepTrace], failures: Failures, count: int) -> int:
        """Count the items that failed; raises what follows for the run when some did, or cannot be told."""
        untold = [here for here in ends if here.status is Status.UNTOLD]
        if untold:
            raise Untold(f"of an item it cannot be told how it ends: {untold[0].why}")
        if ends and failures is Failures.PARK:
            codes = {here.failure.code for here in ends if here.failure is not None}
            code = codes.pop() if len(codes) == 1 else "items-failed"
            raise FixData(f"{len(ends)} of {count} items failed.", code=code)
        return len(ends)


def _ended(here: StepTrace, error: Exception, step: Step) -> None:
    """Note how a step ended: it failed, or cannot be told."""
    match error:
        case Untold():
            here.status, here.why = Status.UNTOLD, str(error)
        case Recorded():
            here.status, here.failure = Status.FAILED, error.failure
        case HubError():
            here.status, here.failure = Status.FAILED, Failure(code=_reason(error, step), detail=str(error))
        case _:
            here.status, here.failure = Status.FAILED, Failure(code="internal-error", detail=type(error).__name__)


def _reason(error: HubError, step: Step) -> str:
    """Give the reason of the case that the engine would open."""
    return step.missing.case if isinstance(error, NotMapped) and step.missing is not None else error.code


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise FixData("What is gone through is not a list.", code="not-a-list")
    return value
