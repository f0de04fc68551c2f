"""Events as lists and pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.event import EventState, Via
from hub.queries.runs import RunRow, run_row
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import events as stored
from hub.store.tables import events, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event: what it is, how it came, how often, and what became of it."""

    id: str
    connection: str
    external_id: str
    type: str
    subject: str
    schema: str | None
    via: Via
    state: EventState
    reason: str | None
    deliveries: int
    entity: str | None
    body_hash: str
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """A page of events, the newest first; `next` asks for the following page."""

    events: tuple[EventRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """An event with the runs it started; `data` is None with `withheld` set for who may not see payloads."""

    event: EventRow
    data: Any
    withheld: bool
    runs: tuple[RunRow, ...]


def listing(
    view: View,
    *,
    state: EventState | None = None,
    connection: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> EventPage:
    """List events from behind the event `before`."""
    columns = [column for column in events.c if column.name != "data"]
    statement = select(*columns).where(events.c.environment == view.environment)
    if state is not None:
        statement = statement.where(events.c.state == state.value)
    if connection is not None:
        statement = statement.where(events.c.connection == connection)
    if before is not None:
        statement = statement.where(events.c.id < before)
    with view.database.reading() as reading:
        found = reading.execute(statement.order_by(events.c.id.desc()).limit(limit + 1)).all()
    rows = tuple(event_row(row._mapping) for row in found[:limit])
    return EventPage(events=rows, next=rows[-1].id if len(found) > limit else None)


def detail(view: View, event_id: str, *, payloads: bool) -> EventDetail:
    """Give an event whole; raises `NotFound`."""
    with view.database.reading() as connection:
        row = stored.find(connection, event_id)
        if row is None or row["environment"] != view.environment:
            raise NotFound("There is no such event.", event=event_id)
        started = connection.execute(select(runs).where(runs.c.event_id == event_id).order_by(runs.c.id.desc())).all()
    return EventDetail(
        event=event_row(row),
        data=exact_json.loads(row["data"]) if payloads else None,
        withheld=not payloads,
        runs=tuple(run_row(run._mapping) for run in started),
    )


def event_row(row: Mapping[Any, Any]) -> EventRow:
    """Give a stored event as a value, without its data."""
    return EventRow(
        id=row["id"],
        connection=row["connection"],
        external_id=row["external_id"],
        type=row["type"],
        subject=row["subject"],
        schema=row["schema"],
        via=Via(row["via"]),
        state=EventState(row["state"]),
        reason=row["reason"],
        deliveries=row["deliveries"],
        entity=row["entity"],
        body_hash=row["body_hash"],
        occurred_at=of_micros(row["occurred_at"]),
        received_at=of_micros(row["received_at"]),
    )
