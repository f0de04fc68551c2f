"""Going through a flow's steps, lane by lane, from where the last worker left off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog

from hub.audit.kinds import AuditKind
from hub.engine import verdicts
from hub.engine.checks import check
from hub.engine.lanes import Lane, NewLane, Place, Row, Stopped
from hub.engine.loops import Loop, TakeItBack
from hub.engine.many import Many
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.values import Scope
from hub.engine.verdicts import Circumstances, GoOn, Park, Pause, TakeBack, Waiting
from hub.errors import (
    ApprovalPending,
    Fatal,
    FixData,
    HubDefect,
    HubError,
    NotApproved,
    PossibleDuplicate,
    StaleLease,
    StandsAlready,
    ToldToStop,
)
from hub.model.flow import Approve, Arm, Branch, Call, Flow, Foreach, Parallel, Step
from hub.model.flow_steps import steps_within
from hub.model.run import LEFT_OUT, WENT_ON, StepState, WaitKind
from hub.sdk import exact_json
from hub.store import resuming
from hub.store.claims import ClaimedRun
from hub.store.history import Awaited
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: Pauses a connection because of an error, and gives what its runs wait for then.
PauseConnection = Callable[[str, HubError], Awaitable[Awaited]]


class Walk:
    """The way of one run through its flow."""

    def __init__(
        self,
        parts: Parts,
        claimed: ClaimedRun,
        bundle: Bundle,
        flow: Flow,
        *,
        new_lane: NewLane,
        recorded: Callable[[Lane, str], Row | None],
        expect: Callable[[Step, Scope, Output], None],
        pause: PauseConnection,
        take_back: TakeItBack,
    ) -> None:
        """Take the collaborators.

        `recorded` gives a finished step, `expect` checks one, `pause` stops a connection, and `take_back` takes back
        what one item of a loop did.
        """
        self._parts = parts
        self._claimed = claimed
        self._bundle = bundle
        self._flow = flow
        self._new_lane = new_lane
        self._recorded = recorded
        self._check = expect
        self._pause = pause
        self._take_back = take_back

    async def through(self, lane: Lane, steps: Sequence[Step]) -> None:
        """Go through steps in order; raises `Stopped` where the lane cannot go on for now."""
        for number, step in enumerate(steps):
            await self.step(lane, step, number if lane.ordinal is None else lane.ordinal)

    async def step(self, lane: Lane, step: Step, ordinal: int) -> None:
        """Do one step, unless it is done, and record how it stands."""
        path = lane.path(step)
        before = self._recorded(lane, path)
        if before is not None:
            lane.scope[step.id] = self._restored(lane, step, before)
            return
        place = Place(lane=lane, step=step, ordinal=ordinal, path=path, started=self._parts.ambient.now())
        try:
            output = await self._done(place)
        except (StaleLease, Fatal, ToldToStop):
            raise
        except Stopped as stopped:
            await self._stop(place, stopped.error, stopped)
        except HubError as error:
            await self._stop(place, error)
        except Exception as error:  # a defect of the hub must not lose the run or stop the others
            log.exception("run.defect", run=self._claimed.run["id"])
            reason = f"{type(error).__name__}: {error}"[:300]
            await self._stop(place, HubDefect(code="internal-error", reason=reason))
        else:
            lane.scope[step.id] = output.value
            record(place, output, state=StepState.SUCCEEDED, now=self._parts.ambient.now())

    async def _done(self, place: Place) -> Output:
        step, scope = place.step, place.lane.scope
        if step.when is not None and not step.when(scope):
            place.lane.steps.earlier.assert_none_inside(place.path)
            return Output(value=None, rule=LEFT_OUT)
        match step.action:
            case Branch() as action:
                output = await self._branch(place, action)
            case Parallel() as action:
                output = await self._parallel(place, action)
            case Foreach() as action:
                loop = Loop(
                    self._parts,
                    self._claimed,
                    walk=self.through,
                    new_lane=self._new_lane,
                    take_back=self._take_back,
                )
                output = await loop.run(place, action)
            case Call(each=each) as action if each is not None:
                many = Many(self._parts, self._claimed, self._bundle, new_lane=self._new_lane)
                output = await many.run(place, action, each)
            case _:
                output = await place.lane.steps.act(self._bundle, step, place.path, scope)
        place.output = output
        if step.expect is not None:
            self._expect(place, output)
        return output

    def _expect(self, place: Place, output: Output) -> None:
        try:
            self._check(place.step, place.lane.scope, output)
        except FixData as error:
            facts = {"step": place.path, "reason": error.code}
            place.lane.journal.note(AuditKind.CHECK_FAILED, facts=facts)
            raise

    # --- steps that have steps of their own ---

    async def _branch(self, place: Place, action: Branch) -> Output:
        arm = _taken(action, place.lane.scope)
        taken = () if arm is None else {step.id for step in arm.steps}
        place.lane.steps.earlier.assert_none_beside(place.path, taken)
        if arm is None:
            return Output(value={"taken": None})
        inner = place.lane.within(f"{place.path}.", place.ordinal)
        await self.through(inner, arm.steps)
        value = {"taken": arm.name, **{step.id: inner.scope[step.id] for step in arm.steps}}
        return Output(value=value, rule=arm.name)

    async def _parallel(self, place: Place, action: Parallel) -> Output:
        done: dict[str, asyncio.Task[Any]] = {}

        async def go(step: Step) -> Any:
            needed = {}
            for name in step.needs:
                # Whoever needs what has stopped does not begin; it raises the same end.
                needed[name] = await asyncio.shield(done[name])
            lane = self._new_lane(f"{place.path}.", place.ordinal, {**place.lane.scope, **needed}, place.lane.known)
            try:
                await self.step(lane, step, place.ordinal)
            finally:
                await lane.journal.flush()
            return lane.scope[step.id]

        # What led here is durable before a step beside another begins to write.
        await place.lane.journal.flush()
        for step in action.steps:
            done[step.id] = asyncio.ensure_future(go(step))
        ends = await asyncio.gather(*done.values(), return_exceptions=True)
        failed = [end for end in ends if isinstance(end, BaseException)]
        if failed:
            raise joined(failed)
        return Output(value=dict(zip(done, ends, strict=True)))

    def _restored(self, lane: Lane, step: Step, row: Row) -> Any:
        """Give what a finished step gave; one that has steps of its own is put together from theirs."""
        if row["rule"] == LEFT_OUT:
            return None
        if row["state"] == StepState.FAILED:
            self._remember_approvals(lane, step)
            return None
        match step.action:
            case Branch() as action:
                # The way that was taken stands, whatever another revision's conditions say.
                arm = next((arm for arm in action.arms if arm.name == row["rule"]), None)
                if arm is None:
                    return {"taken": None}
                return {"taken": arm.name, **self._inner(lane, f"{lane.path(step)}.", arm.steps)}
            case Parallel() as action:
                return self._inner(lane, f"{lane.path(step)}.", action.steps)
            case Approve() as action:
                given = exact_json.loads(row["output"])
                lane.steps.approvals.passed(self._bundle, action, lane.path(step), lane.scope, given)
                return given
            case _:
                return None if row["output"] is None else exact_json.loads(row["output"])

    def _inner(self, lane: Lane, prefix: str, steps: Sequence[Step]) -> Mapping[str, Any]:
        inner = lane.within(prefix, 0)
        found: dict[str, Any] = {}
        for step in steps:
            row = self._recorded(inner, inner.path(step))
            found[step.id] = inner.scope[step.id] = None if row is None else self._restored(inner, step, row)
        return found

    def _remember_approvals(self, lane: Lane, step: Step) -> None:
        """Take note of what was approved inside a step that was gone past: it stands before the writes after it too."""
        # Which arm was taken is not recorded of a branch that failed; no two arms have steps of one id.
        inner = lane.within(f"{lane.path(step)}.", 0)
        for within in () if isinstance(step.action, Foreach) else steps_within(step):
            row = self._recorded(inner, inner.path(within))
            inner.scope[within.id] = None if row is None else self._restored(inner, within, row)
            if row is None:
                self._remember_approvals(inner, within)

    # --- ends ---

    async def _stop(self, place: Place, error: HubError, inner: Stopped | None = None) -> None:
        """Record what follows from an error in a step; raises `Stopped` unless the lane goes on without it."""
        around = self._here(place)
        unapproved = inner.unapproved if inner is not None else _asks(place, error)
        # Nothing goes on past what was not approved.
        here = verdicts.not_past(around) if unapproved else around
        verdict: verdicts.Verdict
        if inner is None:
            verdict = verdicts.decide(error, here)
        elif isinstance(inner.verdict, Waiting):
            verdict = verdicts.in_time(inner.verdict, here)
        elif isinstance(inner.error, StandsAlready):
            verdict = inner.verdict
        else:
            # What is inside has the first word; the step around it says what else follows, if it says anything.
            verdict = inner.verdict if place.step.on_failure is None else verdicts.failure(inner.verdict.reason, here)
        if isinstance(verdict, Pause):
            awaited = await self._pause(verdict.connection, error)
            verdict = Waiting(kind=WaitKind.CONNECTION, reason=error.code, waits=(awaited,))
        if isinstance(verdict, GoOn) and (left := await self._unsettled(place)) is not None:
            verdict = Park(reason=left)
        place.lane.steps.connection = None
        self._fail(place, error, verdict)
        if isinstance(verdict, GoOn):
            place.lane.scope[place.step.id] = None
            return
        where = place if inner is None or inner.place is None else inner.place
        beside: Sequence[Stopped] = ()
        if inner is not None:
            # What is still asked for may be given.
            refused = not isinstance(inner.verdict, Waiting) or any(each.unapproved for each in inner.beside)
            beside = parking(place, inner.beside, here if refused else around)
        raise Stopped(verdict, where, error, beside=beside, unapproved=unapproved)

    async def _unsettled(self, place: Place) -> str | None:
        """Give why nothing goes on past a step, although the flow says so: for what it left half done."""
        await place.lane.journal.flush()
        with self._parts.database.reading() as connection:
            return resuming.unsettled(connection, self._claimed.run, place.path)

    def _here(self, place: Place) -> Circumstances:
        step, steps = place.step, place.lane.steps
        return Circumstances(
            step=step,
            on_failure=step.on_failure or self._flow.on_failure,
            connection=steps.connection,
            policy=self._bundle.retry(step.retry),
            attempt=max(steps.effects.attempts(place.path), 1),
            draw=self._parts.ambient.random.random(),
            now=self._parts.ambient.now(),
            deadline=place.began + step.timeout if step.timeout is not None else None,
        )

    def _fail(self, place: Place, error: HubError, verdict: Waiting | Park | GoOn | TakeBack) -> None:
        output = place.output or Output(value=None)
        rule = WENT_ON if isinstance(verdict, GoOn) else output.rule
        state = StepState.WAITING if isinstance(verdict, Waiting) else StepState.FAILED
        said = told(error)
        if not isinstance(verdict, Waiting) and verdict.reason == verdicts.STEP_TIMEOUT:
            said |= {"code": verdict.reason, "detail": f"It took longer than the step may. {error.detail}"}
        record(place, output, state=state, now=self._parts.ambient.now(), rule=rule, error=said)


def recorded(lane: Lane, path: str) -> Row | None:
    """Give a step that is done, by an earlier worker or before a replay: with success, or gone past."""
    row = lane.known.steps.get(path)
    if row is None:
        return None
    return row if row["state"] == StepState.SUCCEEDED or row["rule"] == WENT_ON else None


def expect(step: Step, scope: Scope, output: Output) -> None:
    """Raise `FixData` unless what the step gave is as the flow expects."""
    assert step.expect is not None
    check(step.expect, {**scope, step.id: output.value}, output.value)


def record(
    place: Place,
    output: Output,
    *,
    state: StepState,
    now: datetime,
    rule: str | None = None,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Write down how a step stands; what its inner steps gave is recorded with them."""
    own = not isinstance(place.step.action, Branch | Parallel)
    # A step that waits keeps the time it began, because its deadline counts from there.
    place.lane.journal.step(
        path=place.path,
        ordinal=place.ordinal,
        kind=place.kind,
        state=state,
        started=place.started if error is None else place.began,
        finished=now,
        input=output.input,
        output=output.value if own else None,
        answer=output.answer,
        schema=output.schema,
        rule=rule if rule is not None else output.rule,
        error=error,
    )


def told(error: HubError) -> dict[str, Any]:
    """Give an error as it stands in the history."""
    return {
        "code": error.code,
        "detail": error.detail,
        "facts": {name: str(fact) for name, fact in error.facts.items()},
    }


def joined(ends: Sequence[BaseException]) -> BaseException:
    """Give the one end of several lanes: as long as one of them can still go on, the run waits for that.

    What is to be taken back is so at once, because the others would only do more of it.
    """
    for end in ends:
        if not isinstance(end, Stopped):
            return end
    stops = [end for end in ends if isinstance(end, Stopped)]
    unapproved = any(stop.unapproved for stop in stops)
    for stop in stops:
        if isinstance(stop.verdict, TakeBack):
            return Stopped(stop.verdict, stop.place, stop.error, unapproved=unapproved)
    beside = [other for stop in stops for other in stop.beside]
    # What was refused is told before what the flow might have gone past.
    parked = sorted((stop for stop in stops if isinstance(stop.verdict, Park)), key=lambda stop: not stop.unapproved)
    waiting = [stop for stop in stops if isinstance(stop.verdict, Waiting)]
    if waiting:
        verdict = verdicts.together([stop.verdict for stop in waiting if isinstance(stop.verdict, Waiting)])
        first, beside = waiting[0], [*parked, *beside]
        return Stopped(verdict, first.place, first.error, beside=beside, unapproved=unapproved)
    # What nothing may go past counts before what a flow may leave out.
    parked.sort(key=lambda stop: not isinstance(stop.error, StandsAlready))
    first, beside = parked[0], [*parked[1:], *beside]
    return Stopped(first.verdict, first.place, first.error, beside=beside, unapproved=unapproved)


def parking(place: Place, failed: Sequence[Stopped], here: Circumstances) -> list[Stopped]:
    """Give what has failed inside a step, as far as the run will stop for a person because of it."""
    found = []
    for stop in failed:
        verdict: verdicts.Verdict = stop.verdict
        if stop.place is place or place.step.on_failure is not None:
            assert isinstance(stop.verdict, Park)
            verdict = verdicts.failure(stop.verdict.reason, here)
        if isinstance(verdict, Park):
            found.append(Stopped(verdict, stop.place, stop.error, unapproved=stop.unapproved))
    return found


def _asks(place: Place, error: HubError) -> bool:
    """Tell whether a step has stopped because a person has not said yes: to what it does, or to what it is about."""
    asked = isinstance(error, ApprovalPending | NotApproved | PossibleDuplicate)
    return asked or isinstance(place.step.action, Approve)


def _taken(action: Branch, scope: Scope) -> Arm | None:
    return next((arm for arm in action.arms if arm.when is None or arm.when(scope)), None)
