"""What is known of connections beside their files: whether they take work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict
from hub.store.account_tables import connections
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.runs import wake
from hub.store.statements import upsert

ACTIVE = "active"
PAUSED = "paused"


def set_state(transaction: Transaction, *, environment: str, name: str, state: str, reason: str, actor: str) -> None:
    """Pause a connection, or let it and the runs that wait for it go on."""
    row: dict[str, Any] = {
        "environment": environment,
        "name": name,
        "state": state,
        "reason": reason,
        "actor": actor,
        "changed_at": transaction.now,
    }
    upsert(
        transaction.connection,
        connections,
        [row],
        keys=("environment", "name"),
        change=("state", "reason", "actor", "changed_at"),
    )
    kind = AuditKind.CONNECTION_PAUSED if state == PAUSED else AuditKind.CONNECTION_RESUMED
    transaction.entries.append(
        Note(kind=kind, actor=actor, subjects={"connection": name}, facts={"reason": bound(reason)})
    )
    if state == ACTIVE:
        wake(transaction, [topic(environment=environment, name=name)])


def order_state(
    transaction: Transaction, *, environment: str, name: str, state: str, reason: str, actor: str, resting: bool
) -> None:
    """Pause or resume a connection because somebody ordered it; the same pause ordered again changes nothing.

    `resting` says that the process lets it rest, whatever is recorded. Raises `Conflict` where it is paused already, by
    somebody else or for another reason, and where nobody has paused what is to be resumed.
    """
    row = _find(transaction.connection, environment=environment, name=name)
    paused = row is not None and row["state"] == PAUSED
    if state == ACTIVE and not paused and not resting:
        raise Conflict("Nobody holds it.", code="not-held", kind="connection", name=name)
    if state == PAUSED and paused and row is not None:
        if (row["actor"], row["reason"]) == (actor, reason):
            return
        raise Conflict(
            "It is paused already; resume it, or leave it as it is.",
            code="held-already",
            by=row["actor"],
            reason=row["reason"],
        )
    set_state(transaction, environment=environment, name=name, state=state, reason=reason, actor=actor)


def pause_once(transaction: Transaction, *, environment: str, name: str, reason: str, actor: str) -> None:
    """Pause a connection unless it is paused; of many who find out at once, the first is heard."""
    if is_active(transaction.connection, environment=environment, name=name):
        set_state(transaction, environment=environment, name=name, state=PAUSED, reason=reason, actor=actor)


def topic(*, environment: str, name: str) -> str:
    """Name what a run waits for while a connection is paused."""
    return f"connection:{environment}:{name}"


def is_active(connection: Connection, *, environment: str, name: str) -> bool:
    """Tell whether a connection takes work, again or as ever."""
    row = _find(connection, environment=environment, name=name)
    return row is None or row["state"] != PAUSED


def states(connection: Connection, *, environment: str) -> dict[str, Mapping[str, Any]]:
    """Give the state of every connection that was ever paused: name → row."""
    rows = connection.execute(select(connections).where(connections.c.environment == environment))
    return {row.name: dict(row._mapping) for row in rows}


def _find(connection: Connection, *, environment: str, name: str) -> Mapping[str, Any] | None:
    statement = select(connections).where(connections.c.environment == environment, connections.c.name == name)
    row = connection.execute(statement).one_or_none()
    return None if row is None else dict(row._mapping)
