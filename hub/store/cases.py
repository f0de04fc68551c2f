"""Cases: what needs a person, listed with age and money at risk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.model.case import CaseFilter
from hub.model.run import RunState
from hub.store.audit import Note
from hub.store.children import caller_of
from hub.store.committer import Transaction
from hub.store.outbox import tell_cases
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
    connection: Connection, environment: str, wanted: CaseFilter, *, after: str, until: int, limit: int
) -> list[Mapping[str, Any]]:
    """List the open cases that fit, the oldest first, behind the case `after`, of those opened by a moment."""
    here = (cases.c.environment == environment, cases.c.state == "open")
    statement = select(cases).where(*here, cases.c.id > after, cases.c.opened_at <= until)
    for column, value in (
        (cases.c.fingerprint, wanted.fingerprint),
        (cases.c.reason, wanted.reason),
        (cases.c.flow, wanted.flow),
        (cases.c.path, wanted.path),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(cases.c.id).limit(limit))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run needs a person: the row of the case, its reason as a code, and the paths of all that has failed.

    `stopped` says that the run goes on no more by itself; until then, what a person has closed stays so.
    """

    row: Mapping[str, Any]
    code: str
    failing: frozenset[str]
    stopped: bool = True


def is_open(connection: Connection, run_id: str) -> bool:
    """Tell whether a run has an open case."""
    return connection.execute(_OPEN, {"run": run_id}).first() is not None


_OPEN = select(cases.c.id, cases.c.path).where(cases.c.run_id == bindparam("run"), cases.c.state == "open")
#: What a case tells, and what changes when the run tells it once more.
_WORDS = ("reason", "fingerprint", "detail", "facts", "runbook", "entity", "money_minor", "money_currency")


def tell(transaction: Transaction, failure: Failure, *, actor: str) -> None:
    """Tell people why a run needs them: by the case that is open for something that still fails, or by a new one.

    A run has one open case at most, so that its money counts once.
    """
    row = failure.row
    told = transaction.connection.execute(_OPEN, {"run": row["run_id"]}).all()
    standing = next((each for each in told if each.path in failure.failing), None)
    for each in told:
        if each is not standing:
            _close(transaction, each.id, resolution=_PASSED, actor=actor)
    if standing is None and (failure.stopped or not _closed_by_hand(transaction.connection, row)):
        transaction.connection.execute(insert(cases), row)
        tell_cases(transaction, [row["id"]])
        subjects = {"run": row["run_id"], "case": row["id"]}
        note = Note(kind=AuditKind.CASE_OPENED, actor=actor, subjects=subjects, facts={"reason": failure.code})
        transaction.entries.append(note)
    elif standing is not None and standing.path == row["path"]:
        words = {name: row[name] for name in _WORDS}
        transaction.connection.execute(update(cases).where(cases.c.id == standing.id).values(**words))


def close_passed(transaction: Transaction, run_id: str, *, actor: str) -> None:
    """Close what is open of a run that has got past it."""
    close_all(transaction, run_id, resolution=_WELL, actor=actor)


def close_all(transaction: Transaction, run_id: str, *, resolution: str, actor: str) -> None:
    """Close what is open of a run."""
    for each in transaction.connection.execute(_OPEN, {"run": run_id}).all():
        _close(transaction, each.id, resolution=resolution, actor=actor)


def _closed_by_hand(connection: Connection, row: Mapping[str, Any]) -> bool:
    alike = (cases.c.run_id == row["run_id"], cases.c.path == row["path"], cases.c.resolution.not_in([_WELL, _PASSED]))
    return connection.execute(select(cases.c.id).where(*alike).limit(1)).first() is not None


#: How a case was settled that no person has settled.
_WELL = "It went through when the run went on."
_PASSED = "The run has gone on; what keeps it from its end now is told by another exception."


def _close(transaction: Transaction, case_id: str, *, resolution: str, actor: str) -> None:
    closed = {"state": "closed", "closed_at": transaction.now, "closed_by": actor, "resolution": resolution}
    _change(transaction, case_id, closed)
    tell_cases(transaction, [case_id])
    transaction.entries.append(Note(kind=AuditKind.CASE_CLOSED, actor=actor, subjects={"case": case_id}))


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
    """Close an open case; its run stays parked, but later runs of its key go on.

    Raises `Conflict` (`caller-waits`) for a called flow that has stopped while the run that called it waits for its
    end: that would wait for ever, with nothing to tell of it.
    """
    _assert_nobody_waits(transaction.connection, case_id)
    _close(transaction, case_id, resolution=resolution, actor=actor)
    settled = select(cases.c.run_id).where(cases.c.id == case_id).scalar_subquery()
    freed = transaction.connection.execute(
        update(runs)
        .where(runs.c.id == settled, runs.c.state == RunState.PARKED.value)
        .values(blocking=False)
        .returning(runs.c.environment, runs.c.flow, runs.c.key)
    ).all()
    let_next_go(transaction, [(row.environment, row.flow, row.key) for row in freed])
    transaction.woken = True


def _assert_nobody_waits(connection: Connection, case_id: str) -> None:
    stopped = select(runs).join(cases, cases.c.run_id == runs.c.id).where(cases.c.id == case_id)
    run = connection.execute(stopped.where(cases.c.state == "open", runs.c.state == RunState.PARKED.value)).first()
    caller = None if run is None else caller_of(connection, dict(run._mapping))
    if caller is not None:
        raise Conflict(
            f"A run of {caller['flow']} waits for the end of this called flow, and holds its key. Replay this one, or"
            " cancel it: the caller then stops with an exception of its own, which can be closed.",
            code="caller-waits",
            case=case_id,
            caller=caller["id"],
        )


def _change(transaction: Transaction, case_id: str, values: Mapping[str, Any]) -> None:
    row = find(transaction.connection, case_id)
    if row is None:
        raise NotFound("There is no such exception.", case=case_id)
    if row["state"] != "open":
        raise Conflict("The exception is closed already.", case=case_id)
    transaction.connection.execute(update(cases).where(cases.c.id == case_id).values(**values))
