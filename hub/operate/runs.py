"""Orders on runs: make one again, with an edited payload or as new effects; end it; have what it did taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from hub.errors import Conflict, FixData, HubError, NotFound
from hub.model.ambient import Ambient, to_micros
from hub.model.case import CaseFilter
from hub.model.changes import Change, changes
from hub.model.flow import Call
from hub.model.flow_steps import place_of, placed_steps, step_at
from hub.model.run import Priority, RunState
from hub.operate.edits import edited, record_of
from hub.operate.holds import said
from hub.store import cases, events, holds, replays, run_orders, runs
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.replays import Anew, Edit, Replay
from hub.workspace.bundle import Bundle

#: In what an order goes on with: between the last one it saw, and the moment of the first order (microseconds).
_UNTIL = "~"
#: How many runs one order replays; `next` of its answer goes on.
MOST_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where a replay begins: at the step, or where the run stopped (`failure`), or, without either, at its start."""

    step: str | None = None
    failure: bool = False


START = From()
FAILURE = From(failure=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedMany:
    """What became of many: how many were looked at, replayed, and left with the reason of each kind.

    `next` is what to go on with (`after`); None when all that fitted were looked at.
    """

    seen: int
    replayed: int
    left: Mapping[str, int]
    next: str | None


class RunOrders:
    """Carries out orders on the runs of one environment; `actor` is who gave it."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        current: Callable[[], Bundle],
        bundle: Callable[[str], Awaitable[Bundle]],
    ) -> None:
        """Take the collaborators; `bundle` gives any revision of the workspace by its id, `current` that of now."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._current = current
        self._bundle = bundle

    async def replay(
        self,
        run_id: str,
        *,
        actor: str,
        start: From = START,
        current: bool = False,
        reason: str = "",
        record: Any = None,
        confirmed: Collection[str] | None = None,
        priority: Priority | None = None,
    ) -> str:
        """Make a run again, in its place in the order; gives the new run's id.

        - With `current` it takes the workspace of now, else the run's own.
        - `record` takes the place of the event's record; the original stays as it is.
        - Effect keys stay the same, so that nothing is written twice, unless a person names in `confirmed` the writes
          that exist at the targets and are to be made once more. That and an edit need a reason. A workspace in
          which another step does what one has written is refused: it would not recognise that.
        """
        reason = said(reason) if record is not None or confirmed is not None else reason.strip()
        if current and confirmed is None:
            self._assert_recognised(run_id, self._current())
        edit = await self._edit(run_id, record, current=current) if record is not None else None
        order = Replay(
            new_id=self._ambient.new_id("run"),
            actor=actor,
            reason=reason,
            from_step=start.step,
            go_on=start.failure,
            bundle=self._current().id if current else None,
            edit=edit,
            anew=self._anew(run_id, confirmed) if confirmed is not None else None,
            priority=priority,
        )
        replayed: str = await self._committer.commit(Work(lambda tx: replays.replay(tx, run_id, order)))
        return replayed

    def record(self, run_id: str) -> Any:
        """Give what of a run's event can be edited."""
        return record_of(self._event(run_id))

    async def preview_edit(self, run_id: str, record: Any, *, current: bool = False) -> tuple[Change, ...]:
        """Tell what an edit would change; raises what would keep a replay with it from beginning."""
        await self._edit(run_id, record, current=current)
        return tuple(changes(record_of(self._event(run_id)), record))

    async def replay_case(
        self, case_id: str, *, actor: str, from_start: bool = False, current: bool = False, reason: str = ""
    ) -> str:
        """Replay the run of an exception from where it stopped, or from its start."""
        with self._database.reading() as connection:
            case = cases.find(connection, case_id)
        if case is None or case["environment"] != self._environment:
            raise NotFound("There is no such exception.", case=case_id)
        start = START if from_start or case["path"] == "start" else FAILURE
        return await self.replay(case["run_id"], actor=actor, start=start, current=current, reason=reason)

    async def replay_cases(
        self,
        wanted: CaseFilter,
        *,
        actor: str,
        from_start: bool = False,
        current: bool = False,
        reason: str = "",
        after: str | None = None,
        limit: int = MOST_AT_ONCE,
    ) -> ReplayedMany:
        """Replay the runs of open exceptions that fit, the oldest first and behind all other work.

        What comes up after the first of several such orders is none of theirs: what fails again is not tried for ever.
        """
        if wanted == CaseFilter():
            raise FixData("Say which exceptions: by fingerprint, reason, flow or step.", code="no-filter")
        last, _, end = (after or "").partition(_UNTIL)
        if end and not end.isdecimal():
            raise FixData("That is not what an earlier answer gave to go on with.", code="no-such-place")
        until = int(end) if end else to_micros(self._ambient.now())
        with self._database.reading() as connection:
            found = cases.matching(connection, self._environment, wanted, after=last, until=until, limit=limit + 1)
        some = found[:limit]
        results = await asyncio.gather(
            *(
                self.replay(
                    case["run_id"],
                    actor=actor,
                    start=START if from_start or case["path"] == "start" else FAILURE,
                    current=current,
                    reason=reason,
                    priority=Priority.LOW,
                )
                for case in some
            ),
            return_exceptions=True,
        )
        left: dict[str, int] = {}
        for result in results:
            if isinstance(result, HubError):
                # Somebody else was quicker with this one, or it cannot be replayed as it is.
                left[result.code] = left.get(result.code, 0) + 1
            elif isinstance(result, BaseException):
                raise result
        return ReplayedMany(
            seen=len(some),
            replayed=len(some) - sum(left.values()),
            left=left,
            next=f"{some[-1]['id']}{_UNTIL}{until}" if len(found) > limit else None,
        )

    async def cancel(self, run_id: str, *, actor: str, reason: str) -> RunState:
        """End a run; what it did stays done. Gives its state now: cancelled, or its own where it ends later."""
        why = said(reason)
        self._row(run_id)
        state: RunState = await self._committer.commit(
            Work(lambda tx: run_orders.cancel(tx, run_id, actor=actor, reason=why))
        )
        return state

    async def take_back(self, run_id: str, *, actor: str, reason: str) -> RunState:
        """Have what a run did taken back, the last write first, also of one that has succeeded."""
        why = said(reason)
        self._row(run_id)
        state: RunState = await self._committer.commit(
            Work(lambda tx: run_orders.take_back(tx, run_id, actor=actor, reason=why))
        )
        return state

    async def ask_again(self, run_id: str, *, actor: str) -> None:
        """Have a run that a policy holds ask it again now."""
        await self._committer.commit(Work(lambda tx: holds.ask_again_about(tx, run_id, actor=actor)))

    def _row(self, run_id: str) -> Mapping[str, Any]:
        with self._database.reading() as connection:
            row = runs.find(connection, run_id)
        if row is None or row["environment"] != self._environment:
            raise NotFound("There is no such run.", run=run_id)
        return row

    def _event(self, run_id: str) -> Mapping[str, Any]:
        row = self._row(run_id)
        with self._database.reading() as connection:
            event = events.find(connection, row["event_id"])
        if event is None:
            raise NotFound("The run's event is not there any more.", run=run_id)
        return event

    async def _edit(self, run_id: str, record: Any, *, current: bool) -> Edit:
        row = self._row(run_id)
        return edited(
            self._event(run_id),
            record,
            run=row,
            bundle=self._current() if current else await self._bundle(row["bundle"]),
            new_id=self._ambient.new_id("event"),
            now=to_micros(self._ambient.now()),
        )

    def _assert_recognised(self, run_id: str, bundle: Bundle) -> None:
        row = self._row(run_id)
        flow = bundle.flows.get(row["flow"])
        if flow is None:
            return
        with self._database.reading() as connection:
            written = [effect for effect in replays.written(connection, row) if not effect["called"]]
        gone = [effect for effect in written if step_at(flow.steps, effect["path"]) is None]
        places = {place_of(effect["path"]).removesuffix("[]") for effect in written}
        others = {
            step.action.operation: place
            for place, step in placed_steps(flow.steps)
            if isinstance(step.action, Call) and place not in places
        }
        for effect in gone:
            if effect["operation"] in others:
                raise Conflict(
                    f"The run has written {effect['operation']} in the step {effect['path']}, which is"
                    f" {others[effect['operation']]} in the present files: that would write it a second time. Give the"
                    " step its old name and place, or replay the run with the files that it had.",
                    code="step-renamed",
                    run=run_id,
                    step=effect["path"],
                )

    def _anew(self, run_id: str, confirmed: Collection[str]) -> Anew:
        row = self._row(run_id)
        with self._database.reading() as connection:
            highest = replays.highest_generation(connection, row)
        return Anew(confirmed=confirmed, generation=highest + 1)
