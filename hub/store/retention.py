"""Pruning: payloads of what is long over are taken away, a few runs at a time; what names and proves them stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, delete, func, or_, select, update

from hub.errors import Conflict
from hub.model.ambient import of_micros
from hub.model.effect import EffectState
from hub.model.event import EventState
from hub.model.run import OPEN_STATES, RunState
from hub.store.account_tables import drift
from hub.store.committer import Transaction
from hub.store.control_tables import approvals, firings, schedules
from hub.store.tables import attempts, batches, cases, decisions, effects, events, runs, steps
from hub.store.thing_tables import match_pairs, matched_records

#: The payloads of a run, by table: what is put in their place.
_PAYLOADS: Mapping[Table, Mapping[str, object]] = {
    steps: {"input": None, "output": None, "answer": None, "error": None, "checksum": None},
    attempts: {"detail": None},
    effects: {"body": b"", "headers": "{}"},
    batches: {"body": b"", "headers": "{}"},
    decisions: {"inputs": "{}"},
    approvals: {"record": "{}"},
}
_ENDED = tuple(state.value for state in RunState if state not in OPEN_STATES)
#: A write in such a state still needs all that is known of it.
_UNSETTLED = (EffectState.INTENT.value, EffectState.UNKNOWN.value, EffectState.PARKED.value)
#: So many firings of each schedule are never pruned.
KEPT_FIRINGS = 200
#: Events that nobody has to decide about any more.
_DECIDED = (EventState.ACCEPTED.value, EventState.UNROUTED.value, EventState.REJECTED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How much was pruned, or would be."""

    runs: int = 0
    events: int = 0
    answers: int = 0
    examples: int = 0
    firings: int = 0
    records: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        """Add up."""
        return Pruned(
            runs=self.runs + other.runs,
            events=self.events + other.events,
            answers=self.answers + other.answers,
            examples=self.examples + other.examples,
            firings=self.firings + other.firings,
            records=self.records + other.records,
        )

    @property
    def total(self) -> int:
        """Count everything together."""
        return self.runs + self.events + self.answers + self.examples + self.firings + self.records


def assert_kept(row: Mapping[str, Any]) -> None:
    """Raise `Conflict` for a run or event whose payloads were pruned: there is nothing left to go on from."""
    if row["pruned_at"] is not None:
        on = f"{of_micros(row['pruned_at']):%Y-%m-%d}"
        raise Conflict(
            f"Its payloads were pruned on {on} by the environment's retention; only hashes, ids and money are left. "
            "Send the event again at its source, or give it by hand.",
            code="payload-pruned",
            id=row["id"],
            pruned_on=on,
        )


def old_runs(environment: str, before: int) -> ColumnElement[bool]:
    """Say which runs may be pruned: over for long, with every write settled, and nothing open that may look back.

    A parked run is over only when its replay is, and the replay of that, or so long after a person has closed its
    exception by hand; a run that was called, and its caller, are over together. While an exception of a run is open,
    somebody may still order something of it.
    """
    newer, parent, child = runs.alias("newer"), runs.alias("parent"), runs.alias("child")
    going = [state.value for state in OPEN_STATES]

    def is_open(other: Table, same: ColumnElement[bool]) -> ColumnElement[bool]:
        unfinished = and_(other.c.state.in_(going), other.c.replaced_by.is_(None), ~_settled(other, before))
        return select(other.c.id).where(same, unfinished).exists()

    # What is settled is pruned itself first.
    unpruned = and_(newer.c.state.in_(going), newer.c.pruned_at.is_(None))
    replayed = select(newer.c.id).where(newer.c.id == runs.c.replaced_by, unpruned).exists()
    unseen = select(cases.c.id).where(cases.c.run_id == runs.c.id, cases.c.state == "open").exists()
    unsettled = select(effects.c.key).where(effects.c.run_id == runs.c.id, effects.c.state.in_(_UNSETTLED)).exists()
    return and_(
        runs.c.environment == environment,
        runs.c.pruned_at.is_(None),
        or_(runs.c.state.in_(_ENDED), runs.c.replaced_by.is_not(None), _settled(runs, before)),
        func.coalesce(runs.c.finished_at, runs.c.updated_at) < before,
        ~unsettled,
        ~unseen,
        ~replayed,
        ~is_open(parent, parent.c.id == runs.c.parent_run),  # type: ignore[arg-type]
        ~is_open(child, child.c.parent_run == runs.c.id),  # type: ignore[arg-type]
    )


def _settled(run: FromClause, before: int) -> ColumnElement[bool]:
    """Say of a parked run that a person closed its exception by hand before a moment: it holds back nobody any more."""
    closed = select(func.max(cases.c.closed_at)).where(cases.c.run_id == run.c.id).scalar_subquery()
    parked = and_(run.c.state == RunState.PARKED.value, run.c.blocking.is_(False), run.c.replaced_by.is_(None))
    return and_(parked, func.coalesce(closed < before, False))


def old_events(environment: str, before: int) -> ColumnElement[bool]:
    """Say which events may be pruned: those whose runs all are, and old ones without a run; never a quarantined one."""
    kept = select(runs.c.id).where(runs.c.event_id == events.c.id, runs.c.pruned_at.is_(None)).exists()
    return and_(
        events.c.environment == environment,
        events.c.received_at < before,
        events.c.pruned_at.is_(None),
        events.c.state.in_(_DECIDED),
        ~kept,
    )


def old_answers(environment: str, before: int) -> ColumnElement[bool]:
    """Say whose answers may be pruned: writes that were done long ago, of runs without payloads."""
    gone = select(runs.c.id).where(runs.c.id == effects.c.run_id, runs.c.pruned_at.is_not(None)).exists()
    return and_(
        effects.c.environment == environment,
        effects.c.output.is_not(None),
        effects.c.finished_at < before,
        effects.c.state == EffectState.DONE.value,
        gone,
    )


def old_examples(environment: str, before: int) -> ColumnElement[bool]:
    """Say which examples of drift may be pruned."""
    return and_(drift.c.environment == environment, drift.c.example.is_not(None), drift.c.last_seen < before)


def old_records(environment: str, before: int) -> ColumnElement[bool]:
    """Say which compared records may be pruned: seen long ago, and no person has to look at them now."""
    pair, record = match_pairs, matched_records
    here = and_(pair.c.environment == record.c.environment, pair.c.entity == record.c.entity, pair.c.state == "open")
    one = and_(here, pair.c.system == record.c.system, pair.c.id == record.c.id)
    other = and_(here, pair.c.other_system == record.c.system, pair.c.other_id == record.c.id)
    return and_(
        record.c.environment == environment,
        record.c.record.is_not(None),
        record.c.at < before,
        ~select(pair.c.pair).where(one).exists(),
        ~select(pair.c.pair).where(other).exists(),
    )


def old_firings(environment: str, flow: str, before: int) -> ColumnElement[bool]:
    """Say which firings of a schedule may go: those due before a moment that `firings_end` gives."""
    return and_(firings.c.environment == environment, firings.c.flow == flow, firings.c.due_at < before)


def firings_end(connection: Connection, environment: str, before: int) -> dict[str, int]:
    """Give before which moment the firings of each schedule may go (microseconds), by flow.

    The newest ones stay whatever their age: the last success is found among them. Nothing goes that is not past by the
    schedule's own reckoning too, because its row is what keeps it from beginning a second time.
    """
    flows = select(firings.c.flow).where(firings.c.environment == environment).distinct()
    reckoned = {
        row.flow: min(row.next_at if row.next_at is not None else before, before)
        for row in connection.execute(
            select(schedules.c.flow, schedules.c.next_at).where(schedules.c.environment == environment)
        )
    }
    found = {}
    for flow in connection.execute(flows).scalars():
        kept = select(firings.c.due_at).where(firings.c.environment == environment, firings.c.flow == flow)
        oldest = connection.execute(kept.order_by(firings.c.due_at.desc()).limit(1).offset(KEPT_FIRINGS - 1)).scalar()
        if oldest is not None:
            found[flow] = min(oldest, reckoned.get(flow, before))
    return found


def next_runs(
    connection: Connection, environment: str, before: int, *, after: int, limit: int
) -> list[tuple[str, int]]:
    """Give runs that may be pruned with their places in the order, from behind a place on."""
    statement = (
        select(runs.c.id, runs.c.position)
        .where(old_runs(environment, before), runs.c.position > after)
        .order_by(runs.c.position)
        .limit(limit)
    )
    return [(row.id, row.position) for row in connection.execute(statement)]


def next_keys(connection: Connection, statement: Select[str], limit: int) -> list[str]:
    """Give some of the keys that a statement selects."""
    return [str(row[0]) for row in connection.execute(statement.limit(limit))]


def count(connection: Connection, environment: str, *, payloads: int, answers: int) -> Pruned:
    """Count what would be pruned now.

    Events and answers of runs that are to be pruned are not among theirs yet; they follow in the same course.
    """

    def number(table: Table, condition: ColumnElement[bool]) -> int:
        found: int = connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()
        return found

    return Pruned(
        runs=number(runs, old_runs(environment, payloads)),
        events=number(events, old_events(environment, payloads)),
        answers=number(effects, old_answers(environment, answers)),
        examples=number(drift, old_examples(environment, payloads)),
        firings=sum(
            number(firings, old_firings(environment, flow, before))
            for flow, before in firings_end(connection, environment, payloads).items()
        ),
        records=number(matched_records, old_records(environment, payloads)),
    )


def prune_runs(transaction: Transaction, ids: Sequence[str], environment: str, before: int) -> Pruned:
    """Take the payloads of these runs away, if they still may be pruned."""
    connection = transaction.connection
    # A person may have ordered something of one of them since it was chosen.
    still = select(runs.c.id).where(runs.c.id.in_(ids), old_runs(environment, before))
    chosen = [row.id for row in connection.execute(still)]
    if not chosen:
        return Pruned()
    for table, nothing in _PAYLOADS.items():
        connection.execute(update(table).where(table.c.run_id.in_(chosen)).values(**nothing))
    settled = and_(cases.c.run_id.in_(chosen), cases.c.state != "open")
    connection.execute(update(cases).where(settled).values(detail="", facts="{}"))
    connection.execute(update(runs).where(runs.c.id.in_(chosen)).values(output=None, pruned_at=transaction.now))
    return Pruned(runs=len(chosen))


def prune_events(transaction: Transaction, ids: Sequence[str], environment: str, before: int) -> Pruned:
    """Take the payloads of these events away, and the inputs of what was decided about them."""
    statement = update(events).where(events.c.id.in_(ids), old_events(environment, before))
    done = transaction.connection.execute(statement.values(data="{}", pruned_at=transaction.now)).rowcount
    about = and_(decisions.c.event_id.in_(ids), decisions.c.run_id.is_(None))
    transaction.connection.execute(update(decisions).where(about).values(inputs="{}"))
    return Pruned(events=done)


def prune_answers(transaction: Transaction, keys: Sequence[str], environment: str, before: int) -> Pruned:
    """Take away what targets answered to these writes."""
    statement = update(effects).where(effects.c.key.in_(keys), old_answers(environment, before))
    return Pruned(answers=transaction.connection.execute(statement.values(output=None)).rowcount)


def prune_firings(transaction: Transaction, environment: str, flow: str, before: int, limit: int) -> Pruned:
    """Take away some rows of a schedule's old firings; their events and runs, and what the audit log says, stay."""
    old = old_firings(environment, flow, before)
    due = select(firings.c.due_at).where(old).order_by(firings.c.due_at).limit(limit)
    some = and_(old, firings.c.due_at.in_(transaction.connection.execute(due).scalars().all()))
    return Pruned(firings=transaction.connection.execute(delete(firings).where(some)).rowcount)


def prune_records(transaction: Transaction, environment: str, before: int, limit: int) -> Pruned:
    """Take some old records away that were compared, and their keys in words; what they are compared by stays."""
    names = (matched_records.c.entity, matched_records.c.system, matched_records.c.id)
    chosen = transaction.connection.execute(select(*names).where(old_records(environment, before)).limit(limit)).all()
    for entity, system, id in chosen:
        at = (names[0] == entity, names[1] == system, names[2] == id, matched_records.c.environment == environment)
        gone = {"record": None, "keys": None, "pruned_at": transaction.now}
        transaction.connection.execute(update(matched_records).where(*at).values(**gone))
    return Pruned(records=len(chosen))


def prune_examples(transaction: Transaction, environment: str, before: int) -> Pruned:
    """Take old examples of drift away."""
    statement = update(drift).where(old_examples(environment, before)).values(example=None)
    return Pruned(examples=transaction.connection.execute(statement).rowcount)
