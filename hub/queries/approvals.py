"""Approvals as people read them: what is asked, by which rule, of whom, who has said what, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select, tuple_

from hub.access.permissions import Permission, Principal
from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.approval import ApprovalState, Verdict
from hub.queries.actors import called
from hub.queries.amounts import Amount, amount, sums
from hub.queries.view import View, moment
from hub.sdk import exact_json
from hub.store import approvals as stored
from hub.store import people
from hub.store.control_tables import approval_votes, approvals

Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteView:
    """What somebody has said; `began` stands for those who began the work and therefore say nothing.

    `counts` is false for what was agreed by somebody who may no longer: they have left, or do something else.
    """

    actor: str
    name: str
    verdict: Verdict
    role: str | None
    reason: str | None
    at: datetime
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRow:
    """One approval; `roles` are those whose people may agree by now, and `record` is None where it is withheld."""

    id: str
    state: ApprovalState
    reason: str | None
    flow: str
    run_id: str
    path: str
    business_key: str
    entity: str | None
    money: Amount | None
    policy: str
    version: int
    rule: str | None
    bundle: str
    needed: int
    agreed: int
    roles: tuple[str, ...]
    record: Any
    record_hash: str
    votes: tuple[VoteView, ...]
    created_at: datetime
    deadline_at: datetime | None
    escalate_at: datetime | None
    escalate_to: str | None
    escalated_at: datetime | None
    valid_until: datetime | None
    settled_at: datetime | None

    @property
    def escalates_at(self) -> datetime | None:
        """Give when others may agree too, if that is still to come."""
        pending = self.state is ApprovalState.PENDING and self.escalated_at is None
        return self.escalate_at if pending else None

    def kept_from(self, principal: Principal) -> str | None:
        """Say what keeps somebody from voting on it, as a code; None when they may."""
        said = next((vote.verdict for vote in self.votes if vote.actor == principal.actor), None)
        if self.state is not ApprovalState.PENDING:
            return "settled"
        if not principal.may(Permission.APPROVE):
            return "no-approver"
        if said is Verdict.BEGAN:
            return "four-eyes"
        if said is not None:
            return "voted-already"
        return None if principal.role.value in self.roles else "wrong-role"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPage:
    """A page of approvals, the newest first; `next` asks for the following page."""

    approvals: tuple[ApprovalRow, ...]
    next: str | None


def listing(
    view: View,
    *,
    state: ApprovalState | None = ApprovalState.PENDING,
    run_id: str | None = None,
    payloads: bool = False,
    before: str | None = None,
    limit: int = 50,
) -> ApprovalPage:
    """List approvals from behind the approval `before`."""
    statement = select(approvals).where(approvals.c.environment == view.environment)
    for column, value in ((approvals.c.state, state), (approvals.c.run_id, run_id)):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(approvals.c.id < before)
    with view.database.reading() as connection:
        newest = statement.order_by(approvals.c.id.desc()).limit(limit + 1)
        found = [dict(row._mapping) for row in connection.execute(newest)]
        rows = _views(connection, found[:limit], payloads=payloads)
    return ApprovalPage(approvals=rows, next=rows[-1].id if len(found) > limit else None)


def waiting(view: View, *, payloads: bool = False, limit: int = 100) -> tuple[ApprovalRow, ...]:
    """List what waits for consent, what ends first at the top."""
    statement = select(approvals).where(
        approvals.c.environment == view.environment, approvals.c.state == ApprovalState.PENDING
    )
    # What has no deadline comes last, in the order in which it was asked.
    first = statement.order_by(approvals.c.deadline_at.is_(None), approvals.c.deadline_at, approvals.c.id)
    with view.database.reading() as connection:
        found = [dict(row._mapping) for row in connection.execute(first.limit(limit))]
        return _views(connection, found, payloads=payloads)


def decided(view: View, *, payloads: bool = False, before: str | None = None, limit: int = 50) -> ApprovalPage:
    """List what waits no more, what was decided last first, from behind the approval `before`."""
    statement = select(approvals).where(
        approvals.c.environment == view.environment, approvals.c.state != ApprovalState.PENDING
    )
    with view.database.reading() as connection:
        last = None if before is None else stored.find(connection, before)
        if last is not None:
            place = tuple_(approvals.c.settled_at, approvals.c.id)
            statement = statement.where(place < tuple_(literal(last["settled_at"]), literal(last["id"])))
        newest = statement.order_by(approvals.c.settled_at.desc(), approvals.c.id.desc()).limit(limit + 1)
        found = [dict(row._mapping) for row in connection.execute(newest)]
        rows = _views(connection, found[:limit], payloads=payloads)
    return ApprovalPage(approvals=rows, next=rows[-1].id if len(found) > limit else None)


def detail(view: View, approval_id: str, *, payloads: bool) -> ApprovalRow:
    """Give an approval whole; raises `NotFound`, also for one of another environment."""
    with view.database.reading() as connection:
        row = stored.find(connection, approval_id)
        if row is None or row["environment"] != view.environment:
            raise NotFound("There is no such approval.", approval=approval_id)
        return _views(connection, [row], payloads=payloads)[0]


def of_runs(connection: Any, run_ids: Sequence[str], *, payloads: bool) -> tuple[ApprovalRow, ...]:
    """Give the approvals of runs, the oldest first."""
    return _views(connection, stored.of_runs(connection, run_ids), payloads=payloads)


def waiting_for(view: View, principal: Principal) -> int:
    """Count what waits for this person: what they may agree to and have said nothing about."""
    if not principal.may(Permission.APPROVE):
        return 0
    said = (
        select(approval_votes.c.actor)
        .where(approval_votes.c.approval_id == approvals.c.id, approval_votes.c.actor == principal.actor)
        .exists()
    )
    statement = (
        select(func.count())
        .select_from(approvals)
        .where(
            approvals.c.environment == view.environment,
            approvals.c.state == ApprovalState.PENDING,
            approvals.c.roles.contains(f'"{principal.role.value}"', autoescape=True),
            ~said,
        )
    )
    with view.database.reading() as connection:
        return connection.execute(statement).scalar() or 0


def pending_count(view: View) -> int:
    """Count what waits for consent, whoever may give it."""
    statement = (
        select(func.count())
        .select_from(approvals)
        .where(approvals.c.environment == view.environment, approvals.c.state == ApprovalState.PENDING)
    )
    with view.database.reading() as connection:
        return connection.execute(statement).scalar() or 0


def money_waiting(view: View) -> tuple[Amount, ...]:
    """Sum what waits for approval, by currency."""
    statement = (
        select(func.sum(approvals.c.money_minor), approvals.c.money_currency)
        .where(approvals.c.environment == view.environment, approvals.c.state == ApprovalState.PENDING)
        .group_by(approvals.c.money_currency)
    )
    with view.database.reading() as connection:
        return sums((row[0], row[1]) for row in connection.execute(statement))


def _views(connection: Any, rows: Sequence[Row], *, payloads: bool) -> tuple[ApprovalRow, ...]:
    cast = stored.votes(connection, [row["id"] for row in rows])
    counting = stored.counting(connection, rows)
    names = people.names(connection)
    return tuple(_view(row, cast[row["id"]], counting[row["id"]], names, payloads=payloads) for row in rows)


def _view(
    row: Row, cast: Sequence[Row], counting: Sequence[str], names: Mapping[str, str], *, payloads: bool
) -> ApprovalRow:
    said = tuple(
        VoteView(
            actor=vote["actor"],
            name=called(vote["actor"], names),
            verdict=Verdict(vote["verdict"]),
            role=vote["role"],
            reason=vote["reason"],
            at=of_micros(vote["at"]),
            counts=vote["verdict"] == Verdict.REFUSED or vote["actor"] in counting,
        )
        for vote in cast
    )
    return ApprovalRow(
        **{name: row[name] for name in ("id", "reason", "flow", "run_id", "path", "business_key", "entity")},
        **{name: row[name] for name in ("policy", "version", "rule", "bundle", "needed", "record_hash", "escalate_to")},
        state=ApprovalState(row["state"]),
        money=amount(row["money_minor"], row["money_currency"]),
        agreed=len(counting),
        roles=stored.roles_of(row),
        record=exact_json.loads(row["record"]) if payloads else None,
        votes=said,
        created_at=of_micros(row["created_at"]),
        deadline_at=moment(row["deadline_at"]),
        escalate_at=moment(row["escalate_at"]),
        escalated_at=moment(row["escalated_at"]),
        valid_until=moment(row["valid_until"]),
        settled_at=moment(row["settled_at"]),
    )
