"""Schedules as people read them: when each flow starts next, what became of its last firings, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.flow import CatchUp, Flow, Overlap, Schedule
from hub.model.run import RunState
from hub.model.zones import zone_of
from hub.queries.actors import called
from hub.queries.alarms import Alarm, AlarmKind, last_success
from hub.queries.view import View, moment
from hub.store import people, schedules
from hub.store.schedules import FiringState
from hub.store.tables import runs
from hub.workspace.bundle import Bundle

#: So many firings are listed of one schedule.
FIRINGS = 50
_OF_SCHEDULES = frozenset({AlarmKind.SCHEDULE_OVERDUE, AlarmKind.SCHEDULE_WITHOUT_SUCCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRow:
    """One firing: its moment in UTC and as the clocks of the zone show it, and what became of it.

    `missed` counts those before it that nobody makes up for; `run` is the run that it started, `open_run` the one
    that was open and kept it from starting.
    """

    due_at: datetime
    due_local: str
    state: FiringState
    at: datetime
    missed: int
    event: str | None
    run: str | None
    run_state: RunState | None
    open_run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRow:
    """One schedule: its times as the file says them, its next moment, its last firing, and how it does.

    `next_at` is None while it is held, and before the hub has seen it for the first time.
    """

    flow: str
    title: str
    owner: str
    cron: str | None
    every: timedelta | None
    zone: str
    catch_up: CatchUp
    overlap: Overlap
    dead_man: timedelta | None
    next_at: datetime | None
    next_local: str | None
    last: FiringRow | None
    last_success: datetime | None
    held: bool
    held_by_name: str | None
    held_reason: str | None
    held_at: datetime | None
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDetail:
    """A schedule with its last firings, the newest first."""

    schedule: ScheduleRow
    firings: tuple[FiringRow, ...]


def listing(view: View, bundle: Bundle, alarms: Sequence[Alarm]) -> tuple[ScheduleRow, ...]:
    """List the schedules of the revision that serves, by their flows."""
    with view.database.reading() as connection:
        rows = schedules.listing(connection, environment=view.environment)
        names = people.names(connection)
        return tuple(
            _row(connection, view, flow, flow.schedule, rows.get(name), alarms, names)
            for name, flow in sorted(bundle.flows.items())
            if flow.schedule is not None
        )


def detail(view: View, bundle: Bundle, alarms: Sequence[Alarm], name: str) -> ScheduleDetail:
    """Give one schedule; raises `NotFound`."""
    flow = bundle.flows.get(name)
    if flow is None or flow.schedule is None:
        raise NotFound("There is no such schedule.", schedule=name)
    with view.database.reading() as connection:
        stored = schedules.find(connection, environment=view.environment, flow=name)
        row = _row(connection, view, flow, flow.schedule, stored, alarms, people.names(connection))
        found = schedules.latest(connection, environment=view.environment, flow=name, limit=FIRINGS)
        return ScheduleDetail(schedule=row, firings=_firings(connection, found, flow.schedule.zone))


def local(when: datetime, zone: str) -> str:
    """Give what the clocks of a zone show at a moment, with the zone's own letters: `2026-03-29 03:00 CEST`.

    Seconds are shown where there are any.
    """
    shown = when.astimezone(zone_of(zone) or UTC)
    return f"{shown:%Y-%m-%d %H:%M:%S %Z}" if shown.second else f"{shown:%Y-%m-%d %H:%M %Z}"


def _row(
    connection: Connection,
    view: View,
    flow: Flow,
    schedule: Schedule,
    stored: Mapping[str, Any] | None,
    alarms: Sequence[Alarm],
    names: Mapping[str, str],
) -> ScheduleRow:
    next_at = None if stored is None else moment(stored["next_at"])
    latest = schedules.latest(connection, environment=view.environment, flow=flow.name, limit=1)
    held = stored is not None and stored["held"]
    return ScheduleRow(
        flow=flow.name,
        title=flow.title,
        owner=flow.owner,
        cron=schedule.cron,
        every=schedule.every,
        zone=schedule.zone,
        catch_up=schedule.catch_up,
        overlap=schedule.overlap,
        dead_man=schedule.dead_man,
        next_at=next_at,
        next_local=None if next_at is None else local(next_at, schedule.zone),
        last=next(iter(_firings(connection, latest, schedule.zone)), None),
        last_success=last_success(connection, environment=view.environment, flow=flow.name),
        held=held,
        held_by_name=called(stored["held_by"], names) if held and stored is not None else None,
        held_reason=stored["held_reason"] if held and stored is not None else None,
        held_at=moment(stored["held_at"]) if held and stored is not None else None,
        alarms=tuple(alarm for alarm in alarms if alarm.kind in _OF_SCHEDULES and alarm.subject == flow.name),
    )


def _firings(connection: Connection, found: Sequence[Mapping[str, Any]], zone: str) -> tuple[FiringRow, ...]:
    events = [row["event_id"] for row in found if row["event_id"] is not None]
    # A replay takes the place of the run before it.
    statement = select(runs.c.event_id, runs.c.flow, runs.c.id, runs.c.state).where(
        runs.c.event_id.in_(events), runs.c.replaced_by.is_(None)
    )
    begun = {(row.event_id, row.flow): row for row in connection.execute(statement)} if events else {}
    return tuple(_firing(row, begun.get((row["event_id"], row["flow"])), zone) for row in found)


def _firing(row: Mapping[str, Any], run: Any, zone: str) -> FiringRow:
    due = of_micros(row["due_at"])
    return FiringRow(
        due_at=due,
        due_local=local(due, zone),
        state=FiringState(row["state"]),
        at=of_micros(row["at"]),
        missed=row["missed"],
        event=row["event_id"],
        run=None if run is None else run.id,
        run_state=None if run is None else RunState(run.state),
        open_run=row["open_run"],
    )
