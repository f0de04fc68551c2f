"""Approvals: what people are asked to agree to, their votes, and whether what they gave still holds.

Each change is one durable step with its audit entry, and each is made only while the approval stands as it must, so
that it does not matter who is first: a vote, a deadline, or a run that has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, insert, literal_column, select, update

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotAllowed, NotFound, StaleLease
from hub.model.approval import LIVE_STATES, ApprovalState, Lapse, Verdict
from hub.model.run import OPEN_STATES
from hub.sdk import exact_json
from hub.store.account_tables import people
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.control_tables import approval_votes, approvals
from hub.store.runs import wake
from hub.store.statements import Formed, among, names_of
from hub.store.tables import runs

Row = Mapping[str, Any]

#: What people's ids stand behind where it is said who did something.
_PERSON = "person:"
#: No line of replays and calls that anybody follows is longer.
_LONGEST_LINE = 100


def topic(approval_id: str) -> str:
    """Name what a run waits for that has asked."""
    return f"approval:{approval_id}"


def ask(transaction: Transaction, row: Row, *, epoch: int, began: Collection[str], actor: str) -> Row:
    """Ask people to agree, unless this step of the run asks for the same already; gives what stands now.

    `row` has the columns of a new approval, and `began` names who may not agree because they began the work. What the
    step had asked for another record is void. `StaleLease` when another worker has taken the run.
    """
    connection = transaction.connection
    if connection.execute(select(runs.c.epoch).where(runs.c.id == row["run_id"])).scalar() != epoch:
        raise StaleLease(run=row["run_id"])
    standing = live(connection, row["run_id"], row["path"])
    if standing is not None:
        if standing["record_hash"] == row["record_hash"]:
            return standing
        void(transaction, standing["id"], lapse=Lapse.RECORD_CHANGED, actor=actor)
    asked = {**row, "state": ApprovalState.PENDING.value, "created_at": transaction.now}
    connection.execute(insert(approvals), asked)
    for name in sorted(began):
        _keep_vote(transaction, row["id"], actor=name, verdict=Verdict.BEGAN)
    facts = {name: row[name] for name in ("policy", "version", "needed")} | {"record": row["record_hash"]}
    _note(transaction, AuditKind.APPROVAL_ASKED, row, actor=actor, facts=facts)
    found = find(connection, row["id"])
    assert found is not None
    return found


def vote(
    transaction: Transaction,
    approval_id: str,
    *,
    environment: str,
    actor: str,
    verdict: Verdict,
    reason: str | None = None,
) -> Row:
    """Count a person's vote; gives the approval as it stands then.

    One refusal is enough to refuse it. It is granted once as many as are needed have agreed who may still agree now.
    Raises `NotFound`, `Conflict` (settled, too late, voted already) or `NotAllowed` (the role, or the person's own).
    """
    connection = transaction.connection
    row = find(connection, approval_id)
    if row is None or row["environment"] != environment:
        raise NotFound("There is no such approval.", approval=approval_id)
    _require_open(transaction, row)
    role = _require_voter(connection, row, actor)
    _keep_vote(transaction, approval_id, actor=actor, verdict=verdict, role=role, reason=reason)
    if verdict is Verdict.REFUSED:
        _settle(transaction, row, ApprovalState.REFUSED, reason=reason)
        _note(transaction, AuditKind.APPROVAL_REFUSED, row, actor=actor)
    else:
        _note(transaction, AuditKind.APPROVAL_AGREED, row, actor=actor, facts={"record": row["record_hash"]})
        _grant(transaction, row, actor=actor)
    found = find(connection, approval_id)
    assert found is not None
    return found


def recount(transaction: Transaction, voter: str, *, actor: str) -> None:
    """Grant what has enough agreement now that somebody who had agreed counts again, by whose order they do.

    Nobody votes twice, so what they have agreed to could otherwise wait for ever for a vote that cannot come.
    """
    said = select(approval_votes.c.approval_id).where(
        approval_votes.c.actor == voter, approval_votes.c.verdict == Verdict.AGREED.value
    )
    pending = select(approvals).where(approvals.c.id.in_(said), approvals.c.state == ApprovalState.PENDING.value)
    for row in _rows(transaction.connection, pending.order_by(approvals.c.id)):
        with suppress(Conflict):
            _require_open(transaction, row)
            _grant(transaction, row, actor=actor)


def expire(transaction: Transaction, approval_id: str, *, actor: str) -> Row:
    """Let a pending approval expire whose deadline has passed; gives it as it stands then."""
    row = _known(transaction.connection, approval_id)
    due = row["deadline_at"] is not None and row["deadline_at"] <= transaction.now
    if row["state"] == ApprovalState.PENDING and due:
        _settle(transaction, row, ApprovalState.EXPIRED)
        _note(transaction, AuditKind.APPROVAL_EXPIRED, row, actor=actor)
    return _known(transaction.connection, approval_id)


def escalate(transaction: Transaction, approval_id: str, *, actor: str) -> Row:
    """Let others agree too, once, when nobody has answered in time; gives the approval as it stands then."""
    row = _known(transaction.connection, approval_id)
    due = row["escalate_at"] is not None and row["escalate_at"] <= transaction.now
    if row["state"] == ApprovalState.PENDING and row["escalated_at"] is None and due:
        roles = list(dict.fromkeys([*roles_of(row), *([row["escalate_to"]] if row["escalate_to"] else [])]))
        transaction.connection.execute(
            update(approvals)
            .where(approvals.c.id == approval_id)
            .values(escalated_at=transaction.now, roles=exact_json.dumps(roles).decode())
        )
        _note(transaction, AuditKind.APPROVAL_ESCALATED, row, actor=actor, facts={"to": row["escalate_to"]})
        with suppress(Conflict):
            wider = _known(transaction.connection, approval_id)
            _require_open(transaction, wider)
            _grant(transaction, wider, actor=actor)
    return _known(transaction.connection, approval_id)


def void(transaction: Transaction, approval_id: str, *, lapse: Lapse, actor: str) -> Row:
    """Take an approval's weight away, pending or given; one that has ended otherwise stays as it is."""
    row = _known(transaction.connection, approval_id)
    if row["state"] in LIVE_STATES:
        _settle(transaction, row, ApprovalState.VOID, reason=lapse.value)
        _note(transaction, AuditKind.APPROVAL_VOIDED, row, actor=actor, facts={"reason": lapse.value})
    return _known(transaction.connection, approval_id)


def void_pending(transaction: Transaction, run_id: str, *, actor: str) -> None:
    """Ask nobody any more for a run that has ended, or that another has taken the place of."""
    statement = select(approvals.c.id).where(
        approvals.c.run_id == run_id, approvals.c.state == ApprovalState.PENDING.value
    )
    for approval_id in transaction.connection.execute(statement).scalars().all():
        void(transaction, approval_id, lapse=Lapse.RUN_ENDED, actor=actor)


def still_asking(connection: Connection, run_ids: Collection[str]) -> list[str]:
    """Give those of some runs for which people are still asked for something."""
    return [row["run_id"] for row in _ASKING.rows(connection, ids=names_of(run_ids))] if run_ids else []


_ASKING = Formed(
    select(approvals.c.run_id)
    .where(among(approvals.c.run_id, "ids"), approvals.c.state == literal_column("'pending'"))
    .distinct()
)


def lapses(connection: Connection, ids: Collection[str], now: int) -> dict[str, Lapse]:
    """Tell which of these approvals do not hold at a moment, and why: not given, over, or who agreed may no longer."""
    rows = {row["id"]: row for row in _rows(connection, select(approvals).where(approvals.c.id.in_(ids)))}
    agreed = counting(connection, list(rows.values()))
    found: dict[str, Lapse] = {}
    for approval_id in ids:
        row = rows.get(approval_id)
        if row is None or row["state"] != ApprovalState.APPROVED:
            found[approval_id] = Lapse.NOT_APPROVED
        elif row["valid_until"] is not None and row["valid_until"] <= now:
            found[approval_id] = Lapse.VALIDITY_OVER
        elif len(agreed[approval_id]) < row["needed"]:
            found[approval_id] = Lapse.APPROVER_LEFT
    return found


def settled(connection: Connection, ids: Collection[str]) -> bool:
    """Tell whether any of these approvals is no longer pending."""
    statement = select(approvals.c.id).where(approvals.c.id.in_(ids), approvals.c.state == ApprovalState.PENDING.value)
    return len(connection.execute(statement).all()) < len(set(ids))


def find(connection: Connection, approval_id: str) -> Row | None:
    """Give an approval's row."""
    return next(iter(_rows(connection, select(approvals).where(approvals.c.id == approval_id))), None)


def live(connection: Connection, run_id: str, path: str) -> Row | None:
    """Give what a step of a run asks for or was given, None when neither."""
    states = [state.value for state in LIVE_STATES]
    statement = select(approvals).where(
        approvals.c.run_id == run_id, approvals.c.path == path, approvals.c.state.in_(states)
    )
    return next(iter(_rows(connection, statement)), None)


def latest(connection: Connection, run_id: str, path: str) -> Row | None:
    """Give what a step of a run asked for last, however it ended; None when it never asked."""
    statement = select(approvals).where(approvals.c.run_id == run_id, approvals.c.path == path)
    newest = statement.order_by(approvals.c.created_at.desc(), approvals.c.id.desc()).limit(1)
    return next(iter(_rows(connection, newest)), None)


def given_before(connection: Connection, run_ids: Sequence[str], path: str, record_hash: str) -> list[Row]:
    """List what was approved for the same step and record in these runs, the newest first."""
    statement = select(approvals).where(
        approvals.c.run_id.in_(run_ids),
        approvals.c.path == path,
        approvals.c.record_hash == record_hash,
        approvals.c.state == ApprovalState.APPROVED.value,
    )
    return _rows(connection, statement.order_by(approvals.c.settled_at.desc()))


def of_runs(connection: Connection, run_ids: Sequence[str]) -> list[Row]:
    """List the approvals of these runs, the oldest first."""
    statement = select(approvals).where(approvals.c.run_id.in_(run_ids))
    return _rows(connection, statement.order_by(approvals.c.created_at, approvals.c.id))


def votes(connection: Connection, ids: Collection[str]) -> dict[str, list[Row]]:
    """Give the votes of each of these approvals in their order, with those who began the work among them."""
    found: dict[str, list[Row]] = {approval_id: [] for approval_id in ids}
    statement = select(approval_votes).where(approval_votes.c.approval_id.in_(ids))
    for row in _rows(connection, statement.order_by(approval_votes.c.at, approval_votes.c.actor)):
        found[row["approval_id"]].append(row)
    return found


def counting(connection: Connection, rows: Sequence[Row]) -> dict[str, list[str]]:
    """Give, for each approval, who has agreed and counts: who may still sign in, in a role that may agree."""
    cast = votes(connection, [row["id"] for row in rows])
    agreed = {id: [each["actor"] for each in found if each["verdict"] == Verdict.AGREED] for id, found in cast.items()}
    ids = {actor.removeprefix(_PERSON) for actors in agreed.values() for actor in actors}
    statement = select(people.c.id, people.c.role).where(people.c.id.in_(ids), people.c.disabled.is_(False))
    role = {f"{_PERSON}{row.id}": row.role for row in connection.execute(statement)}
    return {row["id"]: [actor for actor in agreed[row["id"]] if role.get(actor) in roles_of(row)] for row in rows}


def line_of(connection: Connection, run: Row, *, callers: bool) -> list[Row]:
    """Give a run with all that it goes back to: the runs that it replays, and with `callers` those that called them."""
    columns = [runs.c[name] for name in ("id", "ordered_by", "generation", "replay_of", "parent_run")]
    line, waiting, seen = list[Row](), [run["id"]], set[str | None]({None})
    while waiting and len(line) < _LONGEST_LINE:
        run_id = waiting.pop(0)
        if run_id not in seen:
            seen.add(run_id)
            for row in _rows(connection, select(*columns).where(runs.c.id == run_id)):
                line.append(row)
                waiting.extend((row["replay_of"], row["parent_run"] if callers else None))
    return line


def roles_of(row: Row) -> tuple[str, ...]:
    """Give the roles whose people may agree by now."""
    return tuple(exact_json.loads(row["roles"]))


def _require_open(transaction: Transaction, row: Row) -> None:
    if row["state"] != ApprovalState.PENDING:
        raise Conflict("It is settled already.", code="approval-settled", approval=row["id"], state=row["state"])
    if row["deadline_at"] is not None and row["deadline_at"] <= transaction.now:
        raise Conflict("Its deadline has passed.", code="approval-expired", approval=row["id"])
    run = transaction.connection.execute(
        select(runs.c.state, runs.c.replaced_by, runs.c.stopping).where(runs.c.id == row["run_id"])
    ).one_or_none()
    going = run is not None and run.state in OPEN_STATES and run.replaced_by is None and run.stopping is None
    if not going:
        raise Conflict("The run that asked has ended.", code="run-ended", approval=row["id"], run=row["run_id"])


def _require_voter(connection: Connection, row: Row, actor: str) -> str:
    """Give the role in which somebody may vote."""
    voted = connection.execute(
        select(approval_votes.c.verdict).where(
            approval_votes.c.approval_id == row["id"], approval_votes.c.actor == actor
        )
    ).scalar()
    if voted == Verdict.BEGAN:
        raise NotAllowed(
            "You began this work, so somebody else must agree to it.", code="four-eyes", approval=row["id"]
        )
    person_id = actor.removeprefix(_PERSON) if actor.startswith(_PERSON) else None
    person = connection.execute(select(people.c.role, people.c.disabled).where(people.c.id == person_id)).one_or_none()
    if person is None or person.disabled:
        raise NotAllowed("Only a person who can sign in may agree or refuse.", code="not-a-person", actor=actor)
    if person.role not in roles_of(row):
        raise NotAllowed(
            "Your role may not agree to this or refuse it.",
            code="wrong-role",
            role=person.role,
            wanted=" or ".join(roles_of(row)),
        )
    if voted is not None:
        raise Conflict("You have said so already.", code="voted-already", approval=row["id"], verdict=voted)
    return str(person.role)


def _grant(transaction: Transaction, row: Row, *, actor: str) -> None:
    """Grant it if as many have agreed as are needed, of those who may still agree now."""
    if len(counting(transaction.connection, [row])[row["id"]]) < row["needed"]:
        return
    until = None if row["valid_for"] is None else transaction.now + row["valid_for"]
    _settle(transaction, row, ApprovalState.APPROVED, valid_until=until)
    _note(transaction, AuditKind.APPROVAL_GRANTED, row, actor=actor, facts={"record": row["record_hash"]})


def _keep_vote(
    transaction: Transaction,
    approval_id: str,
    *,
    actor: str,
    verdict: Verdict,
    role: str | None = None,
    reason: str | None = None,
) -> None:
    # That nobody votes twice, and nobody on what they began, is the table's key as well as the check before.
    row = {"approval_id": approval_id, "actor": actor, "verdict": verdict.value, "role": role, "reason": reason}
    transaction.connection.execute(insert(approval_votes), {**row, "at": transaction.now})


def _settle(
    transaction: Transaction,
    row: Row,
    state: ApprovalState,
    *,
    reason: str | None = None,
    valid_until: int | None = None,
) -> None:
    transaction.connection.execute(
        update(approvals)
        .where(approvals.c.id == row["id"])
        .values(state=state.value, reason=reason, valid_until=valid_until, settled_at=transaction.now)
    )
    wake(transaction, [topic(row["id"])])


def _known(connection: Connection, approval_id: str) -> Row:
    row = find(connection, approval_id)
    if row is None:
        raise NotFound("There is no such approval.", approval=approval_id)
    return row


def _rows(connection: Connection, statement: Any) -> list[Row]:
    return [dict(row._mapping) for row in connection.execute(statement)]


def _note(
    transaction: Transaction,
    kind: AuditKind,
    row: Row,
    *,
    actor: str,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    subjects = {"run": row["run_id"], "approval": row["id"]}
    transaction.entries.append(Note(kind=kind, actor=actor, subjects=subjects, facts=facts or {}))
