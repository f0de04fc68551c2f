"""Events as they were recorded, with the latest run of each flow and what the outside answered it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, func, select

from hub.store.tables import attempts, effects, events, runs, steps

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One run: its row, its steps and effects by path, and the outcome of the last attempt of each path."""

    run: Row
    steps: Mapping[str, Row] = field(default_factory=dict)
    effects: Mapping[str, Row] = field(default_factory=dict)
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """One event, and the latest run of each flow that it started."""

    event: Row
    runs: Mapping[str, RecordedRun]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestEvent:
    """One event with the rows of these runs, whose steps are not read yet; `steps` counts them."""

    event: Row
    runs: Mapping[str, Row]
    steps: int


def count(connection: Connection, *, environment: str, types: Collection[str], most: int) -> int:
    """Count the recorded events of these types, up to `most`."""
    wanted = select(events.c.id).where(_wanted(environment, types)).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(wanted)).scalar_one()


def newest(
    connection: Connection, *, environment: str, types: Collection[str], limit: int, after: Row | None = None
) -> list[NewestEvent]:
    """Give recorded events of these types, the newest first; `after` is the last event row of the page before.

    Ids sort by the moment they were made, which is that of the arrival.
    """
    condition = _wanted(environment, types)
    if after is not None:
        condition = and_(condition, events.c.id < after["id"])
    statement = select(events).where(condition).order_by(events.c.id.desc()).limit(limit)
    found = [dict(row._mapping) for row in connection.execute(statement)]
    latest = _latest_runs(connection, [event["id"] for event in found])
    ids = [run["id"] for by_flow in latest.values() for run in by_flow.values()]
    numbers = (
        select(steps.c.run_id, func.count().label("number")).where(steps.c.run_id.in_(ids)).group_by(steps.c.run_id)
    )
    counted = {row.run_id: row.number for row in connection.execute(numbers)}
    return [
        NewestEvent(
            event=event,
            runs=(own := latest.get(event["id"], {})),
            steps=sum(counted.get(run["id"], 0) for run in own.values()),
        )
        for event in found
    ]


def portions(found: Sequence[NewestEvent], most: int) -> list[list[NewestEvent]]:
    """Put events together whose runs have no more than so many steps in all; one that has more stands alone."""
    made: list[list[NewestEvent]] = []
    room = 0
    for one in found:
        if not made or one.steps > room:
            made.append([])
            room = most
        made[-1].append(one)
        room -= one.steps
    return made


def with_answers(connection: Connection, found: Sequence[NewestEvent]) -> list[RecordedEvent]:
    """Read what the runs of some events have recorded."""
    recorded = _with_answers(connection, [run for one in found for run in one.runs.values()])
    return [
        RecordedEvent(event=one.event, runs={flow: recorded[run["id"]] for flow, run in one.runs.items()})
        for one in found
    ]


def _wanted(environment: str, types: Collection[str]) -> Any:
    # Another content under a known id was never taken, and its money would count twice.
    taken = events.c.reason.is_distinct_from("same-id-other-content")
    kept = events.c.pruned_at.is_(None)
    return and_(events.c.environment == environment, events.c.type.in_(sorted(types)), taken, kept)


def _latest_runs(connection: Connection, event_ids: Sequence[str]) -> dict[str, dict[str, Row]]:
    found: dict[str, dict[str, Row]] = {}
    statement = select(runs).where(runs.c.event_id.in_(event_ids)).order_by(runs.c.created_at, runs.c.id)
    for row in connection.execute(statement):
        found.setdefault(row.event_id, {})[row.flow] = dict(row._mapping)
    return found


def _with_answers(connection: Connection, found: Sequence[Row]) -> dict[str, RecordedRun]:
    ids = [run["id"] for run in found]
    done: dict[str, dict[str, Row]] = {}
    for row in connection.execute(select(steps).where(steps.c.run_id.in_(ids))):
        done.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
    sent: dict[str, dict[str, Row]] = {}
    columns = (effects.c[name] for name in ("run_id", "path", "connection", "operation", "state", "output"))
    for row in connection.execute(select(*columns).where(effects.c.run_id.in_(ids))):
        sent.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
    tried: dict[str, dict[str, str]] = {}
    ordered = (
        select(attempts.c.run_id, attempts.c.path, attempts.c.outcome)
        .where(attempts.c.run_id.in_(ids))
        .order_by(attempts.c.number)
    )
    for row in connection.execute(ordered):
        tried.setdefault(row.run_id, {})[row.path] = row.outcome
    return {
        run["id"]: RecordedRun(
            run=run,
            steps=done.get(run["id"], {}),
            effects=sent.get(run["id"], {}),
            outcomes=tried.get(run["id"], {}),
        )
        for run in found
    }
