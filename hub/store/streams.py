"""Streams: how far each was read, what is missing of it, and the back-fills that people ordered."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, true, update

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.run import Priority, RunState
from hub.sdk import exact_json
from hub.store.account_tables import cursors
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.control_tables import backfills
from hub.store.statements import upsert
from hub.store.tables import event_names, runs

#: So many gaps of a stream are kept apart; what comes more is added to the last.
_MOST_GAPS = 20


class GapKind(StrEnum):
    """How it is known that events are missing: the vendor keeps none that old, says so, or its numbers have a hole."""

    TOO_OLD = "too-old"
    BEGINS_LATER = "begins-later"
    NUMBERS = "numbers"


class BackfillState(StrEnum):
    """Where a back-fill stands."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


def find(connection: Connection, *, environment: str, name: str, stream: str) -> Mapping[str, Any] | None:
    """Give what is kept of a stream; None for one that was never read."""
    row = connection.execute(select(cursors).where(*_place(environment, name, stream))).one_or_none()
    return None if row is None else dict(row._mapping)


def listing(connection: Connection, *, environment: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Give what is kept of every stream, by connection and stream."""
    rows = connection.execute(select(cursors).where(cursors.c.environment == environment))
    return {(row.connection, row.stream): dict(row._mapping) for row in rows}


def move(
    transaction: Transaction,
    *,
    environment: str,
    name: str,
    stream: str,
    columns: Mapping[str, str | None],
    newest_at: int | None,
) -> None:
    """Keep how far a stream was read; call it only once everything before is durable."""
    values: dict[str, Any] = {**columns, "updated_at": transaction.now}
    _put(transaction, environment, name, stream, values)
    if newest_at is not None:
        transaction.connection.execute(
            update(cursors)
            .where(*_place(environment, name, stream), func.coalesce(cursors.c.newest_at, newest_at) <= newest_at)
            .values(newest_at=newest_at)
        )


def end(transaction: Transaction, *, environment: str, name: str, stream: str, read_at: int) -> None:
    """Keep that a reading which began then came to its end; what went wrong before is over."""
    values = {"read_at": read_at, "failures": 0, "error": None, "updated_at": transaction.now}
    _put(transaction, environment, name, stream, values)


def fail(transaction: Transaction, *, environment: str, name: str, stream: str, error: str) -> int:
    """Keep that a reading failed; gives how many have by now, one after the other."""
    row = find(transaction.connection, environment=environment, name=name, stream=stream)
    failures = 1 if row is None else row["failures"] + 1
    values = {"failed_at": transaction.now, "failures": failures, "error": error, "updated_at": transaction.now}
    _put(transaction, environment, name, stream, values)
    return failures


def add_gap(
    transaction: Transaction,
    *,
    environment: str,
    name: str,
    stream: str,
    kind: GapKind,
    since: int | None,
    until: int | None,
    detail: str,
) -> None:
    """Keep that events may be missing between two moments, until somebody has seen to it."""
    row = find(transaction.connection, environment=environment, name=name, stream=stream)
    known = gaps(row)
    gap = {"kind": kind.value, "since": since, "until": until, "detail": detail, "found_at": transaction.now}
    if any(all(other[key] == gap[key] for key in ("kind", "since", "detail")) for other in known):
        # It was found before, by a reading that did not come to its end.
        return
    if len(known) >= _MOST_GAPS:
        last = known.pop()
        gap |= {"since": last["since"], "detail": f"{last['detail']}; {detail}"[:500]}
    text = exact_json.dumps([*known, gap]).decode()
    _put(transaction, environment, name, stream, {"gap": text, "updated_at": transaction.now})
    facts: dict[str, Fact] = {"connection": name, "kind": kind.value, "since": since, "until": until}
    transaction.entries.append(
        Note(kind=AuditKind.STREAM_GAP_FOUND, actor="streams", subjects={"stream": stream}, facts=facts)
    )


def settle_gap(transaction: Transaction, *, environment: str, name: str, stream: str, actor: str, reason: str) -> int:
    """Let go of what may be missing, because somebody has seen to it; gives how many gaps that were."""
    row = find(transaction.connection, environment=environment, name=name, stream=stream)
    known = gaps(row)
    if not known:
        raise Conflict("Nothing is missing of this stream.", code="no-gap", connection=name, stream=stream)
    _put(transaction, environment, name, stream, {"gap": None, "updated_at": transaction.now})
    facts: dict[str, Fact] = {"connection": name, "gaps": len(known), "reason": _digest(reason)}
    transaction.entries.append(
        Note(kind=AuditKind.STREAM_GAP_SETTLED, actor=actor, subjects={"stream": stream}, facts=facts)
    )
    return len(known)


def gaps(row: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Give what may be missing of a stream, from its row."""
    return [] if row is None or row["gap"] is None else list(exact_json.loads(row["gap"]))


def contents(connection: Connection, *, environment: str, name: str, external_ids: Sequence[str]) -> dict[str, str]:
    """Give the hash of the content under each of these ids that a connection has brought already."""
    found: dict[str, str] = {}
    for start in range(0, len(external_ids), 500):
        statement = select(event_names.c.external_id, event_names.c.body_hash).where(
            event_names.c.environment == environment,
            event_names.c.connection == name,
            event_names.c.external_id.in_(external_ids[start : start + 500]),
        )
        found.update({row[0]: row[1] for row in connection.execute(statement)})
    return found


def order_backfill(
    transaction: Transaction,
    *,
    backfill_id: str,
    environment: str,
    name: str,
    stream: str,
    since: int,
    until: int,
    actor: str,
    reason: str,
    flows: Sequence[str] | None = None,
    batch: int | None = None,
) -> None:
    """Order a span of a stream to be read again; `Conflict` while another back-fill of it is open.

    `flows` are those that the records of a listing start; None for a stream. `batch` is how many of them come in one
    event; None where each has its own.
    """
    other = transaction.connection.execute(
        select(backfills.c.id).where(
            backfills.c.environment == environment,
            backfills.c.state == BackfillState.OPEN.value,
            backfills.c.connection == name,
            backfills.c.stream == stream,
        )
    ).scalar()
    if other is not None:
        raise Conflict(
            "A back-fill of this stream is open; wait for its end, or cancel it.", code="backfill-open", backfill=other
        )
    row: dict[str, Any] = {"id": backfill_id, "environment": environment, "connection": name, "stream": stream}
    row |= {"since": since, "until": until, "state": BackfillState.OPEN.value, "read": 0, "new": 0}
    row["flows"] = None if flows is None else exact_json.dumps(list(flows)).decode()
    row["batch"] = batch
    row |= {"actor": actor, "reason": reason, "created_at": transaction.now, "updated_at": transaction.now}
    transaction.connection.execute(insert(backfills), row)
    facts: dict[str, Fact] = {
        "connection": name,
        "stream": stream,
        "since": since,
        "until": until,
        "reason": _digest(reason),
    }
    transaction.entries.append(
        Note(kind=AuditKind.BACKFILL_ORDERED, actor=actor, subjects={"backfill": backfill_id}, facts=facts)
    )


def advance_backfill(
    transaction: Transaction, backfill_id: str, *, cursor: str, reached: int | None, read: int, new: int
) -> bool:
    """Keep how far a back-fill came; False when it is not open any more."""
    values: dict[str, Any] = {"cursor": cursor, "error": None, "updated_at": transaction.now}
    values |= {"read": backfills.c.read + read, "new": backfills.c.new + new}
    if reached is not None:
        values["reached"] = reached
    return _change_backfill(transaction, backfill_id, values)


def count_backfill(transaction: Transaction, backfill_id: str, *, total: int) -> bool:
    """Keep how many records a back-fill will list; False when it is not open any more."""
    return _change_backfill(transaction, backfill_id, {"total": total, "error": None, "updated_at": transaction.now})


def list_again(transaction: Transaction, backfill_id: str) -> bool:
    """Let a back-fill of a listing count and list everything once more; False when it is not open any more."""
    values: dict[str, Any] = {"cursor": None, "total": None, "read": 0, "updated_at": transaction.now}
    return _change_backfill(transaction, backfill_id, values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The runs that a listing's records have started and that have not come to an end: at work, and stopped."""

    at_work: int
    stopped: int


def started_by(connection: Connection, row: Mapping[str, Any]) -> Started:
    """Count the open runs of a listing's flows of low priority since the back-fill was ordered."""
    counted = connection.execute(
        select(runs.c.state, func.count())
        .where(
            runs.c.environment == row["environment"],
            runs.c.flow.in_(exact_json.loads(row["flows"])),
            runs.c.blocking == true(),
            runs.c.priority == Priority.LOW.value,
            runs.c.created_at >= row["created_at"],
        )
        .group_by(runs.c.state)
    )
    found = {str(state): int(number) for state, number in counted}
    stopped = found.pop(RunState.PARKED.value, 0)
    return Started(at_work=sum(found.values()), stopped=stopped)


def fail_backfill(transaction: Transaction, backfill_id: str, *, error: str) -> bool:
    """Keep why a back-fill cannot go on just now."""
    return _change_backfill(transaction, backfill_id, {"error": error, "updated_at": transaction.now})


def end_backfill(
    transaction: Transaction, backfill_id: str, *, state: BackfillState, actor: str, reason: str = ""
) -> bool:
    """End a back-fill that is open; False when it is not."""
    if not _change_backfill(transaction, backfill_id, {"state": state.value, "updated_at": transaction.now}):
        return False
    row = backfill(transaction.connection, backfill_id)
    facts: dict[str, Fact] = {"read": row["read"], "new": row["new"]}
    if reason:
        facts["reason"] = _digest(reason)
    kind = AuditKind.BACKFILL_DONE if state is BackfillState.DONE else AuditKind.BACKFILL_CANCELLED
    transaction.entries.append(Note(kind=kind, actor=actor, subjects={"backfill": backfill_id}, facts=facts))
    return True


def backfill(connection: Connection, backfill_id: str) -> Mapping[str, Any]:
    """Give a back-fill's row; raises `NotFound`."""
    row = connection.execute(select(backfills).where(backfills.c.id == backfill_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such back-fill.", backfill=backfill_id)
    return dict(row._mapping)


def open_backfills(connection: Connection, *, environment: str) -> list[Mapping[str, Any]]:
    """List the open back-fills, the oldest first."""
    return list_backfills(connection, environment=environment, state=BackfillState.OPEN, limit=1000)[::-1]


def list_backfills(
    connection: Connection, *, environment: str, state: BackfillState | None = None, limit: int = 50
) -> list[Mapping[str, Any]]:
    """List back-fills, the newest first."""
    statement = select(backfills).where(backfills.c.environment == environment)
    if state is not None:
        statement = statement.where(backfills.c.state == state.value)
    statement = statement.order_by(backfills.c.created_at.desc(), backfills.c.id.desc()).limit(limit)
    return [dict(row._mapping) for row in connection.execute(statement)]


def _change_backfill(transaction: Transaction, backfill_id: str, values: Mapping[str, Any]) -> bool:
    changed = transaction.connection.execute(
        update(backfills)
        .where(backfills.c.id == backfill_id, backfills.c.state == BackfillState.OPEN.value)
        .values(**values)
    )
    return changed.rowcount == 1


def _put(transaction: Transaction, environment: str, name: str, stream: str, values: Mapping[str, Any]) -> None:
    row = {"environment": environment, "connection": name, "stream": stream, **values}
    upsert(transaction.connection, cursors, [row], keys=("environment", "connection", "stream"), change=tuple(values))


def _place(environment: str, name: str, stream: str) -> tuple[ColumnElement[bool], ...]:
    return (cursors.c.environment == environment, cursors.c.connection == name, cursors.c.stream == stream)


def _digest(reason: str) -> str:
    # What people write may name people: the log binds the text, and the row holds it.
    return hashlib.sha256(reason.encode("utf-8", "surrogatepass")).hexdigest()
