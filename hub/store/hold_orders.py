"""What people order of holds: a run, a key of a flow or a flow stands still until they let it go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, true, update

from hub.audit.entry import Fact, is_plain
from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.hold import HoldKind
from hub.model.run import OPEN_STATES, RunState
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.control_tables import holds
from hub.store.held import topic
from hub.store.runs import find, wake
from hub.store.tables import runs


def place(
    transaction: Transaction,
    *,
    new_id: str,
    environment: str,
    kind: HoldKind,
    name: str,
    key: str = "",
    reason: str,
    actor: str,
) -> Mapping[str, Any]:
    """Hold a run, a key (of the flow `name`) or a flow; gives the hold, the standing one to who orders it again.

    A connection is paused instead (`hub.store.connections`). Raises `Conflict` where somebody else holds it already,
    and where a run has nothing left to be held.
    """
    standing = in_force(transaction.connection, environment=environment, kind=kind, name=name, key=key)
    if standing is not None:
        if (standing["actor"], standing["reason"]) == (actor, reason):
            return standing
        raise Conflict(
            "It is held already; resume it, or leave it as it is.",
            code="held-already",
            by=standing["actor"],
            reason=standing["reason"],
        )
    if kind is HoldKind.RUN:
        _assert_holdable(transaction, environment, name)
    row = {
        "id": new_id,
        "environment": environment,
        "kind": kind.value,
        "name": name,
        "key": key,
        "reason": reason,
        "actor": actor,
        "at": transaction.now,
    }
    transaction.connection.execute(insert(holds), row)
    transaction.entries.append(_note(AuditKind.HOLD_PLACED, row, actor, reason))
    return row


def lift(
    transaction: Transaction,
    *,
    environment: str,
    kind: HoldKind,
    name: str,
    key: str = "",
    reason: str,
    actor: str,
) -> Mapping[str, Any]:
    """Let go on what was held, and the runs that wait for it; gives the hold. `Conflict` when nobody holds it."""
    standing = in_force(transaction.connection, environment=environment, kind=kind, name=name, key=key)
    if standing is None:
        raise Conflict("Nobody holds it.", code="not-held", kind=kind.value, name=name)
    end(transaction, standing, reason=reason, actor=actor)
    return standing


def end(transaction: Transaction, standing: Mapping[str, Any], *, reason: str, actor: str) -> None:
    """End a hold that is in force."""
    transaction.connection.execute(
        update(holds)
        .where(holds.c.id == standing["id"])
        .values(ended_at=transaction.now, ended_by=actor, ended_reason=reason)
    )
    wake(transaction, [topic(HoldKind(standing["kind"]), standing["name"], standing["key"])])
    transaction.entries.append(_note(AuditKind.HOLD_LIFTED, standing, actor, reason))


def in_force(
    connection: Connection, *, environment: str, kind: HoldKind, name: str, key: str = ""
) -> Mapping[str, Any] | None:
    """Give the hold of this very thing, None when there is none."""
    row = connection.execute(
        select(holds).where(
            holds.c.environment == environment,
            holds.c.kind == kind.value,
            holds.c.name == name,
            holds.c.key == key,
            holds.c.ended_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else dict(row._mapping)


def has_flow(connection: Connection, *, environment: str, flow: str) -> bool:
    """Tell whether a flow has a run that is not at its end."""
    statement = select(runs.c.id).where(
        runs.c.environment == environment, runs.c.flow == flow, runs.c.blocking == true()
    )
    return connection.execute(statement.limit(1)).scalar() is not None


def _assert_holdable(transaction: Transaction, environment: str, run_id: str) -> None:
    row = find(transaction.connection, run_id)
    if row is None or row["environment"] != environment:
        raise NotFound("There is no such run.", run=run_id)
    state = RunState(row["state"])
    if state not in OPEN_STATES or state is RunState.PARKED or row["replaced_by"] is not None:
        raise Conflict("The run stands still already; there is nothing to hold.", run=run_id, state=state.value)


def _note(kind: AuditKind, row: Mapping[str, Any], actor: str, reason: str) -> Note:
    subjects = {"hold": row["id"], "run" if row["kind"] == HoldKind.RUN else "flow": row["name"]}
    facts: dict[str, Fact] = {"kind": row["kind"], "reason": bound(reason)}
    # A key may be anything; where it is no plain name, the hold tells it and the log only binds the hold.
    if row["key"] and is_plain(row["key"]):
        facts["key"] = row["key"]
    return Note(kind=kind, actor=actor, subjects=subjects, facts=facts)
