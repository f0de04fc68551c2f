"""Events: accepted once with the runs they start, in one transaction; repeats are counted and start nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, tuple_, update

from hub.audit.kinds import AuditKind
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.tables import events, rejections, runs
from hub.store.upserts import upsert


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
    """

    event: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    actor: str

    rank = 10

    @classmethod
    def apply(cls, batch: Sequence[Accept], transaction: Transaction) -> list[Acceptance]:
        """Tell the new ones from the repeated ones, and write both kinds together."""
        known = _known(transaction.connection, batch)
        results: list[Acceptance] = []
        new_events: list[Mapping[str, Any]] = []
        new_runs: list[dict[str, Any]] = []
        repeated: list[dict[str, Any]] = []
        for accept in batch:
            event = accept.event
            name = _name(event)
            if name not in known:
                known[name] = event["body_hash"]
                new_events.append(event)
                new_runs.extend(dict(run) for run in accept.runs)
                transaction.entries.extend(_notes(accept))
                results.append(Acceptance.NEW)
            elif known[name] == event["body_hash"]:
                # What was fetched was not delivered: a webhook that never came must not look as if it had.
                repeated.append({"named": name[2], "on": name[1], "within": name[0], "more": event["deliveries"]})
                results.append(Acceptance.REPEATED)
            else:
                kept = _conflicting(event)
                if _name(kept) not in known:
                    known[_name(kept)] = kept["body_hash"]
                    new_events.append(kept)
                    transaction.entries.append(
                        Note(
                            kind=AuditKind.EVENT_REJECTED,
                            actor=accept.actor,
                            subjects={"event": kept["id"]},
                            facts={"reason": "same-id-other-content", "content": kept["body_hash"]},
                        )
                    )
                results.append(Acceptance.CONFLICTING)
        if new_events:
            transaction.connection.execute(insert(events), new_events)
        if new_runs:
            for run, position in zip(new_runs, transaction.next_values("position", len(new_runs)), strict=True):
                run["position"] = position
            transaction.connection.execute(insert(runs), new_runs)
            transaction.woken = True
        if repeated:
            transaction.connection.execute(_COUNT_DELIVERY, repeated)
        return results


_COUNT_DELIVERY = (
    update(events)
    .where(
        events.c.environment == bindparam("within"),
        events.c.connection == bindparam("on"),
        events.c.external_id == bindparam("named"),
    )
    .values(deliveries=events.c.deliveries + bindparam("more"))
)


def _name(event: Mapping[str, Any]) -> tuple[str, str, str]:
    return event["environment"], event["connection"], event["external_id"]


def _known(connection: Connection, batch: Sequence[Accept]) -> dict[tuple[str, str, str], str]:
    names = {_name(accept.event) for accept in batch}
    kept = {_name(_conflicting(accept.event)) for accept in batch}
    statement = select(events.c.environment, events.c.connection, events.c.external_id, events.c.body_hash).where(
        tuple_(events.c.environment, events.c.connection, events.c.external_id).in_(sorted(names | kept))
    )
    return {(row[0], row[1], row[2]): row[3] for row in connection.execute(statement)}


def _conflicting(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **event,
        "external_id": f"{event['external_id']}#{event['body_hash'][:16]}",
        "state": "rejected",
        "reason": "same-id-other-content",
    }


def _notes(accept: Accept) -> list[Note]:
    event = accept.event
    kind = {"accepted": AuditKind.EVENT_ACCEPTED, "rejected": AuditKind.EVENT_REJECTED}.get(
        event["state"], AuditKind.EVENT_UNROUTED
    )
    facts = {"content": event["body_hash"], "connection": event["connection"], "via": event["via"]}
    if event.get("reason"):
        facts["reason"] = event["reason"]
    notes = [Note(kind=kind, actor=accept.actor, subjects={"event": event["id"]}, facts=facts)]
    notes.extend(
        Note(
            kind=AuditKind.RUN_QUEUED,
            actor=accept.actor,
            subjects={"run": run["id"], "event": event["id"]},
            facts={"flow": run["flow"], "bundle": run["bundle"]},
        )
        for run in accept.runs
    )
    return notes


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
                upsert(
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
