"""The outbox: what event feeds tell, in the transaction that makes it so, until long after it was published.

Nothing is written where no feed is kept. What was published is known by a mark, not row by row: rows are published in
their order, and the order is that of the commits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sqlalchemy import Connection, Integer, and_, bindparam, case, delete, func, select

from hub.model.ambient import to_micros
from hub.sdk import exact_json
from hub.store import marks
from hub.store.committer import Transaction
from hub.store.outbox_tables import outbox
from hub.store.statements import Formed, among, names_of
from hub.store.tables import cases, events, runs

RUN_ENDED = "concord.run."
#: Of a longer id of a vendor's event its hash is told.
_LONGEST_ID = 200
CASE_OPENED, CASE_CLOSED = "concord.case.opened", "concord.case.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact as a feed tells it; of an event the payload is in its own row, of what the hub did it is `data`.

    `id`, with the connection where there is one, names it for good: whoever has seen it knows it again.
    """

    id: str
    environment: str
    type: str
    subject: str
    key: str
    connection: str | None = None
    event_id: str | None = None
    data: Mapping[str, Any] | None = None


def tell(transaction: Transaction, facts: Iterable[Fact]) -> None:
    """Have facts written at the end of the outbox when the transaction comes to its own, where a feed is kept."""
    if not transaction.tells:
        return
    transaction.facts += [
        {
            "environment": fact.environment,
            "id": fact.id,
            "connection": fact.connection,
            "type": fact.type,
            "subject": fact.subject,
            "key": fact.key,
            "at": transaction.now,
            "event_id": fact.event_id,
            "data": None if fact.data is None else exact_json.dumps(fact.data).decode(),
        }
        for fact in facts
    ]


def tell_events(transaction: Transaction, happened: Iterable[Mapping[str, Any]]) -> None:
    """Tell of events (rows) that have happened for the hub: taken, or released."""
    if transaction.tells:
        tell(transaction, (_of_event(event) for event in happened))


def _of_event(event: Mapping[str, Any]) -> Fact:
    # The vendor's own id is the same also where an event is taken once more, after a backup was restored.
    id = str(event["external_id"]) or str(event["id"])
    if len(id) > _LONGEST_ID:
        id = f"sha256:{hashlib.sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return Fact(
        id=id,
        environment=event["environment"],
        type=event["type"],
        subject=event["subject"],
        key=event["subject"] or id,
        connection=event["connection"],
        event_id=event["id"],
    )


def tell_ends(transaction: Transaction, ended: Iterable[str]) -> None:
    """Tell of runs (ids) that have come to their end in this transaction; call it once their rows say so."""
    ids = list(ended) if transaction.tells else []
    if ids:
        found = {row["id"]: row for row in _ENDED.rows(transaction.connection, ids=names_of(ids))}
        tell(transaction, (_of_end(found[run_id]) for run_id in ids))


_TOLD_OF_RUNS = (
    *("id", "state", "flow", "key", "business_key", "event_id", "entity", "reason", "money_minor", "money_currency"),
    *("generation", "replay_of", "parent_run", "created_at", "started_at", "finished_at"),
)
_ENDED = Formed(
    select(*(runs.c[name] for name in (*_TOLD_OF_RUNS, "environment", "epoch"))).where(among(runs.c.id, "ids"))
)


def _of_end(run: Mapping[str, Any]) -> Fact:
    return Fact(
        # A run that has ended may be ordered to be taken back: that end is another one.
        id=f"{run['id']}.{run['state']}.{run['epoch']}",
        environment=run["environment"],
        type=f"{RUN_ENDED}{run['state']}",
        subject=run["id"],
        key=run["key"],
        data={name: run[name] for name in _TOLD_OF_RUNS},
    )


def tell_cases(transaction: Transaction, ids: Iterable[str]) -> None:
    """Tell of exceptions that were opened or closed in this transaction; call it once their rows say so."""
    wanted = list(ids) if transaction.tells else []
    if not wanted:
        return
    rows = transaction.connection.execute(_CASES.where(cases.c.id.in_(wanted)).order_by(cases.c.id))
    tell(transaction, (_of_case(dict(row._mapping)) for row in rows))


_TOLD_OF_CASES = (
    *("id", "state", "flow", "run_id", "path", "business_key", "reason", "entity", "money_minor", "money_currency"),
    *("owner", "opened_at", "closed_at"),
)
_CASES = select(
    *(cases.c[name] for name in (*_TOLD_OF_CASES, "environment")), func.coalesce(runs.c.key, "").label("key")
).outerjoin(runs, runs.c.id == cases.c.run_id)


def _of_case(row: Mapping[str, Any]) -> Fact:
    is_open = row["state"] == "open"
    return Fact(
        id=f"{row['id']}.{'opened' if is_open else 'closed'}",
        environment=row["environment"],
        type=CASE_OPENED if is_open else CASE_CLOSED,
        subject=row["id"],
        key=row["key"] or row["id"],
        data={name: row[name] for name in _TOLD_OF_CASES},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """How far a feed is published, and what its stream was like then.

    `made` is when the stream was made (its server's words), `last` and `first` are its numbers, `first_at` when the
    first of them was stored (microseconds; 0: it is empty), and `holes` how many are missing in between. `publisher`
    is who wrote the mark, and `at` when; with `stands_in` it publishes only where nobody else does.
    """

    position: int = 0
    made: str = ""
    last: int = 0
    first: int = 0
    first_at: int = 0
    holes: int = 0
    publisher: str = ""
    stands_in: bool = False
    at: int = 0


def published(connection: Connection, environment: str) -> Published:
    """Tell how far a feed is published."""
    found = marks.get(connection, _mark(environment))
    if found is None:
        return Published()
    # What a newer version has written beside it is passed over.
    known = {field.name for field in fields(Published)}
    return Published(**{name: value for name, value in found[0].items() if name in known}, at=to_micros(found[1]))


def mark(transaction: Transaction, environment: str, reached: Published) -> None:
    """Write down how far a feed is published."""
    value = asdict(reached)
    del value["at"]
    marks.put(transaction, _mark(environment), value)


def _mark(environment: str) -> str:
    return f"feed:{environment}"


def is_kept(connection: Connection, environment: str) -> bool:
    """Tell whether a feed is kept of an environment: from the first start with a backbone until it is ended."""
    found = marks.get(connection, _kept(environment))
    return found is not None and bool(found[0]["kept"])


def keep(transaction: Transaction, environment: str, *, kept: bool) -> None:
    """Write down that a feed is kept from here on, or is not any more."""
    marks.put(transaction, _kept(environment), {"kept": kept})


def _kept(environment: str) -> str:
    return f"feed-kept:{environment}"


def some(
    connection: Connection, environment: str, *, after: int, limit: int, largest: int, until: int | None = None
) -> Sequence[Mapping[str, Any]]:
    """Give the rows behind a position in their order, each with what its event's row says.

    A payload of more than `largest` characters is left out (`size` tells how many it has).
    """
    last = _LAST if until is None else until
    return _SOME.rows(connection, of=environment, after=after, until=last, most=limit, largest=largest)


#: No place is behind this one.
_LAST = 2**63 - 1
_SIZE = func.length(events.c.data)
_SOME = Formed(
    select(
        outbox,
        *(events.c[name] for name in ("occurred_at", "schema", "pruned_at")),
        _SIZE.label("size"),
        case((bindparam("largest", type_=Integer) >= _SIZE, events.c.data)).label("payload"),
    )
    .outerjoin(events, events.c.id == outbox.c.event_id)
    .where(outbox.c.environment == bindparam("of"), outbox.c.position > bindparam("after"))
    .where(outbox.c.position <= bindparam("until"))
    .order_by(outbox.c.position)
    .limit(bindparam("most", type_=Integer))
)


def backlog(connection: Connection, environment: str) -> tuple[int, int | None]:
    """Count what is not published yet, and tell since when the oldest of it waits (microseconds)."""
    behind = and_(outbox.c.environment == environment, outbox.c.position > published(connection, environment).position)
    count, oldest = connection.execute(select(func.count(), func.min(outbox.c.at)).where(behind)).one()
    return int(count), oldest


def clear(transaction: Transaction, environment: str) -> None:
    """Take away all that stands in the outbox of an environment."""
    transaction.connection.execute(delete(outbox).where(outbox.c.environment == environment))


def prune(transaction: Transaction, environment: str, *, before: int, limit: int) -> int:
    """Take the oldest published rows away that were written before a moment, so many at most; gives their number."""
    reached = published(transaction.connection, environment).position
    here = outbox.c.environment == environment
    oldest = select(outbox.c.position).where(here, outbox.c.position <= reached).order_by(outbox.c.position)
    last = max(transaction.connection.execute(oldest.limit(limit)).scalars(), default=None)
    if last is None:
        return 0
    old = delete(outbox).where(here, outbox.c.position <= last, outbox.c.at < before)
    return transaction.connection.execute(old).rowcount
