"""Claiming: runs are taken in order of acceptance per flow and key, by one worker at a time, under a rising epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    true,
    union_all,
    update,
)

from hub.errors import LimitReached
from hub.model.run import WORKING_STATES, Priority, RunState, Stopping, WaitKind
from hub.store import leases
from hub.store.committer import Transaction, Write
from hub.store.held import Holds, held, hold_over
from hub.store.lineage import differs, replayed, taken_back
from hub.store.statements import Formed, among, names_of
from hub.store.tables import attempts, effects, events, runs, steps


class ClaimedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all that is needed to go on with it: its event, its finished steps, its effects so far."""

    run: Mapping[str, Any]
    event: Mapping[str, Any]
    steps: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    effects: Mapping[str, Mapping[str, Any]] = msgspec.field(default_factory=dict)
    attempts: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: How many of the attempts a limit turned away.
    limited: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: Of paths whose writes the runs that it replays have taken back, the last generation of which that is so.
    taken_back: Mapping[str, int] = msgspec.field(default_factory=dict)
    #: It has another event, or other files, than a run that it replays, and may mean something else than that wrote.
    differs: bool = False

    def generation(self, path: str) -> int:
        """Give the generation of a write at a path: the run's own, or a newer one than what was taken back there."""
        return max(int(self.run["generation"]), self.taken_back.get(path, -1) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What a worker got, and when the next run becomes claimable (microseconds; None: not by time alone)."""

    runs: Sequence[ClaimedRun]
    next_at: int | None


@cache
def in_order() -> ColumnElement[bool]:
    """Hold a run back while an earlier one of its key is open, or, where it comes back, while a later one works."""
    earlier, later = runs.alias("earlier"), runs.alias("later")
    held_back = exists().where(*_alike(earlier), earlier.c.position < runs.c.position)
    working = [state.value for state in WORKING_STATES]
    overtaken = exists().where(*_alike(later), later.c.position > runs.c.position, later.c.state.in_(working))
    # Only a replay, or a run that is told to stop after its end, takes a place that others may have gone past.
    in_its_place = and_(runs.c.replay_of.is_(None), runs.c.stopping.is_(None))
    return and_(~held_back, or_(in_its_place, ~overtaken))


def _alike(other: FromClause) -> tuple[ColumnElement[bool], ...]:
    same = (other.c[name] == runs.c[name] for name in ("environment", "flow", "key"))
    return (*same, other.c.blocking == true())


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Write):
    """Take up to `limit` runs of an environment for a worker; the result is `Claimed`.

    `eligible` says which of the runs whose time has come may be taken; what runs by a revision that the worker's
    process cannot make sense of (`refused`) is left where it is.
    """

    environment: str
    owner: str
    limit: int
    eligible: ColumnElement[bool] = field(default_factory=in_order)
    refused: frozenset[str] = frozenset()

    rank = 30
    patient = True

    @property
    def beside(self) -> bool:
        """Tell that others may claim and record meanwhile; who finds that a run must be set aside is made again alone.

        - *One owner for one run*: the rows are locked when they are found, and those that others have locked are passed
          over. Who comes second finds no longer what the first has taken.
        - *In the order of a key*: that an earlier run of the key is open, every statement sees, since its place was
          given under a lock that lasts until the commit, before the later one's. That it has ended may be seen too
          late; the later one is then looked at again, alone, and is not set aside behind nobody.
        - Who comes back to an earlier place, holds, and what takes runs back is made alone.
        """
        return True

    @classmethod
    def apply(cls, batch: Sequence[Claim], transaction: Transaction) -> list[Claimed]:
        """Serve one claim after the other."""
        return [claim.take(transaction) for claim in batch]

    def take(self, transaction: Transaction) -> Claimed:
        """Raise the epoch of the runs taken, so that whoever had them before can record nothing more."""
        connection = transaction.connection
        if connection.dialect.name != "sqlite" and leases.has_ended(connection, self.owner):
            # Nobody would ever take back what it got now.
            return Claimed(runs=[], next_at=None)
        taken: list[Mapping[str, Any]] = []
        while (room := self.limit - len(taken)) > 0:
            of_now: dict[str, Any] = {"here": self.environment, "until_now": transaction.now, "most": room}
            if self.refused:
                of_now["of_others"] = names_of(sorted(self.refused))
            found = _ripe(self.eligible, sorted_out=bool(self.refused)).rows(connection, **of_now)
            ripe = sorted(found, key=_IN_TURN)[:room]
            if ripe:
                taken.extend(self._sorted_out(transaction, ripe))
            if len(ripe) < room:
                break
        transaction.left = transaction.left or len(taken) >= self.limit
        taken.sort(key=lambda run: run["position"])
        next_at = _NEXT_AT.scalar(connection, here=self.environment, after_now=transaction.now)
        return Claimed(runs=_with_history(connection, taken), next_at=next_at)

    def _sorted_out(self, transaction: Transaction, ripe: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Take the runs that may go; the others wait for what holds them, or behind an earlier one of their key."""
        connection = transaction.connection
        holds = held(connection, self.environment)
        over = {row["id"]: on for row in ripe if (on := _hold(connection, holds, row)) is not None}
        if over or not all(row["eligible"] for row in ripe):
            # Whoever begins to wait must see everybody who could wake it.
            transaction.assert_alone()
        _hold_back(transaction, over)
        free = [row for row in ripe if row["id"] not in over]
        _set_aside(transaction, [row["id"] for row in free if not row["eligible"]])
        going = [row["id"] for row in free if row["eligible"]]
        if going:
            yield from _TAKE.rows(connection, ids=names_of(going), by=self.owner, from_now=transaction.now)


_IN_TURN = itemgetter("priority", "claimable_at", "position")
_RIPE = (
    *(runs.c[name] for name in ("id", "priority", "claimable_at", "position", "flow", "key")),
    *(runs.c[name] for name in ("wait_on", "stopping", "parent_run")),
)
_TAKE = Formed(
    update(runs)
    .where(among(runs.c.id, "ids"))
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
_NEXT_AT = Formed(
    select(
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
)


@cache
def _ripe(eligible: ColumnElement[bool], *, sorted_out: bool) -> Formed:
    """Give the first runs of each priority whose time has come, with whether they may be taken."""
    mine = [~among(runs.c.bundle, "of_others")] if sorted_out else []
    each = (
        select(*_RIPE, eligible.label("eligible"))
        .where(
            runs.c.environment == bindparam("here"),
            runs.c.priority == priority.value,
            runs.c.claimable_at <= bindparam("until_now"),
            *mine,
        )
        .order_by(runs.c.claimable_at, runs.c.position)
        .limit(bindparam("most"))
        # Who claims at the same time takes the ones behind, where several do.
        .with_for_update(skip_locked=True)
        .subquery()
        for priority in Priority
    )
    return Formed(union_all(*(select(one) for one in each)))


def _hold(connection: Connection, holds: Holds, run: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give topic and reason of the hold that a run is under; one that was told to stop goes on for that."""
    if run["stopping"] is not None:
        return None
    return hold_over(connection, holds, run=run["id"], flow=run["flow"], key=run["key"], parent_run=run["parent_run"])


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


def _with_history(connection: Connection, taken: Sequence[Mapping[str, Any]]) -> list[ClaimedRun]:
    if not taken:
        return []
    event_ids = {run["event_id"] for run in taken}
    by_id = {row["id"]: row for row in _EVENTS.rows(connection, ids=names_of(event_ids))}
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
            taken_back=taken_back(connection, line) if line else {},
            differs=differs(connection, run, line),
        )
        for run in taken
        for line in [replayed(connection, run["replay_of"])]
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
_EVENTS = Formed(select(events).where(among(events.c.id, "ids")))
_STEPS = select(steps).where(steps.c.run_id.in_(_IDS), ~_in_loop(steps.c.path))
_EFFECTS = select(effects).where(effects.c.run_id.in_(_IDS), ~_in_loop(effects.c.path))
_TRIED = tried_of(attempts.c.run_id.in_(_IDS), ~_in_loop(attempts.c.path))
