"""Runs that were told to stop: they end, or take back what they did, at their next durable point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select, update

from hub.audit.kinds import AuditKind
from hub.errors import StaleLease, ToldToStop
from hub.model.run import OPEN_STATES, WORKING_STATES, RunState, Stopping
from hub.sdk import exact_json
from hub.store import cases
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.runs import forget_waits
from hub.store.tables import runs


def order_of(connection: Connection, run_id: str) -> Mapping[str, Any]:
    """Give who told a run to stop, and why, as it stands now: a worker may hear of it when it is under way."""
    order = connection.execute(select(runs.c.stopping_order).where(runs.c.id == run_id)).scalar()
    read: Mapping[str, Any] = {} if order is None else exact_json.loads(order)
    return read


def tell_to_stop(transaction: Transaction, run_id: str, stopping: Stopping, order: Mapping[str, Any]) -> bool:
    """Have a run end, or take back what it did, at its next durable point; False when it can no more.

    `order` says who ordered it and why, and names the `caller` with which a called flow goes. A run that waits, is
    parked or (to take back) has ended goes on for that.
    """
    resting = [RunState.QUEUED, RunState.WAITING, RunState.PARKED]
    if stopping is Stopping.COMPENSATE:
        resting += [RunState.SUCCEEDED, RunState.CANCELLED]
    named = {"stopping": stopping.value, "stopping_order": exact_json.dumps({**order, "at": transaction.now}).decode()}
    working = transaction.connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_([each.value for each in WORKING_STATES]))
        .values(**named)
    )
    woken = transaction.connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.replaced_by.is_(None), runs.c.state.in_([each.value for each in resting]))
        .values(
            state=RunState.QUEUED.value,
            blocking=True,
            deaths=0,
            claimable_at=transaction.now,
            wait_kind=None,
            wait_on=None,
            updated_at=transaction.now,
            **named,
        )
    )
    forget_waits(transaction.connection, [run_id])
    transaction.woken = True
    return bool(working.rowcount or woken.rowcount)


def tell_called(transaction: Transaction, run_id: str, stopping: Stopping, order: Mapping[str, Any]) -> None:
    """Have a called flow end, or take back what it did, with the run that called it.

    What a person ordered of it by itself stands, and so does an order to take back. What came to its end before it
    heard of an order to end is taken back, and so is what was ended with its caller.
    """
    names = ("state", "stopping", "stopping_order")
    found = transaction.connection.execute(select(*(runs.c[name] for name in names)).where(runs.c.id == run_id)).one()
    run = dict(found._mapping)
    is_open, how = RunState(run["state"]) in OPEN_STATES, run["stopping"]
    if was_ended_by_itself(run) or (is_open and how is not None and (how == stopping or not _goes_with_caller(run))):
        return
    if not tell_to_stop(transaction, run_id, stopping, order):
        return
    words = "to be cancelled" if stopping is Stopping.CANCEL else "to be taken back"
    cases.close_all(transaction, run_id, resolution=f"{words}: {order['reason']}", actor=order["actor"])
    transaction.entries.append(
        Note(
            kind=AuditKind.RUN_STOPPING,
            actor=order["actor"],
            subjects={"run": run_id, "caller": order["caller"]},
            facts={"how": stopping.value},
        )
    )


def was_ended_by_itself(run: Mapping[str, Any]) -> bool:
    """Tell whether a person has ended a called flow by itself, and not with its caller: what it did stays."""
    return run["state"] == RunState.CANCELLED and not _goes_with_caller(run)


def _goes_with_caller(run: Mapping[str, Any]) -> bool:
    return run["stopping_order"] is not None and "caller" in exact_json.loads(run["stopping_order"])


def turn_back(transaction: Transaction, run_id: str, *, epoch: int, reason: str, actor: str) -> None:
    """Let a run that has failed take back what it did; its worker goes on with that.

    What a person ordered of it in the same moment stands, though its flow says to take back (`ToldToStop`): who cancels
    a run wants what it did to stay.
    """
    mine = select(runs.c.stopping).where(runs.c.id == run_id, runs.c.epoch == epoch)
    told = transaction.connection.execute(mine).scalar()
    if told is not None:
        raise ToldToStop(run=run_id, stopping=told)
    order = {"actor": actor, "reason": reason, "at": transaction.now}
    _turn(
        transaction,
        run_id,
        epoch,
        {
            "stopping": Stopping.COMPENSATE.value,
            "stopping_order": exact_json.dumps(order).decode(),
            "reason": reason,
        },
    )
    transaction.entries.append(
        Note(kind=AuditKind.RUN_TURNED_BACK, actor=actor, subjects={"run": run_id}, facts={"reason": reason})
    )


def begin_to_take_back(transaction: Transaction, run_id: str, *, epoch: int) -> None:
    """Show that a run takes back what it did, now that its worker has heard of the order."""
    _turn(transaction, run_id, epoch, {})


def _turn(transaction: Transaction, run_id: str, epoch: int, values: Mapping[str, Any]) -> None:
    changed = transaction.connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.epoch == epoch)
        .values(state=RunState.COMPENSATING.value, updated_at=transaction.now, **values)
    )
    if changed.rowcount == 0:
        raise StaleLease(run=run_id)
