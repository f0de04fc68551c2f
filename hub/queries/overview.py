"""The overview: how much is going on, how long it takes, what is stuck, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from hub.model.ambient import of_micros, to_micros
from hub.model.effect import EffectState
from hub.model.run import GOING_STATES, RunState, WaitKind
from hub.queries import cases as case_views
from hub.queries.amounts import Amount
from hub.queries.runs import RunRow, counts, run_row
from hub.queries.view import View
from hub.store import runs as stored
from hub.store.tables import cases, effects, events, runs

#: What the charts look back on, minute by minute.
MINUTES = 30
_MINUTE = 60_000_000
#: More than enough for percentiles of half an hour to stand still.
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """One minute: events taken in, runs ended by their state, and seconds from acceptance to success."""

    at: datetime
    accepted: int
    succeeded: int
    cancelled: int
    opened: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Seconds from acceptance to success over the last half hour; None while no run succeeded."""

    p50: float | None
    p95: float | None
    sample: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the first page shows, read at one moment."""

    at: datetime
    runs: Mapping[str, Mapping[RunState, int]]
    waiting: Mapping[WaitKind, int]
    effects: Mapping[EffectState, int]
    events: int
    open_cases: int
    at_risk: tuple[Amount, ...]
    latency: Latency
    minutes: tuple[Minute, ...]
    oldest_open: RunRow | None

    @property
    def totals(self) -> dict[RunState, int]:
        """Count the runs of all flows by state."""
        return {state: sum(states.get(state, 0) for states in self.runs.values()) for state in RunState}

    @property
    def in_doubt(self) -> int:
        """Count the writes whose outcome is not known right now, sent or about to be."""
        return sum(self.effects.get(state, 0) for state in (EffectState.UNKNOWN, EffectState.PARKED))


def read(view: View) -> Overview:
    """Read the overview."""
    now = view.now()
    first = (to_micros(now) // _MINUTE - MINUTES + 1) * _MINUTE
    with view.database.reading() as connection:
        waiting = stored.waiting_kinds(connection, environment=view.environment)
        written = _effects(connection, view)
        total = connection.execute(
            select(func.count()).select_from(events).where(events.c.environment == view.environment)
        ).scalar()
        accepted = _accepted(connection, view, first)
        ended = _ended(connection, view, first)
        opened = _opened(connection, view, first)
        oldest = _oldest_open(connection, view)
    waits = [seconds for _, state, seconds in ended if state is RunState.SUCCEEDED]
    return Overview(
        at=now,
        runs=counts(view),
        waiting={WaitKind(kind): number for kind, number in waiting.items()},
        effects=written,
        events=total or 0,
        open_cases=case_views.open_count(view),
        at_risk=case_views.at_risk(view),
        latency=Latency(p50=percentile(waits, 50), p95=percentile(waits, 95), sample=len(waits)),
        minutes=_minutes(first, accepted, ended, opened),
        oldest_open=oldest,
    )


def percentile(values: Sequence[float], rank: int) -> float | None:
    """Give the nearest-rank percentile, None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-rank * len(ordered) // 100) - 1))]


def _effects(connection: Connection, view: View) -> dict[EffectState, int]:
    statement = (
        select(effects.c.state, func.count()).where(effects.c.environment == view.environment).group_by(effects.c.state)
    )
    return {EffectState(state): number for state, number in connection.execute(statement)}


def _accepted(connection: Connection, view: View, first: int) -> dict[int, int]:
    minute = (events.c.received_at // _MINUTE).label("minute")
    statement = (
        select(minute, func.count())
        .where(events.c.environment == view.environment, events.c.received_at >= first)
        .group_by(minute)
    )
    return {int(at) * _MINUTE: number for at, number in connection.execute(statement)}


def _ended(connection: Connection, view: View, first: int) -> list[tuple[int, RunState, float]]:
    statement = (
        select(runs.c.finished_at, runs.c.state, runs.c.created_at)
        .where(runs.c.environment == view.environment, runs.c.finished_at >= first)
        .limit(_SAMPLE)
    )
    return [
        (finished, RunState(state), max(0.0, (finished - created) / 1_000_000))
        for finished, state, created in connection.execute(statement)
    ]


def _opened(connection: Connection, view: View, first: int) -> dict[int, int]:
    minute = (cases.c.opened_at // _MINUTE).label("minute")
    statement = (
        select(minute, func.count())
        .where(cases.c.environment == view.environment, cases.c.opened_at >= first)
        .group_by(minute)
    )
    return {int(at) * _MINUTE: number for at, number in connection.execute(statement)}


def _oldest_open(connection: Connection, view: View) -> RunRow | None:
    going = [state.value for state in GOING_STATES]
    statement = (
        select(runs)
        .where(runs.c.environment == view.environment, runs.c.state.in_(going))
        .order_by(runs.c.position)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else run_row(row._mapping)


def _minutes(
    first: int,
    accepted: Mapping[int, int],
    ended: Sequence[tuple[int, RunState, float]],
    opened: Mapping[int, int],
) -> tuple[Minute, ...]:
    by_minute: dict[int, list[tuple[RunState, float]]] = {}
    for finished, state, seconds in ended:
        by_minute.setdefault(finished // _MINUTE * _MINUTE, []).append((state, seconds))
    made = []
    for number in range(MINUTES):
        at = first + number * _MINUTE
        members = by_minute.get(at, [])
        waits = [seconds for state, seconds in members if state is RunState.SUCCEEDED]
        made.append(
            Minute(
                at=of_micros(at),
                accepted=accepted.get(at, 0),
                succeeded=len(waits),
                cancelled=sum(1 for state, _ in members if state is RunState.CANCELLED),
                opened=opened.get(at, 0),
                p50=percentile(waits, 50),
                p95=percentile(waits, 95),
            )
        )
    return tuple(made)
