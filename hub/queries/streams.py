"""Streams as people read them: how far each was read, what went wrong, what may be missing, and back-fills."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.queries.actors import called
from hub.queries.alarms import Alarm, AlarmKind, Watched
from hub.queries.view import View, moment
from hub.sdk.connector import Stream
from hub.store import people
from hub.store import streams as stored
from hub.store.streams import BackfillState, GapKind, Started
from hub.workspace.polling import Plan, plan_of

_OF_STREAMS = frozenset({AlarmKind.STREAM_SILENT, AlarmKind.STREAM_GAP})


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """What may be missing of a stream: how that is known, between which moments, and a sentence."""

    kind: GapKind
    since: datetime | None
    until: datetime | None
    detail: str
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRow:
    """One stream of a connection: how it is read, how far it was, and how it does.

    `read_at` is the last reading that came to its end, `newest_at` the newest event it has given; `failures` counts
    the readings that failed since, one after the other. `reading` says that it is being read right now.
    """

    connection: str
    stream: str
    title: str
    every: timedelta
    overlap: timedelta
    keeps: timedelta | None
    dead_man: timedelta
    paused: str | None
    reading: bool
    read_at: datetime | None
    newest_at: datetime | None
    failed_at: datetime | None
    failures: int
    error: str | None
    gaps: tuple[GapRow, ...]
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRow:
    """One back-fill; `done` is the part of its span that was read, in thousandths.

    Of a listing, `total` is how many records there are (None while they are counted), `at_work` how many runs of them
    go on or wait, `stopped` how many stopped for a person, and `ended` how many have come to their end. Where `batch`
    of them come in one event, a run is about so many, and `at_work` and `stopped` count runs all the same.
    """

    id: str
    connection: str
    stream: str
    since: datetime
    until: datetime
    reached: datetime | None
    done: int
    state: BackfillState
    read: int
    new: int
    total: int | None
    batch: int | None
    at_work: int | None
    stopped: int | None
    ended: int | None
    error: str | None
    by_name: str
    reason: str
    created_at: datetime
    updated_at: datetime


def listing(
    view: View, watched: Watched, alarms: Sequence[Alarm], going: Collection[tuple[str, str]]
) -> tuple[StreamRow, ...]:
    """List the streams of this process's connections; `going` names those that are being read."""
    with view.database.reading() as connection:
        rows = stored.listing(connection, environment=view.environment)
    bundle = watched.bundle()
    return tuple(
        _stream(
            name,
            stream,
            account.paused,
            plan_of(bundle, name, stream, watched.every),
            rows.get((name, stream.name)),
            [alarm for alarm in alarms if alarm.kind in _OF_STREAMS and alarm.subject == f"{name}/{stream.name}"],
            reading=(name, stream.name) in going,
        )
        for name, account in sorted(watched.accounts.items())
        for stream in account.connector.streams
    )


def backfills(view: View, *, state: BackfillState | None = None, limit: int = 50) -> tuple[BackfillRow, ...]:
    """List back-fills, the newest first."""
    with view.database.reading() as connection:
        rows = stored.list_backfills(connection, environment=view.environment, state=state, limit=limit)
        names = people.names(connection)
        return tuple(_backfill(row, names, _started(connection, row)) for row in rows)


def backfill(view: View, backfill_id: str) -> BackfillRow:
    """Give one back-fill; raises `NotFound`."""
    with view.database.reading() as connection:
        row = stored.backfill(connection, backfill_id)
        if row["environment"] != view.environment:
            raise NotFound("There is no such back-fill.", backfill=backfill_id)
        return _backfill(row, people.names(connection), _started(connection, row))


def _started(connection: Connection, row: Mapping[str, Any]) -> Started | None:
    return None if row["flows"] is None else stored.started_by(connection, row)


def _stream(
    name: str,
    stream: Stream,
    paused: str | None,
    plan: Plan,
    row: Mapping[str, Any] | None,
    alarms: Sequence[Alarm],
    *,
    reading: bool,
) -> StreamRow:
    known = row or {}
    return StreamRow(
        connection=name,
        stream=stream.name,
        title=stream.title,
        every=plan.every,
        overlap=plan.overlap,
        keeps=stream.keeps,
        dead_man=plan.dead_man,
        paused=paused,
        reading=reading,
        read_at=moment(known.get("read_at")),
        newest_at=moment(known.get("newest_at")),
        failed_at=moment(known.get("failed_at")),
        failures=known.get("failures", 0),
        error=known.get("error"),
        gaps=tuple(_gap(gap) for gap in stored.gaps(row)),
        alarms=tuple(alarms),
    )


def _gap(gap: Mapping[str, Any]) -> GapRow:
    return GapRow(
        kind=GapKind(gap["kind"]),
        since=moment(gap["since"]),
        until=moment(gap["until"]),
        detail=gap["detail"],
        found_at=of_micros(gap["found_at"]),
    )


def _backfill(row: Mapping[str, Any], names: Mapping[str, str], started: Started | None) -> BackfillRow:
    state, since, until = BackfillState(row["state"]), row["since"], row["until"]
    reached = min(max(row["reached"] or since, since), until)
    done = (reached - since) * 1000 // max(until - since, 1)
    if started is not None:
        done = min(row["read"] * 1000 // max(row["total"] or 0, 1), 999) if row["total"] else 0
    if state is BackfillState.DONE:
        done = 1000
    open = 0 if started is None else (started.at_work + started.stopped) * (row["batch"] or 1)
    return BackfillRow(
        id=row["id"],
        connection=row["connection"],
        stream=row["stream"],
        since=of_micros(since),
        until=of_micros(until),
        reached=moment(row["reached"]),
        done=done,
        state=state,
        read=row["read"],
        new=row["new"],
        total=row["total"],
        batch=row["batch"],
        at_work=None if started is None else started.at_work,
        stopped=None if started is None else started.stopped,
        ended=None if started is None else max(row["read"] - open, 0),
        error=row["error"],
        by_name=called(row["actor"], names),
        reason=row["reason"],
        created_at=of_micros(row["created_at"]),
        updated_at=of_micros(row["updated_at"]),
    )
