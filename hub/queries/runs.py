"""Runs as lists show them: filtered, newest first, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.run import RunState, WaitKind
from hub.queries.amounts import Amount, amount
from hub.queries.view import View, moment, seconds_between
from hub.store import runs as stored
from hub.store.statements import alike
from hub.store.tables import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run: where it stands, what it is about, and how long it took (seconds from acceptance to end)."""

    id: str
    flow: str
    state: RunState
    reason: str | None
    key: str
    business_key: str
    entity: str | None
    money: Amount | None
    event_id: str
    bundle: str
    wait_kind: WaitKind | None
    wait_on: str | None
    wait_until: datetime | None
    replay_of: str | None
    replaced_by: str | None
    created_at: datetime
    started_at: datetime | None
    updated_at: datetime
    finished_at: datetime | None
    seconds: float | None
    pruned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs a list shows; None means any. `text` is found in the business key, or is a run's id."""

    state: RunState | None = None
    flow: str | None = None
    key: str | None = None
    text: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of runs, the newest first; `next` is what to ask for the following page with, None on the last."""

    runs: tuple[RunRow, ...]
    next: str | None


def listing(view: View, filter: RunFilter, *, before: str | None = None, limit: int = 50) -> RunPage:
    """List runs from behind the run `before`; ids sort by time, so that pages never shift."""
    statement = select(runs).where(runs.c.environment == view.environment)
    for column, value in (
        (runs.c.state, filter.state.value if filter.state else None),
        (runs.c.flow, filter.flow),
        (runs.c.key, filter.key),
        (runs.c.event_id, filter.event_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if filter.text:
        pattern = f"%{escape_like(filter.text)}%"
        statement = statement.where(alike(runs.c.business_key, pattern) | (runs.c.id == filter.text))
    if before is not None:
        statement = statement.where(runs.c.id < before)
    with view.database.reading() as connection:
        found = connection.execute(statement.order_by(runs.c.id.desc()).limit(limit + 1)).all()
    rows = tuple(run_row(row._mapping) for row in found[:limit])
    return RunPage(runs=rows, next=rows[-1].id if len(found) > limit else None)


def find(connection: Connection, view: View, run_id: str) -> Mapping[str, Any]:
    """Give a run's stored row; raises `NotFound`, also for a run of another environment."""
    row = stored.find(connection, run_id)
    if row is None or row["environment"] != view.environment:
        raise NotFound("There is no such run.", run=run_id)
    return row


def counts(view: View) -> dict[str, dict[RunState, int]]:
    """Count the runs that stand for themselves (not replaced by a replay): flow → state → number."""
    with view.database.reading() as connection:
        found = stored.counts(connection, environment=view.environment)
    return {flow: {RunState(state): number for state, number in states.items()} for flow, states in found.items()}


def run_row(row: Mapping[Any, Any]) -> RunRow:
    """Give a stored run as a value."""
    return RunRow(
        id=row["id"],
        flow=row["flow"],
        state=RunState(row["state"]),
        reason=row["reason"],
        key=row["key"],
        business_key=row["business_key"],
        entity=row["entity"],
        money=amount(row["money_minor"], row["money_currency"]),
        event_id=row["event_id"],
        bundle=row["bundle"],
        wait_kind=WaitKind(row["wait_kind"]) if row["wait_kind"] else None,
        wait_on=row["wait_on"],
        wait_until=moment(row["wait_until"]),
        replay_of=row["replay_of"],
        replaced_by=row["replaced_by"],
        created_at=of_micros(row["created_at"]),
        started_at=moment(row["started_at"]),
        updated_at=of_micros(row["updated_at"]),
        finished_at=moment(row["finished_at"]),
        seconds=seconds_between(row["created_at"], row["finished_at"]),
        pruned_at=moment(row["pruned_at"]),
    )


def escape_like(text: str) -> str:
    r"""Make a text that stands for itself in a LIKE pattern with `\` as escape."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
