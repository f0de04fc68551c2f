"""Runs: claimed in order of acceptance per flow and key, by one worker at a time, under a rising epoch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, exists, func, or_, select, true, update

from hub.audit.kinds import AuditKind
from hub.errors import LimitReached
from hub.model.run import RunState, WaitKind
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.tables import attempts, effects, events, runs, steps


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


def in_order() -> ColumnElement[bool]:
    """Hold a run back while an earlier one of the same flow and key is open, or a replay while a later one works."""
    earlier, later = runs.alias("earlier"), runs.alias("later")
    held_back = exists().where(*_alike(earlier), earlier.c.position < runs.c.position)
    overtaken = exists().where(
        *_alike(later), later.c.position > runs.c.position, later.c.state == RunState.RUNNING.value
    )
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

    @classmethod
    def apply(cls, batch: Sequence[Claim], transaction: Transaction) -> list[Claimed]:
        """Serve one claim after the other."""
        return [claim.take(transaction) for claim in batch]

    def take(self, transaction: Transaction) -> Claimed:
        """Raise the epoch of the runs taken, so that whoever had them before can record nothing more."""
        connection, now = transaction.connection, transaction.now
        ripe = and_(runs.c.environment == self.environment, runs.c.claimable_at <= now)
        chosen = (
            select(runs.c.id)
            .where(ripe, self.eligible)
            .order_by(runs.c.claimable_at, runs.c.position)
            .limit(self.limit)
        )
        ids = connection.execute(chosen).scalars().all()
        taken: list[Mapping[str, Any]] = []
        if ids:
            statement = (
                update(runs)
                .where(runs.c.id.in_(ids))
                .values(
                    state=RunState.RUNNING.value,
                    claimable_at=None,
                    wait_kind=None,
                    wait_on=None,
                    epoch=runs.c.epoch + 1,
                    owner=self.owner,
                    started_at=func.coalesce(runs.c.started_at, now),
                    updated_at=now,
                )
                .returning(*runs.c)
            )
            taken = [dict(row._mapping) for row in connection.execute(statement)]
            taken.sort(key=lambda run: run["position"])
        later = select(func.min(runs.c.claimable_at)).where(
            runs.c.environment == self.environment, runs.c.claimable_at > now
        )
        return Claimed(runs=_with_history(connection, taken), next_at=connection.execute(later).scalar())


def _with_history(connection: Connection, taken: Sequence[Mapping[str, Any]]) -> list[ClaimedRun]:
    if not taken:
        return []
    event_ids = {run["event_id"] for run in taken}
    by_id = {row.id: dict(row._mapping) for row in connection.execute(select(events).where(events.c.id.in_(event_ids)))}
    again = [run["id"] for run in taken if run["epoch"] > 1 or run["replay_of"]]
    done: dict[str, dict[str, Mapping[str, Any]]] = {}
    sent: dict[str, dict[str, Mapping[str, Any]]] = {}
    tried: dict[str, dict[str, int]] = {}
    limited: dict[str, dict[str, int]] = {}
    if again:
        for row in connection.execute(select(steps).where(steps.c.run_id.in_(again))):
            done.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
        for row in connection.execute(select(effects).where(effects.c.run_id.in_(again))):
            sent.setdefault(row.run_id, {})[row.path] = dict(row._mapping)
        counted = (
            select(
                attempts.c.run_id,
                attempts.c.path,
                func.max(attempts.c.number),
                func.count().filter(attempts.c.outcome == LimitReached.code),
            )
            .where(attempts.c.run_id.in_(again))
            .group_by(attempts.c.run_id, attempts.c.path)
        )
        for run_id, path, number, turned_away in connection.execute(counted):
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


def recover(transaction: Transaction, *, environment: str, actor: str) -> int:
    """Take back every run that a stopped process left running, so that it is claimed anew; gives their number.

    Call it only when no other process can be working on them.
    """
    left = transaction.connection.execute(
        select(runs.c.id).where(runs.c.environment == environment, runs.c.state == RunState.RUNNING.value)
    ).scalars()
    ids = list(left)
    for start in range(0, len(ids), 500):
        transaction.connection.execute(
            update(runs)
            .where(runs.c.id.in_(ids[start : start + 500]))
            .values(state=RunState.QUEUED.value, claimable_at=transaction.now, owner=None, updated_at=transaction.now)
        )
    transaction.entries.extend(
        Note(kind=AuditKind.RUN_RECOVERED, actor=actor, subjects={"run": run_id}) for run_id in ids
    )
    transaction.woken = transaction.woken or bool(ids)
    return len(ids)


def wake(transaction: Transaction, topics: Iterable[str]) -> None:
    """Let the runs go on that wait for one of these topics."""
    names = list(topics)
    for start in range(0, len(names), 500):
        changed = transaction.connection.execute(
            update(runs)
            .where(
                runs.c.wait_on.in_(names[start : start + 500]),
                runs.c.state == RunState.WAITING.value,
            )
            .values(state=RunState.QUEUED.value, claimable_at=transaction.now, wait_on=None)
        )
        transaction.woken = transaction.woken or changed.rowcount > 0


def go_on(transaction: Transaction, run_id: str) -> None:
    """Let a waiting run go on now."""
    transaction.connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state == RunState.WAITING.value)
        .values(state=RunState.QUEUED.value, claimable_at=transaction.now, wait_on=None)
    )
    transaction.woken = True


def find(connection: Connection, run_id: str) -> Mapping[str, Any] | None:
    """Give a run's row."""
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def has_flow(connection: Connection, *, environment: str, flow: str) -> bool:
    """Tell whether a flow has a run that is not at its end."""
    statement = select(runs.c.id).where(
        runs.c.environment == environment, runs.c.flow == flow, runs.c.blocking == true()
    )
    return connection.execute(statement.limit(1)).scalar() is not None


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
