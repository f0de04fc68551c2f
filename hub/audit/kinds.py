"""What the audit log tells of: one kind for each decision and change, with the sentence that explains it."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class AuditKind(StrEnum):
    """The kinds of audit entries; each carries its meaning as `explanation`, and `docs/audit.md` lists them all."""

    explanation: str

    def __new__(cls, value: str, explanation: str) -> Self:
        """Make a member of its stored word and its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.explanation = explanation
        return member

    # --- the hub itself ---
    HUB_STARTED = "hub.started", "A hub process began to serve an environment."
    HUB_STOPPED = "hub.stopped", "A hub process stopped in order."
    WORKER_LOST = "worker.lost", "A process was not heard of for too long: others go on with what it had in hand."
    BUNDLE_ACTIVATED = "bundle.activated", "New events are handled by this revision of the workspace from here on."
    BACKUP_MADE = "data.backed_up", "A verified copy of the data was made."
    DATA_RESTORED = "data.restored", "The data was brought back from a backup; what came after it is reconciled."
    DATA_PRUNED = "data.pruned", "Payloads older than the retention policy were removed; hashes, ids and money stay."
    HISTORY_DROPPED = "history.dropped", "A month of events or of steps goes whole; all in it was pruned before."

    # --- the outside comes in ---
    EVENT_ACCEPTED = "event.accepted", "An event was made durable together with the runs it started."
    EVENT_UNROUTED = "event.unrouted", "An event was made durable, and no flow wanted it."
    EVENT_QUARANTINED = "event.quarantined", "A policy held an event back; it is kept whole and starts nothing yet."
    EVENT_REJECTED = "event.rejected", "A trusted event was not taken; it is kept whole with the reason."
    DELIVERY_ACCEPTED = (
        "delivery.accepted",
        "The events of one request were made durable; the entry binds their number, places and contents.",
    )
    EVENT_EDITED = "event.edited", "A person edited an event's payload into a new event; the entry has both hashes."
    EVENT_RELEASED = "event.released", "A person let an event that was kept start what it should have started."
    WEBHOOK_REFUSED = (
        "webhook.refused",
        "Webhooks or sent events were not taken: a count per connection, reason and minute.",
    )

    # --- runs ---
    RUN_QUEUED = "run.queued", "A run was created, pinned to a bundle."
    RUN_RECOVERED = "run.recovered", "A run that a stopped process had left behind was taken up again."
    RUN_HANDED_BACK = "run.handed_back", "A stopping process handed a run back before its end; another goes on with it."
    RUN_SUCCEEDED = "run.succeeded", "A run reached its end."
    RUN_PARKED = "run.parked", "A run stopped for a person; a case tells why."
    RUN_STOPPING = (
        "run.stopping",
        "A run was ordered to end, or to take back what it did: by a person, or with its caller.",
    )
    RUN_CANCELLED = "run.cancelled", "A person ended a run."
    RUN_TURNED_BACK = "run.turned_back", "A run began to take back what it had done, because a step failed for good."
    RUN_COMPENSATED = "run.compensated", "All that a run had done and can be taken back was taken back."
    RUN_REPLAYED = "run.replayed", "A person ordered a run to be made again; the effect keys stay the same."
    RUN_WOKEN = "run.woken", "A person had a held run ask its policy again at once."
    HOLD_PLACED = "hold.placed", "A person held a run, a key or a flow: nothing new of it goes out."
    HOLD_LIFTED = "hold.lifted", "A person let go on what was held."
    POLICY_DECIDED = "policy.decided", "A policy decided; the entry names its version and the rule."
    CHECK_FAILED = "check.failed", "A flow's own check did not hold."

    # --- approvals ---
    APPROVAL_ASKED = "approval.asked", "A run waits until people agree to what it would write."
    APPROVAL_AGREED = "approval.agreed", "A person agreed."
    APPROVAL_GRANTED = "approval.granted", "As many people as are needed have agreed."
    APPROVAL_REFUSED = "approval.refused", "A person refused; the run does not go on."
    APPROVAL_ESCALATED = "approval.escalated", "Nobody had answered in time; others may agree too."
    APPROVAL_EXPIRED = "approval.expired", "The deadline passed before enough people had agreed."
    APPROVAL_VOIDED = "approval.voided", "An approval no longer counts; the entry says why."

    # --- outside writes ---
    EFFECT_INTENDED = "effect.intended", "A request was made durable before it was sent for the first time."
    EFFECT_SUSPECTED = (
        "effect.suspected",
        "A write may have been made between the backup and the restore; it is found out before anything is sent.",
    )
    EFFECT_RESENT = "effect.resent", "The recorded request was sent once more, unchanged."
    EFFECT_RENEWED = (
        "effect.renewed",
        "A write surely did not happen under a key that the target only fails; it goes out under another.",
    )
    EFFECT_MISMATCHED = "effect.mismatched", "An answer told of something that was not asked for, or twice of the same."
    EFFECT_OVERWRITTEN = (
        "effect.overwritten",
        "Somebody else changed at the target what the hub wrote at the same time.",
    )
    EFFECT_DONE = "effect.done", "The target accepted a write."
    EFFECT_FAILED = "effect.failed", "A write surely had no effect."
    EFFECT_UNKNOWN = "effect.unknown", "It is not known whether a write took effect."
    EFFECT_RESOLVED = "effect.resolved", "An unknown outcome was found out, by looking or by a person."
    EFFECT_REPEATED = "effect.repeated", "A person ordered writes that exist to be made once more, as new effects."
    EFFECT_PARKED = "effect.parked", "An unknown outcome cannot be found out by the hub and waits for a person."

    # --- exceptions and crossrefs ---
    CASE_OPENED = "case.opened", "Something needs a person."
    CASE_ASSIGNED = "case.assigned", "A case got an owner, or lost it."
    CASE_CLOSED = "case.closed", "A case was settled; the entry says how."
    CROSSREF_LINKED = "crossref.linked", "Ids of one thing in several systems were tied together."
    CROSSREF_UNLINKED = "crossref.unlinked", "A tie between ids was taken back."
    THING_MERGED = "thing.merged", "Two things became one: the ids of one name the other from here on."
    THING_SPLIT = "thing.split", "A merge was taken back."
    THING_MOVED = "thing.moved", "A thing was put below another one, or below none."
    ID_PREFERRED = "thing.id_preferred", "Of several ids that a system has for a thing, another is given to others."
    DUPLICATE_FOUND = "duplicate.found", "Two records may be about one thing; a run waits for a person to say so."
    DUPLICATE_KEY_SHARED = (
        "duplicate.key_shared",
        "So many things have one value of a key that it tells nothing of them.",
    )
    DUPLICATE_DECIDED = "duplicate.decided", "It was said of two records whether they are about one thing."

    # --- connections and secrets ---
    CONNECTION_PAUSED = "connection.paused", "A connection takes no more work: its runs wait."
    CONNECTION_RESUMED = "connection.resumed", "A connection takes work again."
    SECRET_STORED = "secret.stored", "A new version of a secret was sealed into the vault."
    KEY_ROTATED = "key.rotated", "All secrets were sealed with a new vault key; the earlier one opens none of them now."

    # --- schedules and streams ---
    SCHEDULE_HELD = "schedule.held", "A person let a schedule start nothing until it is resumed."
    SCHEDULE_RESUMED = "schedule.resumed", "A person let a held schedule go on with its next time."
    SCHEDULE_ORDERED = "schedule.ordered", "A person started a scheduled flow beside its times."
    SCHEDULE_SKIPPED = "schedule.skipped", "A firing started nothing, because an earlier run of its flow was open."
    SCHEDULE_MISSED = "schedule.missed", "Firings that were due while nothing ran, and that nobody makes up for."
    STREAM_GAP_FOUND = "stream.gap_found", "Events of a stream may be missing that the vendor no longer gives."
    STREAM_GAP_SETTLED = "stream.gap_settled", "A person has seen to what may be missing of a stream."
    BACKFILL_ORDERED = "backfill.ordered", "A person ordered a span of a stream to be read again."
    BACKFILL_CANCELLED = "backfill.cancelled", "A person ended a back-fill; what it has brought stays."
    BACKFILL_DONE = "backfill.done", "A back-fill has read its whole span."
    ALARM_RAISED = "alarm.raised", "Something that should have happened has not; told once, until it is over."
    ALARM_CLEARED = "alarm.cleared", "What an alarm told of is over."

    # --- people ---
    PERSON_ADDED = "person.added", "A person may sign in from now on."
    PERSON_CHANGED = "person.changed", "A person's role or password was changed."
    PERSON_DISABLED = "person.disabled", "A person may no longer sign in; their sessions ended."
    SIGNED_IN = "session.opened", "A person signed in."
    SIGN_IN_FAILED = "session.refused", "Somebody tried to sign in and could not."
    SIGNED_OUT = "session.closed", "A session was ended by its person or by an administrator."
    ACCESS_DENIED = "access.denied", "A person or token asked for something it has no right to."
