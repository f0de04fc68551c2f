"""Runs: found, counted, taken back from a process that died, and woken when what they wait for has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Update,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    update,
)

from hub.audit.kinds import AuditKind
from hub.model.run import WORKING_STATES, RunState, WaitKind
from hub.store import deaths
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.statements import Formed
from hub.store.tables import awaited, runs

#: What stands in `wait_on` of a run that waits for several things; they are in `awaited`.
MANY = "many:"


def forget_waits(connection: Connection, ids: Sequence[str]) -> None:
    """Forget what runs waited for that waited for several things."""
    for start in range(0, len(ids), 500):
        connection.execute(delete(awaited).where(awaited.c.run_id.in_(ids[start : start + 500])))


def _letting_go(*conditions: ColumnElement[bool]) -> Update:
    first = (
        select(runs.c.id)
        .where(
            runs.c.environment == bindparam("of_environment"),
            runs.c.flow == bindparam("of_flow"),
            runs.c.key == bindparam("of_key"),
            runs.c.wait_kind == literal_column("'order'"),
            # One that a person has ended while it stood there must not come to life again.
            runs.c.state == RunState.QUEUED.value,
            *conditions,
        )
        .order_by(runs.c.position)
        .limit(1)
        .scalar_subquery()
    )
    # Asked once more of the row itself: another process may have let it go meanwhile, and a third one have it.
    waits = (runs.c.wait_kind == literal_column("'order'"), runs.c.state == RunState.QUEUED.value)
    return update(runs).where(runs.c.id == first, *waits).values(claimable_at=bindparam("from_now"), wait_kind=None)


_LET_GO = _letting_go()
#: One that comes back to its place: a replay, or a run that is told to stop after its end.
_LET_BACK_GO = _letting_go(or_(runs.c.replay_of.is_not(None), runs.c.stopping.is_not(None)))


def let_next_go(
    transaction: Transaction, gone: Iterable[tuple[str, str, str]], resting: Iterable[tuple[str, str, str]] = ()
) -> None:
    """Let the first run go that waits behind others of its key (environment, flow, key), now that one of them is gone.

    While one is only `resting` (it waits for something), an earlier one that comes back may go before it: a replay, or
    a run that is told to stop. Whether a run may be taken is decided when it is claimed; who calls this too often does
    no harm.
    """
    if not _anybody_behind(transaction.connection):
        return
    for statement, keys in ((_LET_GO, gone), (_LET_BACK_GO, resting)):
        rows = [
            {"of_environment": environment, "of_flow": flow, "of_key": key, "from_now": transaction.now}
            for environment, flow, key in sorted(set(keys))
        ]
        if rows:
            transaction.connection.execute(statement, rows)
            transaction.woken = True


def _anybody_behind(connection: Connection) -> bool:
    return _BEHIND.scalar(connection) is not None


#: In the words of the partial index, which is not used otherwise.
_BEHIND = Formed(select(runs.c.id).where(runs.c.wait_kind == literal_column("'order'")).limit(1))


def recover(transaction: Transaction, *, environment: str, actor: str, which: ColumnElement[bool] | None = None) -> int:
    """Take back every run that a stopped process left in its hands, so that it is claimed anew; gives their number.

    Without `which` runs these are, call it only when no other process can be working on any. One that may be the cause
    of its processes' deaths is claimed apart from the others.
    """
    here = runs.c.environment == environment
    if which is not None:
        here = and_(here, which)
    left = [*transaction.connection.execute(select(runs.c.id).where(here, _WORKED_ON)).scalars()]
    deaths.count(transaction, left)
    taken = _take_back(transaction, here, kind=AuditKind.RUN_RECOVERED, actor=actor)
    deaths.set_apart(transaction, environment)
    return taken


_WORKED_ON = runs.c.state.in_([state.value for state in WORKING_STATES])


def hand_back(transaction: Transaction, *, environment: str, owner: str) -> int:
    """Give back every run that a worker has in hand and does no more work on; gives their number."""
    held = and_(runs.c.environment == environment, runs.c.owner == owner)
    return _take_back(transaction, held, kind=AuditKind.RUN_HANDED_BACK, actor=owner)


def hand_back_one(transaction: Transaction, *, run_id: str, epoch: int, actor: str) -> int:
    """Give back one run, where it is still in the hands of whoever had it in this epoch."""
    held = and_(runs.c.id == run_id, runs.c.epoch == epoch)
    return _take_back(transaction, held, kind=AuditKind.RUN_HANDED_BACK, actor=actor)


def _take_back(transaction: Transaction, which: ColumnElement[bool], *, kind: AuditKind, actor: str) -> int:
    columns = (runs.c.id, runs.c.environment, runs.c.flow, runs.c.key)
    left = transaction.connection.execute(select(*columns).where(which, _WORKED_ON)).all()
    ids = [row.id for row in left]
    for start in range(0, len(ids), 500):
        transaction.connection.execute(
            update(runs)
            .where(runs.c.id.in_(ids[start : start + 500]))
            .values(
                state=RunState.QUEUED.value,
                claimable_at=transaction.now,
                owner=None,
                updated_at=transaction.now,
                # Who had it may wake and go on: that records nothing from here on, not only once it is claimed anew.
                epoch=runs.c.epoch + 1,
            )
        )
    # Nobody works on these keys any more, so whoever came back to an earlier place goes first.
    let_next_go(transaction, (), resting=((row.environment, row.flow, row.key) for row in left))
    transaction.entries.extend(Note(kind=kind, actor=actor, subjects={"run": run_id}) for run_id in ids)
    transaction.woken = transaction.woken or bool(ids)
    return len(ids)


def call_forward(transaction: Transaction, *, environment: str) -> int:
    """Let runs go now whose time a clock that was ahead has put into the future; gives their number.

    What is queued waits for nothing but a worker, and what waits since a moment that has not come yet sees anew until
    when. It goes through all that waits for a time, so call it at a start and after a clock was put back.
    """
    late = and_(runs.c.environment == environment, runs.c.claimable_at > transaction.now)
    since_later = and_(runs.c.state == RunState.WAITING.value, runs.c.updated_at > transaction.now)
    changed = transaction.connection.execute(
        update(runs)
        .where(late, or_(runs.c.state == RunState.QUEUED.value, since_later))
        .values(claimable_at=transaction.now)
    )
    transaction.woken = transaction.woken or changed.rowcount > 0
    return changed.rowcount


def wake(transaction: Transaction, topics: Iterable[str]) -> None:
    """Let the runs go on that wait for one of these topics."""
    names = list(topics)
    connection = transaction.connection
    for start in range(0, len(names), 500):
        some = names[start : start + 500]
        _go_on(transaction, runs.c.wait_on.in_(some))
        among = connection.execute(select(awaited.c.run_id).where(awaited.c.topic.in_(some)).distinct()).scalars().all()
        if among:
            _go_on(transaction, runs.c.id.in_(among))
            # What else they wait for stays: nobody has told of it.
            connection.execute(delete(awaited).where(awaited.c.topic.in_(some)))


def _go_on(transaction: Transaction, which: ColumnElement[bool]) -> None:
    waiting = (which, runs.c.state == RunState.WAITING.value)
    if transaction.beside and transaction.connection.execute(select(runs.c.id).where(*waiting).limit(1)).first():
        # Two who wake the same ones in another order would wait for each other in a circle.
        transaction.assert_alone()
    changed = transaction.connection.execute(
        update(runs)
        .where(*waiting)
        .values(state=RunState.QUEUED.value, claimable_at=transaction.now, wait_on=None, wait_kind=None)
    )
    transaction.woken = transaction.woken or changed.rowcount > 0


def go_on(transaction: Transaction, run_id: str) -> None:
    """Let a waiting run go on now."""
    _go_on(transaction, runs.c.id == run_id)
    forget_waits(transaction.connection, [run_id])


def find(connection: Connection, run_id: str) -> Mapping[str, Any] | None:
    """Give a run's row."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def counts(connection: Connection, *, environment: str) -> dict[str, dict[str, int]]:
    """Count the runs that stand for themselves (not replaced by a replay): flow → state → number."""
    statement = (
        select(runs.c.flow, runs.c.state, func.count())
        .where(runs.c.environment == environment, runs.c.replaced_by.is_(None))
        .group_by(runs.c.flow, runs.c.state)
    )
    found: dict[str, dict[str, int]] = {}
    for flow, state, number in connection.execute(statement):
        found.setdefault(flow, {})[state] = number
    return found


def waiting_kinds(connection: Connection, *, environment: str) -> dict[str, int]:
    """Count the waiting runs by what they wait for."""
    statement = (
        select(runs.c.wait_kind, func.count())
        .where(runs.c.environment == environment, runs.c.state == RunState.WAITING.value)
        .group_by(runs.c.wait_kind)
    )
    return {WaitKind(kind).value: number for kind, number in connection.execute(statement) if kind}
