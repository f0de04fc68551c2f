"""One run: its steps in order, from where the last worker left off, to the next state of the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import structlog

from hub.engine import walk
from hub.engine.approvals import Approvals
from hub.engine.compensation import Compensation, TakenBack, given
from hub.engine.earlier import Earlier
from hub.engine.effects import Effects
from hub.engine.endings import Endings, Told, path_of, scope_at
from hub.engine.journal import Journal, code
from hub.engine.lanes import Known, Lane, Row, Stopped
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.routing import stored_scope
from hub.engine.steps import Steps
from hub.engine.values import Scope
from hub.engine.verdicts import Circumstances, Park, Pause, TakeBack, Waiting, decide
from hub.engine.walk import Walk
from hub.errors import Fatal, HubDefect, HubError, NotDurable, NotUnderstood, ProcessDied, StaleLease, ToldToStop
from hub.model.flow import Flow, OnFailure, Step
from hub.model.run import COMPENSATION_FAILED, WENT_ON, RunState, StepState, Stopping, WaitKind
from hub.store import stopping as told_to_stop
from hub.store.claims import ClaimedRun
from hub.store.committer import Transaction, Work
from hub.store.deaths import MOST_DEATHS
from hub.store.runs import hand_back_one
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)


class Runner:
    """Goes through one claimed run."""

    effects: type[Effects] = Effects
    steps: type[Steps] = Steps

    def __init__(self, parts: Parts, claimed: ClaimedRun) -> None:
        """Prepare; nothing is recorded yet."""
        self._parts = parts
        self._claimed = claimed
        self._run = claimed.run
        self._approvals = Approvals(parts, claimed)
        self._earlier = Earlier(parts, claimed)
        self._lane = self._new_lane("", None, {}, _known(claimed))
        self._journal = self._lane.journal
        self._endings = Endings(parts, claimed, self._journal)
        self._bundle: Bundle | None = None
        self._flow: Flow | None = None
        self._turned_at: str | None = None

    async def run(self) -> None:
        """Go on until the run ends, waits, or parks; whatever happens is recorded."""
        try:
            try:
                await self._go_on()
            except ToldToStop as told:
                await self._end_as(told)
        except StaleLease:
            log.info("run.taken_over", run=self._run["id"])
        except NotUnderstood as error:
            log.warning("run.left_to_others", run=self._run["id"], reason=str(error))
            await self._give_back()
        except NotDurable as error:
            await self._hand_back(error)

    async def _hand_back(self, error: NotDurable) -> None:
        """Record what is known, once that can be done again, and give the run back: where it stands cannot be read."""
        log.warning("run.unread", run=self._run["id"], reason=str(error))
        with contextlib.suppress(StaleLease, ToldToStop):
            await self._journal.flush()
        await self._give_back()

    async def _give_back(self) -> None:
        mine = {"run_id": self._run["id"], "epoch": self._run["epoch"], "actor": self._parts.worker}
        await self._parts.committer.commit(Work(partial(hand_back_one, **mine), patient=True))

    async def _end_as(self, told: ToldToStop) -> None:
        how = Stopping(str(told.facts["stopping"]))
        if how is Stopping.COMPENSATE and self._run["state"] != RunState.COMPENSATING:
            await self._commit(
                partial(told_to_stop.begin_to_take_back, run_id=self._run["id"], epoch=self._run["epoch"])
            )
        try:
            await self._wind_up(how)
        except ToldToStop as otherwise:
            # While it ended, a person ordered that what it did is taken back; nobody can order the opposite.
            await self._end_as(otherwise)

    async def _go_on(self) -> None:
        try:
            if self._run["deaths"] > MOST_DEATHS:
                # Already what tells whose books it concerns may be what ends the process.
                raise ProcessDied(processes=self._run["deaths"])
            bundle = self._bundle = await self._parts.bundle(self._run["bundle"])
            flow = self._flow = bundle.flows[self._run["flow"]]
            self._lane.scope.update(stored_scope(self._claimed.event))
            if self._run["deaths"] == MOST_DEATHS:
                raise ProcessDied(processes=MOST_DEATHS)
            if self._run["stopping"] is not None:
                raise ToldToStop(run=self._run["id"], stopping=self._run["stopping"])
            going = Walk(
                self._parts,
                self._claimed,
                bundle,
                flow,
                new_lane=self._new_lane,
                recorded=self.recorded,
                expect=self._expect,
                pause=self._endings.pause,
                take_back=self._take_back_lane,
            )
            await going.through(self._lane, flow.steps)
            output = None if flow.output is None else flow.output(self._lane.scope)
            if self._earlier.differs:
                await self._journal.flush()
                self._earlier.assert_met()
        except (StaleLease, Fatal, NotDurable, NotUnderstood, ToldToStop):
            raise
        except Stopped as stopped:
            await self._stop(stopped)
        except ProcessDied as error:
            await self._endings.park(self._told(self._reached()), error.code, error)
        except HubError as error:
            await self._endings.park(self._told(), error.code, error)
        except Exception as error:  # a defect of the hub must not lose the run or stop the others
            log.exception("run.defect", run=self._run["id"])
            await self._endings.park(self._told(), "internal-error", _defect(error))
        else:
            await self._endings.succeed(self._told(), output)

    def _reached(self) -> str:
        """Give the step that the run was at: the first that has left nothing behind."""
        steps = () if self._flow is None else self._flow.steps
        return next((step.id for step in steps if step.id not in self._lane.known.steps), "start")

    async def _stop(self, stopped: Stopped) -> None:
        told = self._told(path_of(stopped), scope_at(stopped))
        match stopped.verdict:
            case Waiting() as waiting:
                failed = [(self._told(path_of(each), scope_at(each)), each) for each in stopped.beside]
                await self._endings.wait(told, waiting, failed)
            case Park(reason=reason):
                beside = [path_of(each) for each in stopped.beside]
                await self._endings.park(told, reason, stopped.error, beside=beside)
            case TakeBack(reason=reason):
                await self._journal.flush()
                turning = partial(told_to_stop.turn_back, reason=code(reason), actor=self._parts.worker)
                await self._commit(partial(turning, run_id=self._run["id"], epoch=self._run["epoch"]))
                self._turned_at = told.path
                await self._wind_up(Stopping.COMPENSATE, reason)

    async def _commit(self, work: Callable[[Transaction], None]) -> None:
        await self._parts.committer.commit(Work(work, patient=True))

    async def _wind_up(self, stopping: Stopping, reason: str | None = None) -> None:
        """Do what a run does that was told to stop: find out what is unknown, then end, or take back what was done."""
        self._journal.wind_up(stopping)
        self._remember()
        if self._bundle is None or self._flow is None:
            lost = HubDefect("The run was told to stop, and its flow cannot be read.", code="internal-error")
            await self._endings.park(self._told(self._failed_at()), lost.code, lost)
            return
        work = Compensation(self._parts, self._claimed, self._bundle, self._flow, self._lane)
        why = reason or self._reason()
        try:
            await work.find_out()
            if stopping is Stopping.CANCEL:
                await work.end_children()
                await self._endings.cancelled(self._told(self._failed_at()))
                return
            taken = await work.take_back()
        except (StaleLease, Fatal, NotDurable, ToldToStop):
            raise
        except HubError as error:
            await self._not_yet(error, COMPENSATION_FAILED if stopping is Stopping.COMPENSATE else error.code, work.at)
        except Exception as error:  # a defect of the hub must not lose the run or stop the others
            log.exception("run.defect", run=self._run["id"])
            await self._endings.park(self._told(self._failed_at()), COMPENSATION_FAILED, _defect(error))
        else:
            await self._endings.compensated(self._told(self._failed_at()), why, taken)

    def _remember(self) -> None:
        """See again what the run has done, as far as people are told of it: its money, and whose books it concerns."""
        if self._flow is not None:
            for name, value in given(self._flow.steps, "", self._lane.known.steps).items():
                self._lane.scope.setdefault(name, value)

    def _failed_at(self) -> str:
        """Give the step for whose failure the run takes back what it did."""
        if self._turned_at is not None:
            return self._turned_at
        rows = self._lane.known.steps.items()
        return next(
            (path for path, row in rows if row["state"] == StepState.FAILED and row["rule"] != WENT_ON), "start"
        )

    async def _take_back_lane(self, lane: Lane) -> TakenBack | tuple[Waiting | Park, HubError]:
        """Take back what one item of a loop did, and give that, or what keeps it from that for now."""
        assert self._bundle is not None
        assert self._flow is not None
        work = Compensation(self._parts, self._claimed, self._bundle, self._flow, lane)
        try:
            return await work.take_back(within=lane.prefix.removesuffix("."))
        except (StaleLease, Fatal, ToldToStop):
            raise
        except HubError as error:
            return await self._verdict(error, lane, COMPENSATION_FAILED, work.at), error

    async def _not_yet(self, error: HubError, reason: str, at: str | None) -> None:
        """Wait for what keeps the run from winding up, or stop for a person."""
        verdict = await self._verdict(error, self._lane, reason, at)
        if isinstance(verdict, Waiting):
            await self._endings.wait(self._told(), verdict)
        else:
            await self._endings.park(self._told(), verdict.reason, error)

    async def _verdict(self, error: HubError, lane: Lane, reason: str, at: str | None) -> Waiting | Park:
        assert self._bundle is not None
        verdict = decide(
            error,
            Circumstances(
                step=None,
                on_failure=OnFailure.PARK,
                connection=lane.steps.connection,
                policy=self._bundle.retry(None),
                attempt=1 if at is None else max(lane.steps.effects.attempts(at), 1),
                draw=self._parts.ambient.random.random(),
                now=self._parts.ambient.now(),
            ),
        )
        if isinstance(verdict, Pause):
            awaited = await self._endings.pause(verdict.connection, error)
            return Waiting(kind=WaitKind.CONNECTION, reason=error.code, waits=(awaited,))
        return verdict if isinstance(verdict, Waiting) else Park(reason=reason)

    def _reason(self) -> str:
        order = told_to_stop.order_of(self._parts.database.looking, self._run["id"])
        return str(order.get("reason") or self._run["reason"] or "ordered")

    def recorded(self, lane: Lane, path: str) -> Row | None:
        """Give a step that is done, by an earlier worker or before a replay."""
        return walk.recorded(lane, path)

    def _expect(self, step: Step, scope: Scope, output: Output) -> None:
        walk.expect(step, scope, output)

    def _told(self, path: str = "start", scope: Scope | None = None) -> Told:
        return Told(bundle=self._bundle, flow=self._flow, path=path, scope=self._lane.scope if scope is None else scope)

    def _new_lane(self, prefix: str, ordinal: int | None, scope: Scope, known: Known) -> Lane:
        run = self._run
        journal = Journal(self._parts.committer, run_id=run["id"], epoch=run["epoch"], worker=self._parts.worker)
        steps = self.steps(self._parts, self._claimed, journal, self.effects, self._approvals, self._earlier)
        steps.know(steps=known.steps, effects=known.effects, attempts=known.attempts, limited=known.limited)
        return Lane(prefix=prefix, scope=scope, journal=journal, steps=steps, known=known, ordinal=ordinal)


def _known(claimed: ClaimedRun) -> Known:
    return Known(steps=claimed.steps, effects=claimed.effects, attempts=claimed.attempts, limited=claimed.limited)


def _defect(error: Exception) -> HubDefect:
    return HubDefect(code="internal-error", reason=f"{type(error).__name__}: {error}"[:300])
