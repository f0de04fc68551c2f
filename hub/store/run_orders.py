"""What people order of runs: to end one, or to have what it did taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.effect import EffectState
from hub.model.hold import HoldKind
from hub.model.run import OPEN_STATES, WORKING_STATES, RunState, Stopping
from hub.sdk import exact_json
from hub.store import approvals, hold_orders, outbox
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.history import child_topic
from hub.store.lineage import replayed
from hub.store.retention import assert_kept
from hub.store.runs import find, forget_waits, let_next_go, wake
from hub.store.stopping import tell_to_stop
from hub.store.tables import cases, effects, runs, steps

Row = Mapping[str, Any]
#: Of a write in these states nobody knows whether it happened; the last waits for a person.
_IN_DOUBT = (EffectState.INTENT.value, EffectState.UNKNOWN.value, EffectState.PARKED.value)


def cancel(transaction: Transaction, run_id: str, *, actor: str, reason: str) -> RunState:
    """End a run; what it did stays done. Gives its state now: cancelled, or its own where it ends a little later.

    That is when a worker has it in hand, or when an outcome of its writes is still to be found out. Open runs of flows
    that it has called end too, and go with it if it is taken back after all. The same order again changes nothing.
    """
    return _cancel(transaction, run_id, {"actor": actor, "reason": reason})


def _cancel(transaction: Transaction, run_id: str, order: Row) -> RunState:
    row = _standing(transaction, run_id)
    state = RunState(row["state"])
    if state is RunState.CANCELLED or (row["stopping"] == Stopping.CANCEL and state is not RunState.PARKED):
        return state
    if state not in OPEN_STATES:
        raise Conflict(
            "The run has come to its end; what it did can be taken back.",
            code="run-ended",
            run=run_id,
            state=state.value,
        )
    _assert_not_taken_back(row)
    doubtful = _doubtful(transaction.connection, row)
    if state in WORKING_STATES or doubtful:
        _tell(transaction, row, Stopping.CANCEL, order)
        state = state if state in WORKING_STATES else RunState.QUEUED
    else:
        _end(transaction, row, order)
        state = RunState.CANCELLED
    for child in _open_children(transaction.connection, run_id):
        _cancel(transaction, child, {**order, "caller": run_id})
    return state


def take_back(transaction: Transaction, run_id: str, *, actor: str, reason: str) -> RunState:
    """Have what a run did taken back in reverse order, also of one that has succeeded; gives its state now.

    A run that has done nothing yet is cancelled. The same order again changes nothing.
    """
    row = _standing(transaction, run_id)
    state = RunState(row["state"])
    told = row["stopping"] == Stopping.COMPENSATE and state is not RunState.PARKED
    if told or state in (RunState.COMPENSATING, RunState.COMPENSATED):
        return state
    if state is RunState.CANCELLED and _untouched(transaction.connection, run_id):
        return state
    if state is RunState.CANCELLED:
        raise Conflict(
            "The run was cancelled, and what it did stays. Replay it first if it is to be taken back.",
            code="run-ended",
            run=run_id,
            state=state.value,
        )
    assert_kept(row)
    _doubtful(transaction.connection, row)
    if state in OPEN_STATES - WORKING_STATES and _untouched(transaction.connection, run_id):
        return cancel(transaction, run_id, actor=actor, reason=reason)
    _tell(transaction, row, Stopping.COMPENSATE, {"actor": actor, "reason": reason})
    return RunState.QUEUED if state not in WORKING_STATES else state


def close_cases(transaction: Transaction, run_id: str, *, actor: str, resolution: str) -> None:
    """Close the open cases of a run because of what a person ordered of it."""
    closed = transaction.connection.execute(
        update(cases)
        .where(cases.c.run_id == run_id, cases.c.state == "open")
        .values(state="closed", closed_at=transaction.now, closed_by=actor, resolution=resolution)
        .returning(cases.c.id)
    )
    outbox.tell_cases(transaction, closed.scalars().all())


def end_hold(transaction: Transaction, row: Row, *, actor: str, reason: str) -> None:
    """End a run's own hold, because another order of the run takes its place."""
    standing = hold_orders.in_force(
        transaction.connection, environment=row["environment"], kind=HoldKind.RUN, name=row["id"]
    )
    if standing is not None:
        hold_orders.end(transaction, standing, reason=reason, actor=actor)


def in_doubt(connection: Connection, run: Row) -> list[Row]:
    """Give the writes of a run, and of those it replays, of which nobody knows whether they happened."""
    statement = select(effects).where(
        effects.c.run_id.in_([run["id"], *replayed(connection, run["replay_of"])]), effects.c.state.in_(_IN_DOUBT)
    )
    return [dict(row._mapping) for row in connection.execute(statement)]


def _standing(transaction: Transaction, run_id: str) -> Row:
    row = find(transaction.connection, run_id)
    if row is None:
        raise NotFound("There is no such run.", run=run_id)
    if row["replaced_by"] is not None:
        raise Conflict("The run was replayed; order it of its latest run.", run=run_id, latest=row["replaced_by"])
    return row


def _assert_not_taken_back(row: Row) -> None:
    told = row["stopping"] == Stopping.COMPENSATE and row["state"] != RunState.PARKED
    if told or row["state"] == RunState.COMPENSATING:
        raise Conflict("What the run did is being taken back; it ends with that.", code="taken-back", run=row["id"])


def _doubtful(connection: Connection, row: Row) -> bool:
    """Tell whether the hub still has an outcome to find out; `Conflict` for one that only a person can."""
    found = in_doubt(connection, row)
    waiting = next((effect for effect in found if effect["state"] == EffectState.PARKED), None)
    if waiting is not None and RunState(row["state"]) not in WORKING_STATES:
        raise Conflict(
            "Nobody knows whether one of its writes was made. Settle that write first, then order this again.",
            code="outcome-unknown",
            effect=waiting["key"],
            operation=waiting["operation"],
        )
    return bool(found)


def _untouched(connection: Connection, run_id: str) -> bool:
    """Tell whether a run has done nothing at all, so that there is nothing to take back."""
    row = find(connection, run_id)
    assert row is not None
    if row["epoch"] == 0 and row["replay_of"] is None:
        return True
    ids = [run_id, *replayed(connection, row["replay_of"])]
    written = select(effects.c.key).where(effects.c.run_id.in_(ids), effects.c.state != EffectState.FAILED.value)
    gone = select(steps.c.path).where(steps.c.run_id.in_(ids))
    called = select(runs.c.id).where(runs.c.parent_run.in_(ids))
    return all(connection.execute(each.limit(1)).one_or_none() is None for each in (written, gone, called))


def _open_children(connection: Connection, run_id: str) -> list[str]:
    statement = select(runs.c.id).where(
        runs.c.parent_run == run_id,
        runs.c.replaced_by.is_(None),
        runs.c.state.in_([state.value for state in OPEN_STATES]),
    )
    return list(connection.execute(statement).scalars())


def _tell(transaction: Transaction, row: Row, how: Stopping, order: Row) -> None:
    actor, reason = order["actor"], order["reason"]
    tell_to_stop(transaction, row["id"], how, order)
    words = "to be cancelled" if how is Stopping.CANCEL else "to be taken back"
    close_cases(transaction, row["id"], actor=actor, resolution=f"{words}: {reason}")
    approvals.void_pending(transaction, row["id"], actor=actor)
    end_hold(transaction, row, actor=actor, reason=reason)
    transaction.entries.append(
        Note(
            kind=AuditKind.RUN_STOPPING,
            actor=actor,
            subjects={"run": row["id"]},
            facts={"how": how.value, "reason": bound(reason)},
        )
    )


def _end(transaction: Transaction, row: Row, order: Row) -> None:
    actor, reason = order["actor"], order["reason"]
    transaction.connection.execute(
        update(runs)
        .where(runs.c.id == row["id"])
        .values(
            state=RunState.CANCELLED.value,
            blocking=False,
            claimable_at=None,
            wait_kind=None,
            wait_on=None,
            wait_until=None,
            reason="cancelled",
            stopping_order=exact_json.dumps({**order, "at": transaction.now}).decode(),
            finished_at=transaction.now,
            updated_at=transaction.now,
        )
    )
    outbox.tell_ends(transaction, [row["id"]])
    forget_waits(transaction.connection, [row["id"]])
    close_cases(transaction, row["id"], actor=actor, resolution=f"cancelled: {reason}")
    end_hold(transaction, row, actor=actor, reason=reason)
    approvals.void_pending(transaction, row["id"], actor=actor)
    let_next_go(transaction, [(row["environment"], row["flow"], row["key"])])
    if row["parent_run"] is not None:
        wake(transaction, [child_topic(row["parent_run"], row["parent_path"])])
    transaction.entries.append(
        Note(kind=AuditKind.RUN_CANCELLED, actor=actor, subjects={"run": row["id"]}, facts={"reason": bound(reason)})
    )
    transaction.woken = True
