"""Events: accepted once with the runs they start, in one transaction; repeats are counted and start nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)

from hub.audit.kinds import AuditKind
from hub.errors import FixData, HubError
from hub.model.event import EventFilter, EventState
from hub.model.run import StepState
from hub.sdk import exact_json
from hub.store import statements
from hub.store.account_tables import rejections
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.decisions import keep
from hub.store.drift import Sighting, count
from hub.store.history import Lease, hindered
from hub.store.outbox import tell_events
from hub.store.runs import wake
from hub.store.statements import Formed, among, containing, names_of
from hub.store.tables import awaited, event_names, events, runs, steps

#: Why an event is rejected that says something else than an earlier one of the same id.
OTHER_CONTENT = "same-id-other-content"

#: An event that a policy holds back, or that nobody could read, has not happened yet for those who wait.
_HAPPENED = frozenset({EventState.ACCEPTED.value, EventState.UNROUTED.value})
_KINDS = {
    EventState.ACCEPTED: AuditKind.EVENT_ACCEPTED,
    EventState.UNROUTED: AuditKind.EVENT_UNROUTED,
    EventState.QUARANTINED: AuditKind.EVENT_QUARANTINED,
    EventState.REJECTED: AuditKind.EVENT_REJECTED,
}


#: The words of the small indexes, so that they are used: what was kept back, and what no flow wanted. SQLite has both
#: in one index, and looks for its words by themselves.
_NOT_TAKEN = events.c.state != literal_column("'accepted'")
HELD = and_(_NOT_TAKEN, events.c.state != literal_column("'unrouted'"))
UNROUTED = and_(_NOT_TAKEN, events.c.state == literal_column("'unrouted'"))

#: What an event is known by: environment, connection, and the id that it has there.
Name = tuple[str, str, str]


class Acceptance(StrEnum):
    """What became of an event at the door."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept(Write):
    """Store an event with its runs; the result is an `Acceptance`.

    `event` and `runs` are rows without the columns that are set here (`position`). A repeat has the same environment,
    connection and external id: its deliveries are added. The same id with other content is kept beside it as rejected.
    `drift` is what its payload differs in, and `decisions` (rows) what policies said of that; repeats add neither.
    `caller` is the run that tells of it, if one does: of a run that may begin nothing more, nothing is stored
    (`StaleLease`, `ToldToStop`, `OnHold`).
    """

    event: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    actor: str
    drift: Sequence[Sighting] = ()
    decisions: Sequence[Mapping[str, Any]] = ()
    caller: Lease | None = None

    rank = 10

    @classmethod
    def apply(cls, batch: Sequence[Accept], transaction: Transaction) -> list[Acceptance | HubError]:
        """Tell the new ones from the repeated ones, and write both kinds together."""
        return accepted(batch, transaction, notes_of)[0]


def accepted(
    batch: Sequence[Accept],
    transaction: Transaction,
    notes: Callable[[Accept], Iterable[Note]],
    known: dict[Name, str] | None = None,
) -> tuple[list[Acceptance | HubError], list[dict[str, Any]]]:
    """Write what is new of a batch, and count what comes again; gives each one's result, and the rows that are new.

    `notes` are what the audit is told of one that is new; of another content under a known id it is always told.
    `known` are the contents that are stored under the names of the batch, from a caller who has asked already.
    """
    known = _known(transaction.connection, [accept.event for accept in batch]) if known is None else known
    stopped = hindered(transaction, (accept.caller for accept in batch))
    results: list[Acceptance | HubError] = []
    new_events: list[Mapping[str, Any]] = []
    new_runs: list[dict[str, Any]] = []
    repeated: Counter[Name] = Counter()
    kept: list[Accept] = []
    for place, accept in enumerate(batch):
        event = accept.event
        name = _name(event)
        if place in stopped:
            results.append(stopped[place])
        elif name not in known:
            known[name] = event["body_hash"]
            new_events.append(event)
            new_runs.extend(dict(run) for run in accept.runs)
            kept.append(accept)
            transaction.entries.extend(notes(accept))
            results.append(Acceptance.NEW)
        elif known[name] == event["body_hash"]:
            # What was fetched was not delivered: a webhook that never came must not look as if it had.
            repeated[name] += event["deliveries"]
            results.append(Acceptance.REPEATED)
        else:
            beside = _conflicting(event)
            if _name(beside) not in known:
                known.update(_known(transaction.connection, [beside]))
            if _name(beside) not in known:
                known[_name(beside)] = beside["body_hash"]
                new_events.append(beside)
                kept.append(accept)
                transaction.entries.append(
                    Note(
                        kind=AuditKind.EVENT_REJECTED,
                        actor=accept.actor,
                        subjects={"event": beside["id"]},
                        facts={"reason": OTHER_CONTENT, "content": beside["body_hash"]},
                    )
                )
            results.append(Acceptance.CONFLICTING)
    places = transaction.next_values("event", len(new_events)) if new_events else ()
    rows = [{**event, "position": at} for event, at in zip(new_events, places, strict=True)]
    _insert(transaction.connection, events, rows)
    # By the rows as they stand: another content under a known id has not happened, whatever it says.
    happened = [row for row in rows if row["state"] in _HAPPENED]
    tell(transaction, happened)
    tell_events(transaction, happened)
    queue(transaction, new_runs)
    _count(transaction.connection, repeated)
    count(transaction, (sighting for accept in kept for sighting in accept.drift))
    keep(transaction.connection, [decision for accept in kept for decision in accept.decisions])
    return results, rows


def queue(transaction: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    """Add runs at the end of the order of acceptance; their places are set here."""
    if rows:
        for run, position in zip(rows, transaction.next_values("position", len(rows)), strict=True):
            run["position"] = position
        _insert(transaction.connection, runs, rows)
        transaction.woken = True


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    # A statement takes rows of the same columns.
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        alike.setdefault(tuple(row), []).append(row)
    for group in alike.values():
        statements.insert(connection, table, group)


def tell(transaction: Transaction, told: Iterable[Mapping[str, Any]]) -> None:
    """Let the runs go on that wait for one of these events (rows); it costs one look while nobody waits."""
    some = list(told)
    if some:
        tell_about(transaction, ((each["environment"], each["type"], each["subject"]) for each in some))


def tell_about(transaction: Transaction, told: Iterable[tuple[str, str, str]], *, anybody: bool | None = None) -> None:
    """Let runs go on by the environments, types and subjects of events, which are not read while nobody waits.

    `anybody` says whether somebody does, from a caller who has asked already.
    """
    if _ANYBODY.scalar(transaction.connection) if anybody is None else anybody:
        wake(transaction, sorted({topic(environment=here, type=kind, subject=about) for here, kind, about in told}))


#: What lies in the index of waits between the word and the next one is what waits for events.
ANYBODY_WAITS = or_(
    exists().where(runs.c.wait_on >= "event:", runs.c.wait_on < "event;"),
    exists().where(awaited.c.topic >= "event:", awaited.c.topic < "event;"),
)
_ANYBODY = Formed(select(ANYBODY_WAITS))


def _count(connection: Connection, repeated: Mapping[Name, int]) -> None:
    """Add deliveries to events by their names; a whole batch that comes again is one statement."""
    alike: dict[tuple[str, str, int], set[str]] = {}
    for (environment, name, external_id), more in repeated.items():
        if more:
            alike.setdefault((environment, name, more), set()).add(external_id)
    for (environment, name, more), external in alike.items():
        here = {"of_environment": environment, "of_connection": name, "more": more}
        odd = {each for each in external if "\0" in each}
        if external - odd:
            _COUNT(connection, **here, ids=names_of(external - odd))
        for each in odd:
            _COUNT_ALONE(connection, **here, id=each)


_MORE = update(events).values(deliveries=events.c.deliveries + bindparam("more"))
_IDS = select(event_names.c.event_id).where(
    event_names.c.environment == bindparam("of_environment"), event_names.c.connection == bindparam("of_connection")
)
_COUNT = Formed(_MORE.where(events.c.id.in_(_IDS.where(among(event_names.c.external_id, "ids")))))
_COUNT_ALONE = Formed(_MORE.where(events.c.id.in_(_IDS.where(event_names.c.external_id == bindparam("id")))))


def _name(event: Mapping[str, Any]) -> Name:
    return event["environment"], event["connection"], event["external_id"]


def _known(connection: Connection, batch: Iterable[Mapping[str, Any]]) -> dict[Name, str]:
    ids: dict[tuple[str, str], set[str]] = {}
    for event in batch:
        ids.setdefault((event["environment"], event["connection"]), set()).add(event["external_id"])
    found: dict[Name, str] = {}
    for (environment, name), external in ids.items():
        found |= known_of(connection, environment, name, external)
    return found


def known_of(connection: Connection, environment: str, name: str, ids: set[str]) -> dict[Name, str]:
    """Give the contents (hashes) of those events of a connection that are stored under one of the ids it gave them.

    Names are asked for one connection after the other: for pairs and triples SQLite reads the whole table.
    """
    here = {"of_environment": environment, "of_connection": name}
    odd = {each for each in ids if "\0" in each} if "\0" in "".join(ids) else set()
    rows = _KNOWN.rows(connection, **here, ids=names_of(ids - odd))
    for each in odd:
        rows.extend(_KNOWN_ALONE.rows(connection, **here, id=each))
    return {(environment, name, row["external_id"]): row["body_hash"] for row in rows}


OF_CONNECTION = select(event_names.c.external_id, event_names.c.body_hash).where(
    event_names.c.environment == bindparam("of_environment"), event_names.c.connection == bindparam("of_connection")
)
_KNOWN = Formed(OF_CONNECTION.where(among(event_names.c.external_id, "ids")))
_KNOWN_ALONE = Formed(OF_CONNECTION.where(event_names.c.external_id == bindparam("id")))


def kept_beside(external_id: str, content: str) -> str:
    """Give the id under which another content of an event is kept beside the first."""
    return f"{external_id}#{content[:16]}"


def _conflicting(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **event,
        "external_id": kept_beside(event["external_id"], event["body_hash"]),
        "state": EventState.REJECTED.value,
        "reason": OTHER_CONTENT,
    }


def notes_of(accept: Accept) -> list[Note]:
    """Give the audit entries of a new event and of its runs."""
    event = accept.event
    kind = _KINDS[EventState(event["state"])]
    facts = {"content": event["body_hash"], "connection": event["connection"], "via": event["via"]}
    if event.get("reason"):
        facts["reason"] = event["reason"]
    notes = [Note(kind=kind, actor=accept.actor, subjects={"event": event["id"]}, facts=facts)]
    notes.extend(run_note(run, accept.actor) for run in accept.runs)
    return notes


def run_note(run: Mapping[str, Any], actor: str) -> Note:
    """Give the audit entry of a new run."""
    return Note(
        kind=AuditKind.RUN_QUEUED,
        actor=actor,
        subjects={"run": run["id"], "event": run["event_id"]},
        facts={"flow": run["flow"], "bundle": run["bundle"]},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRejections(Write):
    """Add to the counts of webhooks that were not trusted: rows of environment, connection, reason, minute, count."""

    rows: Sequence[Mapping[str, Any]]

    rank = 60

    @classmethod
    def apply(cls, batch: Sequence[CountRejections], transaction: Transaction) -> list[None]:
        """Sum into the minute's row; one audit entry for each addition."""
        for write in batch:
            for row in write.rows:
                statements.upsert(
                    transaction.connection,
                    rejections,
                    [{**row, "count": 0}],
                    keys=("environment", "connection", "reason", "minute"),
                    change=(),
                )
                transaction.connection.execute(
                    update(rejections)
                    .where(
                        rejections.c.environment == row["environment"],
                        rejections.c.connection == row["connection"],
                        rejections.c.reason == row["reason"],
                        rejections.c.minute == row["minute"],
                    )
                    .values(count=rejections.c.count + row["count"])
                )
                transaction.entries.append(
                    Note(
                        kind=AuditKind.WEBHOOK_REFUSED,
                        actor="intake",
                        facts={name: row[name] for name in ("connection", "reason", "minute", "count")},
                    )
                )
        return [None] * len(batch)


def find(connection: Connection, event_id: str) -> Mapping[str, Any] | None:
    """Give an event's row."""
    row = connection.execute(select(events).where(events.c.id == event_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def conditions(environment: str, wanted: EventFilter) -> list[ColumnElement[bool]]:
    """Give what a statement on events asks for."""
    found: list[ColumnElement[bool]] = [events.c.environment == environment]
    for column, value in (
        (events.c.state, wanted.state.value if wanted.state else None),
        (events.c.connection, wanted.connection),
        (events.c.type, wanted.type),
        (events.c.schema, wanted.schema),
        (events.c.reason, wanted.reason),
    ):
        if value is not None:
            found.append(column == value)
    if wanted.state is EventState.UNROUTED:
        found.append(UNROUTED)
    elif wanted.state is not None and wanted.state is not EventState.ACCEPTED:
        found.append(HELD)
    if wanted.flagged or wanted.kind is not None or wanted.path is not None:
        found.append(events.c.flags.is_not(None))
    if wanted.kind is not None or wanted.path is not None:
        found.append(events.c.flags.contains(_finding(wanted), autoescape=True))
    if wanted.text is not None:
        columns = (events.c.external_id, events.c.type, events.c.subject)
        told = (containing(column, wanted.text) for column in columns)
        found.append(or_(events.c.id == wanted.text, *told))
    return found


def _finding(wanted: EventFilter) -> str:
    """Give how a finding stands in the flags, as JSON with its keys in order."""
    kind = None if wanted.kind is None else exact_json.dumps({"kind": wanted.kind})[1:-1].decode()
    path = None if wanted.path is None else exact_json.dumps({"path": wanted.path})[1:-1].decode()
    return ",".join(part for part in (kind, path) if part is not None)


def kept(
    connection: Connection, environment: str, wanted: EventFilter, *, after: str | None, limit: int
) -> list[Mapping[str, Any]]:
    """List what can be released, the oldest first: events not taken, and those for which a flow could not begin.

    Another content under a known id is listed only if it is asked for by its reason.
    """
    statement = select(events).where(*_kept(environment, wanted))
    if after is not None:
        statement = statement.where(events.c.id > after)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(events.c.id).limit(limit))]


def count_kept(connection: Connection, environment: str, wanted: EventFilter) -> int:
    """Count what can be released."""
    statement = select(func.count()).select_from(events).where(*_kept(environment, wanted))
    return connection.execute(statement).scalar() or 0


def _kept(environment: str, wanted: EventFilter) -> list[ColumnElement[bool]]:
    stuck = or_(HELD, UNROUTED, events.c.flags.contains('"flows":', autoescape=True))
    found = [*conditions(environment, wanted), stuck]
    if wanted.reason is None:
        found.append(events.c.reason.is_distinct_from(OTHER_CONTENT))
    return found


def flows_begun(connection: Connection, event_id: str) -> set[str]:
    """Name the flows that have a run of this event."""
    return set(connection.execute(select(runs.c.flow).where(runs.c.event_id == event_id)).scalars())


def ids_of(connection: Connection, *, environment: str, name: str, external_ids: Sequence[str]) -> list[str]:
    """Give our ids of a connection's events by the vendor's ids."""
    found = select(event_names.c.event_id).where(
        *_named(environment, name), event_names.c.external_id.in_(external_ids)
    )
    return list(connection.execute(found.order_by(event_names.c.event_id)).scalars())


def _named(environment: str, name: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return event_names.c.environment == environment, event_names.c.connection == name


def topic(*, environment: str, type: str, subject: str) -> str:
    """Name what a run waits for that waits for an event of a type about a subject."""
    return f"event:{environment}:{type}:{subject}"


def place_of(event: Mapping[str, Any]) -> int:
    """Give the place at which an event came in the order of all; an edited one came when the original did."""
    release = event.get("release")
    return int(event["position"] if release is None else exact_json.loads(release).get("position", event["position"]))


def first_about(
    connection: Connection, *, environment: str, type: str, subject: str, behind: int
) -> Mapping[str, Any] | None:
    """Give the first event of a type about a subject that was taken, or released, behind a place in the order."""
    statement = (
        select(events)
        .where(
            events.c.environment == environment,
            events.c.type == type,
            events.c.subject == subject,
            events.c.position > behind,
            events.c.state.in_([EventState.ACCEPTED.value, EventState.UNROUTED.value]),
        )
        .order_by(events.c.position)
        .limit(1)
    )
    row = connection.execute(statement).one_or_none()
    return None if row is None else dict(row._mapping)


def places_taken(connection: Connection, run_id: str, paths: Sequence[str], *, about: Mapping[str, str]) -> list[int]:
    """Give the places of the events for which steps of a run have waited, of those `about` what is named so."""
    inputs = connection.execute(_WAITED, {"of_run": run_id, "paths": list(paths)}).scalars()
    asked = [exact_json.loads(text) for text in inputs if text is not None]
    ids = [each["event"] for each in asked if "event" in each and about.items() <= each.items()]
    return list(connection.execute(_PLACES, {"ids": ids}).scalars()) if ids else []


_WAITED = select(steps.c.input).where(
    steps.c.run_id == bindparam("of_run"),
    steps.c.path.in_(bindparam("paths", expanding=True)),
    steps.c.state == StepState.SUCCEEDED.value,
)
_PLACES = select(events.c.position).where(events.c.id.in_(bindparam("ids", expanding=True)))


def by_name(connection: Connection, environment: str, name: str, external_id: str) -> Mapping[str, Any] | None:
    """Give a connection's event by the id that it has there; raises `FixData` for one that is gone with its month."""
    named = select(event_names.c.event_id).where(*_named(environment, name), event_names.c.external_id == external_id)
    event_id = connection.execute(named).scalar()
    event = None if event_id is None else find(connection, event_id)
    if event_id is not None and event is None:
        raise FixData(
            "The event has come, and the environment's retention has dropped its month since.",
            code="payload-pruned",
            event=event_id,
            name=external_id,
        )
    return event
