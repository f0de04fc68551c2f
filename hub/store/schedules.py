"""Schedules: when each flow is due next, and its firings, each a row that can be there only once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, true, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.control_tables import firings, schedules
from hub.store.events import Accept
from hub.store.statements import upsert
from hub.store.tables import runs


class FiringState(StrEnum):
    """What became of a firing: it began, a person ordered it, an open run stood in its way, or it was missed."""

    FIRED = "fired"
    ORDERED = "ordered"
    SKIPPED = "skipped"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFiring:
    """One firing to be recorded with its event; without an event it was missed.

    `missed` is how many before it nobody makes up for.
    """

    due_at: int
    accept: Accept | None
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance(Write):
    """Record a schedule's firings with their events and runs, and when it is due next; all or nothing.

    The result names the events that began. A firing that has its row already starts nothing: somebody else was
    quicker. With `alone` one is skipped while a run of the flow is open. Nothing happens while the schedule is held.
    """

    environment: str
    flow: str
    spec: str
    firings: Sequence[NewFiring]
    next_at: int | None
    alone: bool

    rank = 12

    @classmethod
    def apply(cls, batch: Sequence[Advance], transaction: Transaction) -> list[tuple[str, ...]]:
        """Serve one schedule after the other."""
        return [advance.carry_out(transaction) for advance in batch]

    def carry_out(self, transaction: Transaction) -> tuple[str, ...]:
        """Record what is new, then move on."""
        row = find(transaction.connection, environment=self.environment, flow=self.flow)
        if row is None or row["held"]:
            return ()
        begun = [event for firing in self.firings if (event := self._fire(transaction, firing)) is not None]
        last = max((firing.due_at for firing in self.firings), default=row["last_due_at"])
        transaction.connection.execute(
            update(schedules)
            .where(schedules.c.environment == self.environment, schedules.c.flow == self.flow)
            .values(spec=self.spec, next_at=self.next_at, last_due_at=last, updated_at=transaction.now)
        )
        return tuple(begun)

    def _fire(self, transaction: Transaction, firing: NewFiring) -> str | None:
        """Record one firing; gives its event when it began."""
        connection = transaction.connection
        if is_recorded(connection, environment=self.environment, flow=self.flow, due_at=firing.due_at):
            return None
        state, event_id, blocking = FiringState.MISSED, None, None
        if firing.accept is not None:
            blocking = open_run(connection, environment=self.environment, flow=self.flow) if self.alone else None
            state = FiringState.FIRED if blocking is None else FiringState.SKIPPED
        if firing.accept is not None and state is FiringState.FIRED:
            event_id = str(firing.accept.event["id"])
            Accept.apply([firing.accept], transaction)
        connection.execute(
            insert(firings),
            {
                "environment": self.environment,
                "flow": self.flow,
                "due_at": firing.due_at,
                "state": state.value,
                "event_id": event_id,
                "missed": firing.missed,
                "open_run": blocking,
                "at": transaction.now,
            },
        )
        if state is not FiringState.FIRED or firing.missed:
            facts: dict[str, str | int | bool | None] = {"due": firing.due_at, "missed": firing.missed}
            if blocking is not None:
                facts["open"] = blocking
            kind = AuditKind.SCHEDULE_SKIPPED if state is FiringState.SKIPPED else AuditKind.SCHEDULE_MISSED
            transaction.entries.append(
                Note(kind=kind, actor="scheduler", subjects={"schedule": self.flow}, facts=facts)
            )
        return event_id


def open_run(connection: Connection, *, environment: str, flow: str) -> str | None:
    """Give the earliest run of a flow that is not at its end; a parked one is not."""
    found: str | None = connection.execute(
        select(runs.c.id)
        .where(runs.c.environment == environment, runs.c.flow == flow, runs.c.blocking == true())
        .order_by(runs.c.position)
        .limit(1)
    ).scalar()
    return found


def order(transaction: Transaction, accept: Accept, *, environment: str, flow: str, due_at: int, alone: bool) -> str:
    """Start a flow now because a person ordered it, beside its times; gives the event.

    Raises `Conflict` when it must be alone and a run of it is open.
    """
    blocking = open_run(transaction.connection, environment=environment, flow=flow) if alone else None
    if blocking is not None:
        raise Conflict(
            "A run of this flow is still open, and its schedule says `overlap: skip`. Wait for its end, or settle it.",
            code="run-open",
            run=blocking,
        )
    Accept.apply([accept], transaction)
    # Two orders in one microsecond, or one at the very moment of a firing, stand beside each other.
    while is_recorded(transaction.connection, environment=environment, flow=flow, due_at=due_at):
        due_at += 1
    transaction.connection.execute(
        insert(firings),
        {
            "environment": environment,
            "flow": flow,
            "due_at": due_at,
            "state": FiringState.ORDERED.value,
            "event_id": accept.event["id"],
            "missed": 0,
            "open_run": None,
            "at": transaction.now,
        },
    )
    transaction.entries.append(
        Note(
            kind=AuditKind.SCHEDULE_ORDERED,
            actor=accept.actor,
            subjects={"schedule": flow, "event": accept.event["id"]},
        )
    )
    return str(accept.event["id"])


def is_recorded(connection: Connection, *, environment: str, flow: str, due_at: int) -> bool:
    """Tell whether a firing has its row already."""
    place = (firings.c.environment == environment, firings.c.flow == flow, firings.c.due_at == due_at)
    return bool(connection.execute(select(exists().where(*place))).scalar())


def listing(connection: Connection, *, environment: str) -> dict[str, Mapping[str, Any]]:
    """Give every schedule's row by its flow."""
    rows = connection.execute(
        select(schedules).where(schedules.c.environment == environment).order_by(schedules.c.flow)
    )
    return {row.flow: dict(row._mapping) for row in rows}


def find(connection: Connection, *, environment: str, flow: str) -> Mapping[str, Any] | None:
    """Give a schedule's row."""
    row = connection.execute(
        select(schedules).where(schedules.c.environment == environment, schedules.c.flow == flow)
    ).one_or_none()
    return None if row is None else dict(row._mapping)


def begin(transaction: Transaction, *, environment: str, flow: str, spec: str, next_at: int | None) -> None:
    """Take up a schedule that is new; one that is there stays as it is."""
    row = {
        "environment": environment,
        "flow": flow,
        "spec": spec,
        "next_at": next_at,
        "last_due_at": None,
        "held": False,
        "created_at": transaction.now,
        "updated_at": transaction.now,
    }
    upsert(transaction.connection, schedules, [row], keys=("environment", "flow"), change=())


def forget(transaction: Transaction, *, environment: str, flow: str) -> None:
    """Let go of a schedule that no file has any more; a hold on it stays, should it come back."""
    place = (schedules.c.environment == environment, schedules.c.flow == flow)
    transaction.connection.execute(delete(schedules).where(*place, schedules.c.held.is_(False)))
    transaction.connection.execute(update(schedules).where(*place).values(next_at=None))


def hold(transaction: Transaction, *, environment: str, flow: str, actor: str, reason: str) -> None:
    """Let a schedule start nothing until it is resumed; `Conflict` when it is held already."""
    row = _assert_there(transaction.connection, environment, flow)
    if row["held"]:
        raise Conflict("The schedule is held already.", code="held-already", schedule=flow)
    _change(
        transaction,
        environment,
        flow,
        {"held": True, "held_by": actor, "held_reason": reason, "held_at": transaction.now, "next_at": None},
    )
    transaction.entries.append(_note(AuditKind.SCHEDULE_HELD, flow, actor, reason))


def resume(
    transaction: Transaction, *, environment: str, flow: str, actor: str, reason: str, spec: str, next_at: int | None
) -> None:
    """Let a schedule go on with its next time; `Conflict` when it is not held."""
    row = _assert_there(transaction.connection, environment, flow)
    if not row["held"]:
        raise Conflict("The schedule is not held.", code="not-held", schedule=flow)
    freed: dict[str, Any] = {"held": False, "held_by": None, "held_reason": None, "held_at": None}
    _change(transaction, environment, flow, {**freed, "spec": spec, "next_at": next_at})
    transaction.entries.append(_note(AuditKind.SCHEDULE_RESUMED, flow, actor, reason))


def latest(connection: Connection, *, environment: str, flow: str, limit: int) -> list[Mapping[str, Any]]:
    """List a schedule's firings, the newest first."""
    statement = (
        select(firings)
        .where(firings.c.environment == environment, firings.c.flow == flow)
        .order_by(firings.c.due_at.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(statement)]


def _assert_there(connection: Connection, environment: str, flow: str) -> Mapping[str, Any]:
    row = find(connection, environment=environment, flow=flow)
    if row is None:
        raise NotFound("There is no such schedule.", schedule=flow)
    return row


def _change(transaction: Transaction, environment: str, flow: str, values: Mapping[str, Any]) -> None:
    transaction.connection.execute(
        update(schedules)
        .where(schedules.c.environment == environment, schedules.c.flow == flow)
        .values(**values, updated_at=transaction.now)
    )


def _note(kind: AuditKind, flow: str, actor: str, reason: str) -> Note:
    # What people write may name people: the log binds the text, and the row holds it.
    digest = hashlib.sha256(reason.encode("utf-8", "surrogatepass")).hexdigest()
    return Note(kind=kind, actor=actor, subjects={"schedule": flow}, facts={"reason": digest})
