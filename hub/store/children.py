"""Runs that steps of other runs have called, found by who waits for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from hub.model.run import OPEN_STATES, WENT_ON, RunState, StepState, Stopping
from hub.store.committer import Transaction
from hub.store.tables import runs, steps


def child(connection: Connection, *, parent_run: str, parent_path: str) -> Mapping[str, Any] | None:
    """Give the newest run of the flow that a step has called."""
    return _newest(connection, runs.c.parent_run == parent_run, runs.c.parent_path == parent_path)


def child_of_line(connection: Connection, run_ids: Sequence[str], *, parent_path: str) -> Mapping[str, Any] | None:
    """Give the newest run of the flow that a step of any of these runs has called."""
    return _newest(connection, runs.c.parent_run.in_(run_ids), runs.c.parent_path == parent_path)


def compensated(connection: Connection, run_ids: Sequence[str]) -> list[Mapping[str, Any]]:
    """Give the called runs of these whose work does not stand any more, because it was ordered to be taken back."""
    back = or_(runs.c.state == RunState.COMPENSATED.value, runs.c.stopping == Stopping.COMPENSATE.value)
    statement = select(runs).where(runs.c.parent_run.in_(run_ids), runs.c.replaced_by.is_(None), back)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(runs.c.created_at, runs.c.id))]


def newest_of_event(connection: Connection, event_id: str, flow: str) -> Mapping[str, Any] | None:
    """Give the newest run that an event started of a flow, or the one that replays it, with whatever record."""
    first = select(runs).where(runs.c.event_id == event_id, runs.c.flow == flow)
    row = connection.execute(first.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(1)).one_or_none()
    while row is not None and row.replaced_by is not None:
        row = connection.execute(select(runs).where(runs.c.id == row.replaced_by)).one_or_none()
    return None if row is None else dict(row._mapping)


def has_ended(connection: Connection, *, parent_run: str, parent_path: str) -> bool:
    """Tell whether a flow that a step has called has come to its end, or waits with a replay of its caller by now."""
    row = child(connection, parent_run=parent_run, parent_path=parent_path)
    return row is None or RunState(row["state"]) not in OPEN_STATES


def has_stopped(connection: Connection, *, parent_run: str, parent_path: str) -> bool:
    """Tell whether a flow that a step has called was ended or taken back."""
    row = child(connection, parent_run=parent_run, parent_path=parent_path)
    return row is not None and RunState(row["state"]) in (RunState.CANCELLED, RunState.COMPENSATED)


def children(connection: Connection, run_ids: Sequence[str], *, within: str | None = None) -> list[Mapping[str, Any]]:
    """Give the runs of the flows that these runs' steps have called, the oldest first.

    `within` is the path of an item of a loop, when only what was called inside that is asked for.
    """
    statement = select(runs).where(runs.c.parent_run.in_(run_ids), runs.c.replaced_by.is_(None))
    if within is not None:
        # `/` is the character after `.`.
        statement = statement.where(runs.c.parent_path > f"{within}.", runs.c.parent_path < f"{within}/")
    return [dict(row._mapping) for row in connection.execute(statement.order_by(runs.c.created_at, runs.c.id))]


def caller_of(connection: Connection, run: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the run that waits for a called flow's end, or will; None when none does.

    That is the latest replay of the one that called it, unless it has ended, has got past that step, or has stopped
    itself and nothing is open of it any more.
    """
    parent, path = run["parent_run"], run["parent_path"]
    while parent is not None:
        row = connection.execute(select(runs).where(runs.c.id == parent)).one_or_none()
        if row is None or row.replaced_by is None:
            break
        parent = row.replaced_by
    if parent is None or row is None or RunState(row.state) not in OPEN_STATES or not row.blocking:
        return None
    past = or_(steps.c.state == StepState.SUCCEEDED.value, steps.c.rule == WENT_ON)
    gone = connection.execute(select(steps.c.path).where(steps.c.run_id == parent, steps.c.path == path, past))
    return None if gone.first() is not None else dict(row._mapping)


def adopt(transaction: Transaction, run_id: str, *, parent_run: str, parent_path: str) -> None:
    """Let another run wait for the end of a called flow: the replay of the one that called it."""
    transaction.connection.execute(
        update(runs).where(runs.c.id == run_id).values(parent_run=parent_run, parent_path=parent_path)
    )


def _newest(connection: Connection, *which: ColumnElement[bool]) -> Mapping[str, Any] | None:
    statement = (
        select(runs).where(*which, runs.c.replaced_by.is_(None)).order_by(runs.c.created_at.desc(), runs.c.id.desc())
    )
    row = connection.execute(statement.limit(1)).one_or_none()
    return None if row is None else dict(row._mapping)
