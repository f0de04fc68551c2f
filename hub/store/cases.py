"""Cases: what needs a person, listed with age and money at risk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.case import CaseFilter
from hub.model.run import RunState
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.runs import let_next_go
from hub.store.tables import cases, runs


def find(connection: Connection, case_id: str) -> Mapping[str, Any] | None:
    """Give a case's row."""
    row = connection.execute(select(cases).where(cases.c.id == case_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def summary(connection: Connection, *, environment: str) -> list[Mapping[str, Any]]:
    """Sum the open cases by reason and currency: count, minor units at risk, the oldest."""
    statement = (
        select(
            cases.c.reason,
            cases.c.money_currency,
            func.count().label("count"),
            func.sum(cases.c.money_minor).label("money_minor"),
            func.min(cases.c.opened_at).label("oldest"),
        )
        .where(cases.c.environment == environment, cases.c.state == "open")
        .group_by(cases.c.reason, cases.c.money_currency)
        .order_by(func.count().desc())
    )
    return [dict(row._mapping) for row in connection.execute(statement)]


def matching(
    connection: Connection, environment: str, wanted: CaseFilter, *, after: str | None, limit: int
) -> list[Mapping[str, Any]]:
    """List the open cases that fit, the oldest first, from behind the case `after`."""
    statement = select(cases).where(cases.c.environment == environment, cases.c.state == "open")
    for column, value in (
        (cases.c.fingerprint, wanted.fingerprint),
        (cases.c.reason, wanted.reason),
        (cases.c.flow, wanted.flow),
        (cases.c.path, wanted.path),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(cases.c.id > after)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(cases.c.id).limit(limit))]


def assign(transaction: Transaction, case_id: str, *, owner: str | None, actor: str) -> None:
    """Give an open case an owner, or take it away."""
    _change(transaction, case_id, {"owner": owner})
    transaction.entries.append(
        Note(
            kind=AuditKind.CASE_ASSIGNED,
            actor=actor,
            subjects={"case": case_id},
            facts={"owner": owner},
        )
    )


def close(transaction: Transaction, case_id: str, *, resolution: str, actor: str) -> None:
    """Close an open case; its run stays parked, but later runs of its key go on."""
    _change(
        transaction,
        case_id,
        {"state": "closed", "closed_at": transaction.now, "closed_by": actor, "resolution": resolution},
    )
    settled = select(cases.c.run_id).where(cases.c.id == case_id).scalar_subquery()
    freed = transaction.connection.execute(
        update(runs)
        .where(runs.c.id == settled, runs.c.state == RunState.PARKED.value)
        .values(blocking=False)
        .returning(runs.c.environment, runs.c.flow, runs.c.key)
    ).all()
    let_next_go(transaction, [(row.environment, row.flow, row.key) for row in freed])
    transaction.entries.append(Note(kind=AuditKind.CASE_CLOSED, actor=actor, subjects={"case": case_id}))
    transaction.woken = True


def _change(transaction: Transaction, case_id: str, values: Mapping[str, Any]) -> None:
    row = find(transaction.connection, case_id)
    if row is None:
        raise NotFound("There is no such exception.", case=case_id)
    if row["state"] != "open":
        raise Conflict("The exception is closed already.", case=case_id)
    transaction.connection.execute(update(cases).where(cases.c.id == case_id).values(**values))
