"""Releases: events that were kept start what they should have started, once, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update

from hub.audit.kinds import AuditKind
from hub.errors import Conflict
from hub.model.event import EventState
from hub.sdk import exact_json
from hub.store.audit import Note, bound
from hub.store.committer import Transaction, Write
from hub.store.events import place_of, queue, run_note, tell
from hub.store.outbox import tell_events
from hub.store.tables import events, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Write):
    """Let one kept event go; the result tells the ids of the runs it started, or the `Conflict` it met.

    - `event` is its row as it was read: another state or other flags now mean that somebody was quicker.
    - `runs` are rows without `position`; one of a flow that has its run of this event already is left out.
    - `flags` is what remains to be known of it, `became` the ids of other events that its bytes were read as.
    """

    event: Mapping[str, Any]
    state: EventState
    flags: str | None
    runs: Sequence[Mapping[str, Any]]
    became: Sequence[str]
    bundle: str
    actor: str
    reason: str

    rank = 20

    @classmethod
    def apply(cls, batch: Sequence[Release], transaction: Transaction) -> list[tuple[str, ...] | Conflict]:
        """Release one after the other."""
        return [release.carry_out(transaction) for release in batch]

    def carry_out(self, transaction: Transaction) -> tuple[str, ...] | Conflict:
        """Change the event only if it stands as it was read, then queue its runs."""
        connection, event_id = transaction.connection, self.event["id"]
        note = {"at": transaction.now, "by": self.actor, "reason": self.reason, "from": self.event["state"]}
        note |= {"became": list(self.became), "position": place_of(self.event)}
        held_back = self.event["state"] in (EventState.QUARANTINED, EventState.REJECTED)
        # For those who wait for it, it happens now; what follows from it goes by when it came.
        place = transaction.next_values("event", 1)[0] if held_back else self.event["position"]
        changed = connection.execute(
            update(events)
            .where(
                events.c.id == event_id,
                events.c.state == self.event["state"],
                events.c.flags.is_not_distinct_from(self.event["flags"]),
            )
            .values(
                state=self.state.value,
                reason=None,
                flags=self.flags,
                position=place,
                release=exact_json.dumps(note).decode(),
            )
        )
        if changed.rowcount != 1:
            return Conflict("Somebody else released the event meanwhile.", code="already-released", event=event_id)
        if held_back:
            tell(transaction, [self.event])
            tell_events(transaction, [] if self.became else [self.event])
        have = set(connection.execute(select(runs.c.flow).where(runs.c.event_id == event_id)).scalars())
        started = [dict(run) for run in self.runs if run["flow"] not in have]
        queue(transaction, started)
        transaction.entries.append(
            Note(
                kind=AuditKind.EVENT_RELEASED,
                actor=self.actor,
                subjects={"event": event_id},
                facts={
                    "from": self.event["state"],
                    "to": self.state.value,
                    "bundle": self.bundle,
                    "reason": bound(self.reason),
                },
            )
        )
        transaction.entries.extend(run_note(run, self.actor) for run in started)
        return tuple(run["id"] for run in started)
