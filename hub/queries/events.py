"""Events as lists and pages show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.changes import Change, changes
from hub.model.event import EventFilter, EventState, Via
from hub.queries.actors import called
from hub.queries.decisions import DecisionView, decision_view
from hub.queries.drift import detail_of
from hub.queries.runs import RunRow, run_row
from hub.queries.view import View, moment
from hub.sdk import exact_json
from hub.store import events as stored
from hub.store import people
from hub.store.tables import decisions, events, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFlag:
    """One way in which an event's payload differs from the schema it claims, and what was done about it.

    The detail of a new value is that value: it is None for who may not see payloads.
    """

    kind: str
    path: str
    detail: str | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFlag:
    """A flow that wanted an event and could not begin, with a stable code and a sentence."""

    flow: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A release: when, by whom and why, from which state, and the events that kept bytes were read as."""

    at: datetime
    by: str
    by_name: str
    reason: str
    before: EventState
    became: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event: what it is, how it came, how often, and what became of it.

    `releasable` says that a person can let it start what it has not started yet.
    """

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
    drift: tuple[DriftFlag, ...]
    flows_failed: tuple[FlowFlag, ...]
    releasable: bool
    released: bool
    edited_from: str | None
    pruned_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """A page of events, the newest first; `next` asks for the following page."""

    events: tuple[EventRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDetail:
    """An event with the runs it started and the decisions on it.

    `data`, the decisions' inputs and `changes` are None with `withheld` set for who may not see payloads. `changes` are
    those that a person made of the event that this one was edited from.
    """

    event: EventRow
    data: Any
    withheld: bool
    runs: tuple[RunRow, ...]
    decisions: tuple[DecisionView, ...]
    release: ReleaseRow | None
    changes: tuple[Change, ...] | None
    edited_into: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payloads:
    """Records that claim a schema, the newest first, each with the version it claims."""

    schema: str
    payloads: tuple[Any, ...]
    versions: tuple[str, ...]


#: Asks for every event.
ALL = EventFilter()


def listing(
    view: View, wanted: EventFilter = ALL, *, payloads: bool, before: str | None = None, limit: int = 50
) -> EventPage:
    """List events from behind the event `before`."""
    columns = [column for column in events.c if column.name != "data"]
    statement = select(*columns).where(*stored.conditions(view.environment, wanted))
    if before is not None:
        statement = statement.where(events.c.id < before)
    with view.database.reading() as reading:
        found = reading.execute(statement.order_by(events.c.id.desc()).limit(limit + 1)).all()
    rows = tuple(event_row(row._mapping, payloads=payloads) for row in found[:limit])
    return EventPage(events=rows, next=rows[-1].id if len(found) > limit else None)


def counts(view: View) -> dict[EventState, int]:
    """Count the events that were kept back, by state; those that were taken are not counted."""
    each = select(events.c.state, func.count()).where(events.c.environment == view.environment)
    # One after the other, so that each finds its index.
    statements = [each.where(which).group_by(events.c.state) for which in (stored.HELD, stored.UNROUTED)]
    with view.database.reading() as connection:
        return {EventState(state): number for one in statements for state, number in connection.execute(one)}


def payloads(view: View, schema: str, *, limit: int) -> Payloads:
    """Give the records of the newest events of a schema: one version (`name@version`), or all of a series (`name`)."""
    named = events.c.schema == schema if "@" in schema else events.c.schema.startswith(f"{schema}@", autoescape=True)
    statement = (
        select(events.c.schema, events.c.data, events.c.record_key)
        .where(events.c.environment == view.environment, named, events.c.pruned_at.is_(None))
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    with view.database.reading() as connection:
        rows = connection.execute(statement).all()
    return Payloads(
        schema=schema,
        payloads=tuple(_record(row.data, row.record_key) for row in rows),
        versions=tuple(row.schema.partition("@")[2] for row in rows),
    )


def _record(data: str, record_key: str | None) -> Any:
    read = exact_json.loads(data)
    return read[record_key] if record_key else read


def detail(view: View, event_id: str, *, payloads: bool) -> EventDetail:
    """Give an event whole; raises `NotFound`."""
    with view.database.reading() as connection:
        row = stored.find(connection, event_id)
        if row is None or row["environment"] != view.environment:
            raise NotFound("There is no such event.", event=event_id)
        started = connection.execute(select(runs).where(runs.c.event_id == event_id).order_by(runs.c.id.desc())).all()
        decided = connection.execute(select(decisions).where(decisions.c.event_id == event_id)).all()
        release = _release(connection, row["release"])
        original = stored.find(connection, row["edited_from"]) if row["edited_from"] is not None else None
        edits = connection.execute(select(events.c.id).where(events.c.edited_from == event_id).order_by(events.c.id))
        edited_into = tuple(edits.scalars())
    return EventDetail(
        event=event_row(row, payloads=payloads),
        data=exact_json.loads(row["data"]) if payloads else None,
        withheld=not payloads,
        runs=tuple(run_row(run._mapping) for run in started),
        decisions=tuple(decision_view(decision._mapping, payloads=payloads) for decision in decided),
        release=release,
        changes=_changes(original, row) if payloads else None,
        edited_into=edited_into,
    )


def _changes(original: Mapping[str, Any] | None, row: Mapping[str, Any]) -> tuple[Change, ...] | None:
    if original is None:
        return None
    was, now = exact_json.loads(original["data"]), exact_json.loads(row["data"])
    key = row["record_key"]
    return tuple(changes(was, now) if key is None else changes(was.get(key), now.get(key)))


def event_row(row: Mapping[Any, Any], *, payloads: bool) -> EventRow:
    """Give a stored event as a value, without its data."""
    state = EventState(row["state"])
    flags = exact_json.loads(row["flags"]) if row["flags"] else {}
    return EventRow(
        id=row["id"],
        connection=row["connection"],
        external_id=row["external_id"],
        type=row["type"],
        subject=row["subject"],
        schema=row["schema"],
        via=Via(row["via"]),
        state=state,
        reason=row["reason"],
        deliveries=row["deliveries"],
        entity=row["entity"],
        body_hash=row["body_hash"],
        occurred_at=of_micros(row["occurred_at"]),
        received_at=of_micros(row["received_at"]),
        drift=tuple(_flag(finding, payloads=payloads) for finding in flags.get("drift", ())),
        flows_failed=tuple(FlowFlag(flow=flow, **why) for flow, why in flags.get("flows", {}).items()),
        releasable=row["pruned_at"] is None and (state is not EventState.ACCEPTED or bool(flags.get("flows"))),
        released=row["release"] is not None,
        edited_from=row["edited_from"],
        pruned_at=moment(row["pruned_at"]),
    )


def _flag(finding: Mapping[str, str], *, payloads: bool) -> DriftFlag:
    return DriftFlag(
        kind=finding["kind"],
        path=finding["path"],
        detail=detail_of(finding, payloads=payloads),
        action=finding["action"],
    )


def _release(connection: Connection, text: str | None) -> ReleaseRow | None:
    if text is None:
        return None
    release = exact_json.loads(text)
    actor = release["by"]
    return ReleaseRow(
        at=of_micros(release["at"]),
        by=actor,
        by_name=called(actor, people.names(connection)),
        reason=release["reason"],
        before=EventState(release["from"]),
        became=tuple(release["became"]),
    )


def releasable(view: View, wanted: EventFilter) -> int:
    """Count what a release of all that fits looks at."""
    with view.database.reading() as connection:
        return stored.count_kept(connection, view.environment, wanted)
