"""History: what a worker records of a run, fenced by the run's epoch, many runs in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from hub.errors import HubError, StaleLease
from hub.model.effect import EffectState
from hub.model.run import RunState
from hub.store import decisions
from hub.store.account_tables import connections
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.crossrefs import Link, find, put
from hub.store.runs import wake
from hub.store.tables import attempts, cases, effects, runs, steps
from hub.store.upserts import upsert

STEP_COLUMNS = (
    *("ordinal", "kind", "state", "input", "output", "answer", "answer_schema", "rule", "error"),
    *("started_at", "finished_at"),
)


@dataclass(slots=True, kw_only=True)
class Record(Write):
    """All that one run has to make durable at one point.

    The result is the effect that already stands under the intent's key when there is one (a row), else None; raises
    `StaleLease` when another worker has taken the run. `intended` is audited only if the intent was opened. `taken` is
    an effect of another run that this one goes on with; the result is the row again when it has changed meanwhile.
    `change` holds the run's new columns.
    """

    run_id: str
    epoch: int
    steps: list[Mapping[str, Any]] = field(default_factory=list)
    attempts: list[Mapping[str, Any]] = field(default_factory=list)
    intent: Mapping[str, Any] | None = None
    intended: Note | None = None
    taken: Mapping[str, Any] | None = None
    outcome: Mapping[str, Any] | None = None
    links: list[Link] = field(default_factory=list)
    case: Mapping[str, Any] | None = None
    change: Mapping[str, Any] | None = None
    notes: list[Note] = field(default_factory=list)
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    #: The look-up (arguments of `crossrefs.find`) whose answer the run waits for; it goes on at once if there is one.
    awaited: Mapping[str, str] | None = None
    #: The paused connection that the run waits for; it goes on at once if somebody has resumed it.
    paused: str | None = None

    rank = 20

    @classmethod
    def apply(cls, batch: Sequence[Record], transaction: Transaction) -> list[Any]:
        """Leave out what was fenced off, then write everything of a kind together."""
        connection = transaction.connection
        epochs = _epochs(connection, {record.run_id for record in batch})
        results: list[Any] = [
            None if epochs.get(record.run_id) == record.epoch else StaleLease(run=record.run_id) for record in batch
        ]
        live = [(index, record) for index, record in enumerate(batch) if results[index] is None]
        _open_intents(transaction, live, results)
        _take_over(transaction, live, results)
        _tie_links(transaction, live, results)
        kept = [record for _, record in live]
        # A run whose ids could not be tied keeps what it did, but does not go on as it meant to.
        going = [record for index, record in live if not isinstance(results[index], HubError)]
        upsert(
            connection,
            steps,
            [step for record in kept for step in record.steps],
            keys=("run_id", "path"),
            change=STEP_COLUMNS,
        )
        upsert(
            connection,
            attempts,
            [attempt for record in kept for attempt in record.attempts],
            keys=("run_id", "path", "number"),
            change=(),
        )
        decisions.keep(connection, [decision for record in kept for decision in record.decisions])
        outcomes = [record.outcome for record in kept if record.outcome is not None]
        if outcomes:
            connection.execute(_SETTLE_EFFECT, outcomes)
        opened = [record.case for record in going if record.case is not None]
        if opened:
            connection.execute(insert(cases), opened)
        _change_runs(transaction, going)
        for record in kept:
            transaction.entries.extend(record.notes)
        return results


_SETTLE_EFFECT = (
    update(effects)
    .where(effects.c.key == bindparam("effect_key"))
    .values(
        state=bindparam("state"),
        sent_at=bindparam("sent_at"),
        output=bindparam("output"),
        reason=bindparam("reason"),
        finished_at=bindparam("finished_at"),
    )
)

_CHANGES = (
    "state",
    "blocking",
    "claimable_at",
    "wait_kind",
    "wait_on",
    "wait_until",
    "reason",
    "finished_at",
    "entity",
)
_MONEY = ("money_minor", "money_currency")
_CHANGE_RUN = (
    update(runs)
    .where(runs.c.id == bindparam("run_id"))
    .values({name: bindparam(name) for name in (*_CHANGES, *_MONEY)} | {"updated_at": bindparam("now"), "owner": None})
)


def _epochs(connection: Connection, ids: set[str]) -> dict[str, int]:
    return {row.id: row.epoch for row in connection.execute(select(runs.c.id, runs.c.epoch).where(runs.c.id.in_(ids)))}


def _open_intents(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    wanted = {record.intent["key"]: record.intent for _, record in live if record.intent is not None}
    if not wanted:
        return
    connection = transaction.connection
    standing = {
        row.key: dict(row._mapping) for row in connection.execute(select(effects).where(effects.c.key.in_(wanted)))
    }
    new: list[Mapping[str, Any]] = []
    again: list[Mapping[str, Any]] = []
    for index, record in live:
        if record.intent is None:
            continue
        existing = standing.get(record.intent["key"])
        if existing is not None and existing["state"] != EffectState.FAILED.value:
            results[index] = existing
            continue
        # What failed surely did nothing, so a newly formed request may take its place.
        (new if existing is None else again).append(record.intent)
        standing[record.intent["key"]] = dict(record.intent)
        if record.intended is not None:
            transaction.entries.append(record.intended)
    if new:
        connection.execute(insert(effects), new)
    for intent in again:
        connection.execute(update(effects).where(effects.c.key == intent["key"]).values(**intent))


def _take_over(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    for index, record in live:
        if record.taken is None:
            continue
        as_seen = (effects.c[name] == record.taken[name] for name in ("key", "run_id", "state"))
        taken = transaction.connection.execute(update(effects).where(*as_seen).values(run_id=record.run_id))
        if taken.rowcount == 0:
            results[index] = record.taken


def _tie_links(transaction: Transaction, live: list[tuple[int, Record]], results: list[Any]) -> None:
    topics: list[str] = []
    for index, record in live:
        for link in record.links:
            try:
                topics.extend(put(transaction, link))
            except HubError as error:
                results[index] = error
                break
    if topics:
        wake(transaction, topics)


def _change_runs(transaction: Transaction, going: Sequence[Record]) -> None:
    changes = []
    for record in going:
        if record.change is None:
            continue
        if _has_come(transaction, record):
            # It came between the worker's look and now; nobody else would wake the run.
            record.change = {"state": RunState.QUEUED.value, "claimable_at": transaction.now}
        changes.append(
            {
                **dict.fromkeys((*_CHANGES, *_MONEY)),
                "blocking": True,
                **record.change,
                "run_id": record.run_id,
                "now": transaction.now,
            }
        )
        # A run that ends, or whose time has come, lets others go on.
        if not record.change.get("blocking", True) or record.change.get("claimable_at") is not None:
            transaction.woken = True
    if changes:
        transaction.connection.execute(_CHANGE_RUN, changes)


def _has_come(transaction: Transaction, record: Record) -> bool:
    if record.awaited is not None:
        return find(transaction.connection, **record.awaited) is not None
    if record.paused is not None:
        environment = select(runs.c.environment).where(runs.c.id == record.run_id).scalar_subquery()
        state = transaction.connection.execute(
            select(connections.c.state).where(
                connections.c.environment == environment, connections.c.name == record.paused
            )
        ).scalar()
        return state == "active"
    return False


def of_run(connection: Connection, run_id: str) -> dict[str, list[Mapping[str, Any]]]:
    """Give everything recorded of a run: its steps, attempts, effects and cases."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, table, order in (
        ("steps", steps, steps.c.ordinal),
        ("attempts", attempts, attempts.c.number),
        ("effects", effects, effects.c.created_at),
        ("cases", cases, cases.c.opened_at),
    ):
        rows = connection.execute(select(table).where(table.c.run_id == run_id).order_by(order))
        found[name] = [dict(row._mapping) for row in rows]
    return found


def effect(connection: Connection, key: str) -> Mapping[str, Any] | None:
    """Give an effect by its key."""
    row = connection.execute(select(effects).where(effects.c.key == key)).one_or_none()
    return None if row is None else dict(row._mapping)


def open_effects(connection: Connection, *, environment: str) -> list[Mapping[str, Any]]:
    """List the effects whose outcome is not known yet, without their bodies."""
    columns = [column for column in effects.c if column.name not in ("body", "output")]
    statement = select(*columns).where(
        effects.c.environment == environment,
        effects.c.state.in_([EffectState.INTENT.value, EffectState.UNKNOWN.value]),
    )
    return [dict(row._mapping) for row in connection.execute(statement)]
