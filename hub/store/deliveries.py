"""Deliveries: the events of one request, made durable together with those of other requests, each event once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from hub.audit.kinds import AuditKind
from hub.errors import HubError
from hub.model.event import EventState, Via
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.events import Accept, Acceptance, accepted, notes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptDelivery(Write):
    """Store the events of one request; the result is an `Acceptance` for each, in their order.

    It does what `Accept` does, and differs in what the audit is told. One entry binds all that is new of the delivery:
    how many events, from which place in the order of all on, and what they are (see `bound`). Those that start runs,
    or are kept back, have an entry of their own besides; one that no flow wants has none, since there may be millions.
    """

    accepts: Sequence[Accept]
    connection: str
    actor: str

    rank = 11

    @classmethod
    def apply(cls, batch: Sequence[AcceptDelivery], transaction: Transaction) -> list[list[Acceptance | HubError]]:
        """Write all deliveries as one batch of events."""
        results, rows = accepted([one for delivery in batch for one in delivery.accepts], transaction, _notes)
        each, at = iter(results), 0
        told: list[list[Acceptance | HubError]] = []
        for delivery in batch:
            said = list(islice(each, len(delivery.accepts)))
            first = at
            for accept in delivery.accepts:
                at += at < len(rows) and rows[at]["id"] == accept.event["id"]
            if at > first:
                transaction.entries.append(_entry(delivery, rows[first:at]))
            told.append(said)
        return told


_UNROUTED = EventState.UNROUTED.value


def _notes(accept: Accept) -> Iterable[Note]:
    return () if accept.event["state"] == _UNROUTED else notes_of(accept)


def _entry(delivery: AcceptDelivery, rows: Sequence[Mapping[str, Any]]) -> Note:
    return Note(
        kind=AuditKind.DELIVERY_ACCEPTED,
        actor=delivery.actor,
        facts={
            "connection": delivery.connection,
            "via": Via.API.value,
            "events": len(rows),
            "position": rows[0]["position"],
            "content": bound(rows),
        },
    )


def bound(rows: Iterable[Mapping[str, Any]]) -> str:
    """Name events by what they are, in the order of their positions: SHA-256 over a line `ID HASH` of each."""
    lines = "".join([f"{row['id']} {row['body_hash']}\n" for row in rows])
    return hashlib.sha256(lines.encode()).hexdigest()
