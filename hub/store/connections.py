"""What is known of connections beside their files: whether they take work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from hub.audit.kinds import AuditKind
from hub.store.account_tables import connections
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.runs import wake
from hub.store.upserts import upsert

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


def pause_once(transaction: Transaction, *, environment: str, name: str, reason: str, actor: str) -> None:
    """Pause a connection unless it is paused; of many who find out at once, the first is heard."""
    statement = select(connections.c.state).where(connections.c.environment == environment, connections.c.name == name)
    if transaction.connection.execute(statement).scalar() != PAUSED:
        set_state(transaction, environment=environment, name=name, state=PAUSED, reason=reason, actor=actor)


def topic(*, environment: str, name: str) -> str:
    """Name what a run waits for while a connection is paused."""
    return f"connection:{environment}:{name}"


def is_active(connection: Connection, *, environment: str, name: str) -> bool:
    """Tell whether a connection takes work, again or as ever."""
    statement = select(connections.c.state).where(connections.c.environment == environment, connections.c.name == name)
    return connection.execute(statement).scalar() != PAUSED


def states(connection: Connection, *, environment: str) -> dict[str, Mapping[str, Any]]:
    """Give the state of every connection that was ever paused: name → row."""
    rows = connection.execute(select(connections).where(connections.c.environment == environment))
    return {row.name: dict(row._mapping) for row in rows}
