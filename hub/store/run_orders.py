"""What people order of runs: to make one again, or to end it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.run import OPEN_STATES, RunState
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.runs import let_next_go
from hub.store.tables import cases, runs, steps


def replay(
    transaction: Transaction,
    run_id: str,
    *,
    new_id: str,
    actor: str,
    from_step: str | None,
    bundle: str | None = None,
) -> str:
    """Make a parked or finished run again as a new run in its place in the order; gives the new run's id.

    Effect keys stay the same. `from_step` keeps the recorded steps before it (None: from the start); `bundle` takes
    another revision of the workspace than the run had.
    """
    connection = transaction.connection
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such run.", run=run_id)
    state = RunState(row.state)
    if state in OPEN_STATES and state is not RunState.PARKED:
        raise Conflict("The run is still going; wait for its end, or cancel it first.", run=run_id, state=state.value)
    if row.replaced_by is not None:
        raise Conflict("The run was replayed already; replay its latest run.", run=run_id, latest=row.replaced_by)
    kept = _kept_steps(connection, run_id, from_step)
    connection.execute(
        insert(runs),
        {
            **{name: row._mapping[name] for name in ("position", "environment", "entity", "flow", "event_id", "key")},
            **{
                name: row._mapping[name]
                for name in (
                    "business_key",
                    "generation",
                    "money_minor",
                    "money_currency",
                    "priority",
                    "parent_run",
                    "parent_path",
                )
            },
            "id": new_id,
            "bundle": bundle or row.bundle,
            "state": RunState.QUEUED.value,
            "blocking": True,
            "claimable_at": transaction.now,
            "epoch": 0,
            "replay_of": run_id,
            "created_at": transaction.now,
            "updated_at": transaction.now,
        },
    )
    if kept:
        connection.execute(insert(steps), [{**step, "run_id": new_id} for step in kept])
    connection.execute(
        update(runs).where(runs.c.id == run_id).values(replaced_by=new_id, blocking=False, updated_at=transaction.now)
    )
    connection.execute(
        update(cases)
        .where(cases.c.run_id == run_id, cases.c.state == "open")
        .values(state="closed", closed_at=transaction.now, closed_by=actor, resolution=f"replayed as {new_id}")
    )
    transaction.entries.append(
        Note(
            kind=AuditKind.RUN_REPLAYED,
            actor=actor,
            subjects={"run": run_id, "replay": new_id},
            facts={"from": from_step or "start", "bundle": bundle or row.bundle},
        )
    )
    transaction.woken = True
    return new_id


def _kept_steps(connection: Connection, run_id: str, from_step: str | None) -> list[dict[str, Any]]:
    if from_step is None:
        return []
    rows = [
        dict(row._mapping)
        for row in connection.execute(select(steps).where(steps.c.run_id == run_id).order_by(steps.c.ordinal))
    ]
    start = next((row["ordinal"] for row in rows if row["path"] == from_step), None)
    if start is None:
        raise NotFound("The run has no such step.", run=run_id, step=from_step)
    return [row for row in rows if row["ordinal"] < start and row["state"] == "succeeded"]


def cancel(transaction: Transaction, run_id: str, *, actor: str, reason: str) -> None:
    """End a run that is not working right now; what it did stays done."""
    row = transaction.connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such run.", run=run_id)
    if RunState(row.state) not in (RunState.QUEUED, RunState.WAITING, RunState.PARKED) or row.replaced_by:
        raise Conflict("Only a queued, waiting or parked run can be cancelled.", run=run_id, state=row.state)
    transaction.connection.execute(
        update(runs)
        .where(runs.c.id == run_id)
        .values(
            state=RunState.CANCELLED.value,
            blocking=False,
            claimable_at=None,
            wait_on=None,
            reason="cancelled",
            finished_at=transaction.now,
            updated_at=transaction.now,
        )
    )
    transaction.connection.execute(
        update(cases)
        .where(cases.c.run_id == run_id, cases.c.state == "open")
        .values(state="closed", closed_at=transaction.now, closed_by=actor, resolution=f"cancelled: {reason}")
    )
    let_next_go(transaction, [(row.environment, row.flow, row.key)])
    transaction.entries.append(Note(kind=AuditKind.RUN_CANCELLED, actor=actor, subjects={"run": run_id}))
    transaction.woken = True
