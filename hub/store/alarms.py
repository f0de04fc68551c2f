"""Alarms that somebody has been told of: each once, until it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.control_tables import alarms


def listing(connection: Connection, *, environment: str) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Give the alarms that were raised and are not over, by kind and subject."""
    rows = connection.execute(select(alarms).where(alarms.c.environment == environment))
    return {(row.kind, row.subject): dict(row._mapping) for row in rows}


def tell(transaction: Transaction, found: Sequence[Mapping[str, Any]], *, environment: str, actor: str) -> None:
    """Raise what is new of these alarms (kind, subject, detail, since), and clear what is not among them any more."""
    known = listing(transaction.connection, environment=environment)
    now = {(alarm["kind"], alarm["subject"]): alarm for alarm in found}
    for name, alarm in now.items():
        if name not in known:
            new = {**alarm, "environment": environment, "raised_at": transaction.now}
            transaction.connection.execute(insert(alarms), new)
            transaction.entries.append(_note(AuditKind.ALARM_RAISED, name, actor, {"since": alarm["since"]}))
        elif known[name]["detail"] != alarm["detail"]:
            transaction.connection.execute(
                update(alarms).where(*_place(environment, name)).values(detail=alarm["detail"])
            )
    for name, row in known.items():
        if name not in now:
            transaction.connection.execute(delete(alarms).where(*_place(environment, name)))
            transaction.entries.append(_note(AuditKind.ALARM_CLEARED, name, actor, {"raised": row["raised_at"]}))


def _place(environment: str, name: tuple[str, str]) -> tuple[Any, ...]:
    return (alarms.c.environment == environment, alarms.c.kind == name[0], alarms.c.subject == name[1])


def _note(kind: AuditKind, name: tuple[str, str], actor: str, facts: Mapping[str, Fact]) -> Note:
    return Note(kind=kind, actor=actor, subjects={"alarm": name[0], "of": name[1]}, facts=facts)
