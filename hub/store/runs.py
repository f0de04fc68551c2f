"""Runs: claimed in order of acceptance per flow and key, by one worker at a time, under a rising epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
    update,
)

from hub.audit.kinds import AuditKind
from hub.errors import LimitReached
from hub.model.run import WORKING_STATES, Priority, RunState, Stopping, WaitKind
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.held import Holds, held, hold_over
from hub.store.tables import attempts, awaited, effects, events, runs, steps


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRun:
    """A run with all that is needed to go on with it: its event, its finished steps, its effects so far."""

    run: Mapping[str, Any]
    event: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    #: How many of the attempts a limit turned away.
    limited: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a worker got, and when the next run becomes claimable (microseconds; None: not by time alone)."""

    runs: Sequence[ClaimedRun]
    next_at: int | None


@cache
def in_order() -> ColumnElement[bool]:
    """Hold a run back while an earlier one of the same flow and key is open, or a replay while a later one works."""
    earlier, later = runs.alias("earlier"), runs.alias("later")
    held_back = exists().where(*_alike(earlier), earlier.c.position < runs.c.position)
    working = [state.value for state in WORKING_STATES]
    overtaken = exists().where(*_alike(later), later.c.position > runs.c.position, later.c.state.in_(working))
    # Only a replay takes a place in the order that others may have gone past.
    return and_(~held_back, or_(runs.c.replay_of.is_(None), ~overtaken))


def _alike(other: FromClause) -> tuple[ColumnElement[bool], ...]:
    same = (other.c[name] == runs.c[name] for name in ("environment", "flow", "key"))
    return (*same, other.c.blocking == true())


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Write):
    """Take up to `limit` runs of an environment for a worker; the result is `Claimed`.

    `eligible` says which of the runs whose time has come may be taken.
    """

    environment: str
    owner: str
    limit: int
    eligible: ColumnElement[bool] = field(default_factory=in_order)

    rank = 30
    patient = True

    @classmethod
    def apply(cls, batch: Sequence[Claim], transaction: Transaction) -> list[Claimed]:
        """Serve one claim after the other."""
        return [claim.take(transaction) for claim in batch]

    def take(self, transaction: Transaction) -> Claimed:
        """Raise the epoch of the runs taken, so that whoever had them before can record nothing more."""
        taken: list[Mapping[str, Any]] = []
        holds = held(transaction.connection, self.environment)
        for priority in Priority:
            while (room := self.limit - len(taken)) > 0:
                ripe = self._ripe(transaction, priority, room)
                over = {row.id: on for row in ripe if (on := _hold(transaction.connection, holds, row)) is not None}
                _hold_back(transaction, over)
                free = [row for row in ripe if row.id not in over]
                taken.extend(self._taken(transaction, [row.id for row in free if row.eligible]))
                _set_aside(transaction, [row.id for row in free if not row.eligible])
                forget_waits(transaction.connection, [row.id for row in ripe if _waited_for_many(row)])
                if len(ripe) < room:
                    break
        taken.sort(key=lambda run: run["position"])
        return Claimed(runs=_with_history(transaction.connection, taken), next_at=self._next_at(transaction))

    def _ripe(self, transaction: Transaction, priority: Priority, limit: int) -> Sequence[Row[Any]]:
        """Give the runs of one priority whose time has come, each with whether it may be taken."""
        given = {"here": self.environment, "of_priority": priority, "until_now": transaction.now, "most": limit}
        return transaction.connection.execute(_ripe(self.eligible), given).all()

    def _taken(self, transaction: Transaction, ids: Sequence[str]) -> list[Mapping[str, Any]]:
        if not ids:
            return []
        given = {"ids": ids, "by": self.owner, "from_now": transaction.now}
        return [dict(row._mapping) for row in transaction.connection.execute(_TAKE, given)]

    def _next_at(self, transaction: Transaction) -> int | None:
        given = {"here": self.environment, "after_now": transaction.now}
        found: int | None = transaction.connection.execute(_NEXT_AT, given).scalar()
        return found


# Formed once: forming them costs more than what the database does with them.
_RIPE = tuple(runs.c[name] for name in ("id", "flow", "key", "wait_on", "stopping", "parent_run"))
_TAKE = (
    update(runs)
    .where(runs.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=case(
            (runs.c.stopping == Stopping.COMPENSATE.value, RunState.COMPENSATING.value),
            else_=RunState.RUNNING.value,
        ),
        claimable_at=None,
        wait_kind=None,
        wait_on=None,
        epoch=runs.c.epoch + 1,
        owner=bindparam("by"),
        started_at=func.coalesce(runs.c.started_at, bindparam("from_now")),
        updated_at=bindparam("from_now"),
    )
    .returning(*runs.c)
)
# One look at the index for each priority; a single one over all would go through every waiting run.
_NEXT_AT = select(
    func.min(
        union_all(
            *(
                select(func.min(runs.c.claimable_at).label("at")).where(
                    runs.c.environment == bindparam("here"),
                    runs.c.priority == priority,
                    runs.c.claimable_at > bindparam("after_now"),
                )
                for priority in Priority
            )
        )
        .subquery()
        .c.at
    )
)


@cache
def _ripe(eligible: ColumnElement[bool]) -> Select[Any]:
    return (
        select(*_RIPE, eligible.label("eligible"))
        .where(
            runs.c.environment == bindparam("here"),
            runs.c.priority == bindparam("of_priority"),
            runs.c.claimable_at <= bindparam("until_now"),
        )
        .order_by(runs.c.claimable_at, runs.c.position)
        .limit(bindparam("most"))
    )


def _hold(connection: Connection, holds: Holds, run: Row[Any]) -> tuple[str, str] | None:
    """Give topic and reason of the hold that a run is under; one that was told to stop goes on for that."""
    if run.stopping is not None:
        return None
    return hold_over(connection, holds, run=run.id, flow=run.flow, key=run.key, parent_run=run.parent_run)


def _hold_back(transaction: Transaction, over: Mapping[str, tuple[str, str]]) -> None:
    """Let runs wait that people hold; whoever resumes them wakes what waits for their topic."""
    if over:
        transaction.connection.execute(
            _HOLD_BACK, [{"of_run": run_id, "topic": on, "why": reason} for run_id, (on, reason) in over.items()]
        )


_HOLD_BACK = (
    update(runs)
    .where(runs.c.id == bindparam("of_run"))
    .values(
        state=RunState.WAITING.value,
        claimable_at=None,
        wait_kind=WaitKind.HOLD.value,
        wait_on=bindparam("topic"),
        wait_until=None,
        reason=bindparam("why"),
    )
)


def _set_aside(transaction: Transaction, ids: Sequence[str]) -> None:
    """Let runs wait behind an earlier one of their key; `let_next_go` calls the next when that one ends."""
    if ids:
        transaction.connection.execute(
            update(runs)
            .where(runs.c.id.in_(ids))
            .values(state=RunState.QUEUED.value, claimable_at=None, wait_kind=WaitKind.ORDER.value, wait_on=None)
        )


def _waited_for_many(row: Row[Any]) -> bool:
    return row.wait_on is not None and row.wait_on.startswith(MANY)


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
            literal_column("wait_kind = 'order'", Boolean),
            # One that a person has ended while it stood there must not come to life again.
            runs.c.state == RunState.QUEUED.value,
            *conditions,
        )
        .order_by(runs.c.position)
        .limit(1)
        .scalar_subquery()
    )
    return update(runs).where(runs.c.id == first).values(claimable_at=bindparam("from_now"), wait_kind=None)


_LET_GO, _LET_REPLAY_GO = _letting_go(), _letting_go(runs.c.replay_of.is_not(None))


def let_next_go(
    transaction: Transaction, gone: Iterable[tuple[str, str, str]], resting: Iterable[tuple[str, str, str]] = ()
) -> None:
    """Let the first run go that waits behind others of its key (environment, flow, key), now that one of them is gone.

    While one is only `resting` (it waits for something), a replay of an earlier one may go before it. Whether a run may
    be taken is decided when it is claimed; who calls this too often does no harm.
    """
    if not _anybody_behind(transaction.connection):
        return
    for statement, keys in ((_LET_GO, gone), (_LET_REPLAY_GO, resting)):
        rows = [
            {"of_environment": environment, "of_flow": flow, "of_key": key, "from_now": transaction.now}
            for environment, flow, key in sorted(set(keys))
        ]
        if rows:
            transaction.connection.execute(statement, rows)
            transaction.woken = True


def _anybody_behind(connection: Connection) -> bool:
    return connection.execute(_BEHIND).scalar() is not None


_BEHIND = select(runs.c.id).where(literal_column("wait_kind = 'order'", Boolean)).limit(1)


def _with_history(connection: Connection, taken: Sequence[Mapping[str, Any]]) -> list[ClaimedRun]:
    if not taken:
        return []
    event_ids = {run["event_id"] for run in taken}
    found = connection.execute(_EVENTS, {"ids": sorted(event_ids)})
    by_id = {row.id: dict(row._mapping) for row in found}
    again = [run["id"] for run in taken if run["epoch"] > 1 or run["replay_of"]]
    done: dict[str, dict[str, Mapping[str, Any]]] = {}
    sent: dict[str, dict[str, Mapping[str, Any]]] = {}
    tried: dict[str, dict[str, int]] = {}
    limited: dict[str, dict[str, int]] = {}
    if again:
        # What is inside of loops is read by the loops themselves, some items at a time.
        for row in connection.execute(_STEPS, {"ids": again}):
            done.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
        for row in connection.execute(_EFFECTS, {"ids": again}):
            sent.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
        for run_id, path, number, turned_away in connection.execute(_TRIED, {"ids": again}):
            tried.setdefault(run_id, {})[path] = number
            limited.setdefault(run_id, {})[path] = turned_away
    return [
        ClaimedRun(
            run=run,
            event=by_id[run["event_id"]],
            steps=done.get(run["id"], {}),
            effects=sent.get(run["id"], {}),
            attempts=tried.get(run["id"], {}),
            limited=limited.get(run["id"], {}),
        )
        for run in taken
    ]


def _in_loop(path: Column[str]) -> ColumnElement[bool]:
    return and_(path.contains("[", autoescape=True), ~path.startswith("undo:"))


def tried_of(*which: ColumnElement[bool]) -> Select[Any]:
    """Count attempts by run and path: the highest number, and how many a limit turned away."""
    return (
        select(
            attempts.c.run_id,
            attempts.c.path,
            func.max(attempts.c.number),
            func.count().filter(attempts.c.outcome == LimitReached.code),
        )
        .where(*which)
        .group_by(attempts.c.run_id, attempts.c.path)
    )


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_EVENTS = select(events).where(events.c.id.in_(_IDS))
_STEPS = select(steps).where(steps.c.run_id.in_(_IDS), ~_in_loop(steps.c.path))
_EFFECTS = select(effects).where(effects.c.run_id.in_(_IDS), ~_in_loop(effects.c.path))
_TRIED = tried_of(attempts.c.run_id.in_(_IDS), ~_in_loop(attempts.c.path))


def recover(transaction: Transaction, *, environment: str, actor: str) -> int:
    """Take back every run that a stopped process left in its hands, so that it is claimed anew; gives their number.

    Call it only when no other process can be working on them.
    """
    return _take_back(transaction, runs.c.environment == environment, kind=AuditKind.RUN_RECOVERED, actor=actor)


def hand_back(transaction: Transaction, *, environment: str, owner: str) -> int:
    """Give back every run that a worker has in hand and does no more work on; gives their number."""
    held = and_(runs.c.environment == environment, runs.c.owner == owner)
    return _take_back(transaction, held, kind=AuditKind.RUN_HANDED_BACK, actor=owner)


def _take_back(transaction: Transaction, which: ColumnElement[bool], *, kind: AuditKind, actor: str) -> int:
    working = [state.value for state in WORKING_STATES]
    left = transaction.connection.execute(select(runs.c.id).where(which, runs.c.state.in_(working))).scalars()
    ids = list(left)
    for start in range(0, len(ids), 500):
        transaction.connection.execute(
            update(runs)
            .where(runs.c.id.in_(ids[start : start + 500]))
            .values(state=RunState.QUEUED.value, claimable_at=transaction.now, owner=None, updated_at=transaction.now)
        )
    transaction.entries.extend(Note(kind=kind, actor=actor, subjects={"run": run_id}) for run_id in ids)
    transaction.woken = transaction.woken or bool(ids)
    return len(ids)


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
            forget_waits(connection, among)


def _go_on(transaction: Transaction, which: ColumnElement[bool]) -> None:
    changed = transaction.connection.execute(
        update(runs)
        .where(which, runs.c.state == RunState.WAITING.value)
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
