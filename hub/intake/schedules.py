"""Schedules: flows that start by themselves, each firing once, whatever clocks, processes and crashes do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from hub.errors import Fatal, FixData, HubError, NotFound
from hub.intake.moments import Triggers, last_dues
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.event import HUB, InboundEvent, Via
from hub.model.flow import CatchUp, Flow, Overlap, Schedule
from hub.model.zones import wall_of, zone_of
from hub.sdk import exact_json
from hub.store import schedules
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.events import Accept
from hub.store.schedules import Advance, NewFiring
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: What begins within this time of its moment was not missed.
LATE = timedelta(minutes=1)
#: The most firings that `catch_up: all` makes up for at once: the last ones.
MOST_CAUGHT_UP = 100
#: Missed firings are counted up to here.
MOST_COUNTED = 1000
#: A clock that goes back by more than this is looked at.
BACK = timedelta(seconds=1)


class Prepare(Protocol):
    """Makes of an event what the store accepts: its row, and the rows of the runs that it starts."""

    def __call__(
        self, name: str, event: InboundEvent, via: Via, *, actor: str | None = None, ordered_by: str | None = None
    ) -> Accept:
        """Route the event by the bundle that serves now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Which of the due moments start something, with how many before each nobody makes up for.

    `missed` is the last of those behind which nothing starts, with their number; None when there are none.
    """

    fire: tuple[tuple[datetime, int], ...]
    missed: tuple[datetime, int] | None = None


def decide(dues: Sequence[datetime], now: datetime, catch_up: CatchUp) -> Decided:
    """Say what becomes of moments that are due, the oldest first, all of them not later than now."""
    if not dues:
        return Decided(fire=())
    if catch_up is CatchUp.ALL:
        caught = dues[-MOST_CAUGHT_UP:]
        before = len(dues) - len(caught)
        return Decided(fire=tuple((due, 0 if number else before) for number, due in enumerate(caught)))
    if catch_up is CatchUp.LAST or dues[-1] >= now - LATE:
        return Decided(fire=((dues[-1], len(dues) - 1),))
    return Decided(fire=(), missed=(dues[-1], len(dues)))


def spec_of(schedule: Schedule) -> str:
    """Give the times of a schedule as text; two with the same text are due at the same moments."""
    every = None if schedule.every is None else int(schedule.every.total_seconds())
    return exact_json.dumps({"cron": schedule.cron, "every": every, "zone": schedule.zone}).decode()


def schedule_of(spec: str) -> Schedule:
    """Give the times that a text stands for."""
    read = exact_json.loads(spec)
    every = None if read["every"] is None else timedelta(seconds=read["every"])
    return Schedule(cron=read["cron"], every=every, zone=read["zone"])


def firing_event(
    flow: str, schedule: Schedule, *, due: datetime, fired: datetime, missed: int, order: str | None = None
) -> InboundEvent:
    """Make the event of a firing; its id is the flow and the due moment, or the `order` of a person.

    `date` is the due moment's day in the schedule's zone, for keys and periods.
    """
    zone = zone_of(schedule.zone)
    assert zone is not None
    return InboundEvent(
        external_id=f"schedule:{flow}:{order or due.isoformat()}",
        type=f"concord.schedule.{flow}",
        occurred_at=due,
        subject=flow,
        data={
            "schedule": flow,
            "due_at": due.isoformat(),
            "fired_at": fired.isoformat(),
            "zone": schedule.zone,
            "date": wall_of(due, zone).date().isoformat(),
            "missed": missed,
            "ordered": order is not None,
        },
    )


class Schedules:
    """Fires the schedules of one environment's flows; `tick` may be called at any time, by any number of processes."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        bundle: Callable[[], Bundle],
        triggers: Triggers,
        prepare: Prepare,
    ) -> None:
        """Take the collaborators; `bundle()` gives the revision that serves now."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._bundle = bundle
        self._triggers = triggers
        self._prepare = prepare
        self._looked_at: datetime | None = None

    async def tick(self) -> int:
        """Fire what is due, and take up and let go of schedules as the bundle says; gives how many events began.

        One schedule that cannot be served keeps no other from its turn. Raises `Fatal` when nothing can be recorded.
        """
        now = self._ambient.now()
        # Whoever has put the clock forward and back again must not wait until it is late enough once more.
        back = self._looked_at is None or now < self._looked_at - BACK
        self._looked_at = now
        flows = self._scheduled()
        with self._database.reading() as connection:
            rows = schedules.listing(connection, environment=self._environment)
        begun = 0
        for flow, schedule in flows:
            try:
                begun += await self._serve(flow, schedule, rows.get(flow.name), now, back=back)
            except Fatal:
                raise
            except HubError as error:
                # It is due still, and is served as soon as what stood in its way is over.
                log.warning("schedule.failed", schedule=flow.name, reason=str(error))
            except Exception:  # a defect met by one schedule must not stop the others
                log.exception("schedule.defect", schedule=flow.name)
        gone = [name for name, row in rows.items() if row["next_at"] is not None or not row["held"]]
        for name in sorted(set(gone) - {flow.name for flow, _ in flows}):
            await self._work(lambda tx, name=name: schedules.forget(tx, environment=self._environment, flow=name))  # type: ignore[misc]
        return begun

    async def hold(self, name: str, *, actor: str, reason: str) -> None:
        """Let a schedule start nothing until it is resumed."""
        why = _said(reason)
        await self._take_up(name)
        await self._work(
            lambda tx: schedules.hold(tx, environment=self._environment, flow=name, actor=actor, reason=why)
        )

    async def resume(self, name: str, *, actor: str, reason: str) -> None:
        """Let a schedule go on with its next time; what was due while it was held is not made up for."""
        why, schedule = _said(reason), self._schedule(name)
        await self._take_up(name)
        next_at = _micros(self._triggers(schedule).after(self._ambient.now()))
        await self._work(
            lambda tx: schedules.resume(
                tx,
                environment=self._environment,
                flow=name,
                actor=actor,
                reason=why,
                spec=spec_of(schedule),
                next_at=next_at,
            )
        )

    async def run_now(self, name: str, *, actor: str) -> str:
        """Start a scheduled flow beside its times, held or not; gives the event's id.

        Raises `Conflict` when a run of it is open and its schedule lets none overlap.
        """
        schedule, now = self._schedule(name), self._ambient.now()
        await self._take_up(name)
        event = firing_event(name, schedule, due=now, fired=now, missed=0, order=self._ambient.new_id("order"))
        accept = self._prepare(HUB, event, Via.SCHEDULE, actor=actor, ordered_by=actor)
        alone = schedule.overlap is Overlap.SKIP
        begun: str = await self._committer.commit(
            Work(
                lambda tx: schedules.order(
                    tx, accept, environment=self._environment, flow=name, due_at=to_micros(now), alone=alone
                )
            )
        )
        return begun

    async def _serve(
        self, flow: Flow, schedule: Schedule, row: Mapping[str, Any] | None, now: datetime, *, back: bool
    ) -> int:
        """Bring one schedule to the present; gives how many events began."""
        if row is None:
            await self._take_up(flow.name)
            return 0
        spec = spec_of(schedule)
        if row["held"]:
            return 0
        known = row["next_at"] is not None
        if known and row["spec"] == spec and not back and of_micros(row["next_at"]) > now:
            return 0
        dues: list[datetime] = []
        if known and of_micros(row["next_at"]) <= now:
            # What was due before the file was changed was due by what the file said then.
            trigger = self._triggers(schedule_of(row["spec"]))
            dues = last_dues(trigger, of_micros(row["next_at"]), now, MOST_COUNTED)
        next_at = _micros(self._triggers(schedule).after(now))
        if not dues and row["spec"] == spec and row["next_at"] == next_at:
            return 0
        begun: tuple[str, ...] = await self._committer.commit(
            Advance(
                environment=self._environment,
                flow=flow.name,
                spec=spec,
                firings=self._firings(flow.name, schedule, decide(dues, now, schedule.catch_up), now),
                next_at=next_at,
                alone=schedule.overlap is Overlap.SKIP,
            )
        )
        if begun:
            log.info("schedule.fired", schedule=flow.name, events=len(begun))
        return len(begun)

    def _firings(self, name: str, schedule: Schedule, decided: Decided, now: datetime) -> tuple[NewFiring, ...]:
        fired = []
        for due, missed in decided.fire:
            event = firing_event(name, schedule, due=due, fired=now, missed=missed)
            accept = self._prepare(HUB, event, Via.SCHEDULE, actor="scheduler")
            fired.append(NewFiring(due_at=to_micros(due), accept=accept, missed=missed))
        if decided.missed is not None:
            due, number = decided.missed
            fired.append(NewFiring(due_at=to_micros(due), accept=None, missed=number))
        return tuple(fired)

    async def _take_up(self, name: str) -> None:
        """Give a schedule that is new its row, with its first moment from now on."""
        schedule = self._schedule(name)
        next_at = _micros(self._triggers(schedule).after(self._ambient.now()))
        await self._work(
            lambda tx: schedules.begin(
                tx, environment=self._environment, flow=name, spec=spec_of(schedule), next_at=next_at
            )
        )

    def _scheduled(self) -> list[tuple[Flow, Schedule]]:
        flows = self._bundle().flows
        return [(flow, flow.schedule) for _, flow in sorted(flows.items()) if flow.schedule is not None]

    def _schedule(self, name: str) -> Schedule:
        flow = self._bundle().flows.get(name)
        if flow is None or flow.schedule is None:
            known = ", ".join(flow.name for flow, _ in self._scheduled())
            raise NotFound("There is no such schedule.", schedule=name, known=known or "none")
        return flow.schedule

    async def _work(self, work: Callable[[Transaction], None]) -> None:
        await self._committer.commit(Work(work))


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)


def _said(reason: str) -> str:
    if not reason.strip():
        raise FixData("Say why; it stands beside the schedule and binds the audit.", code="no-reason")
    return reason.strip()
