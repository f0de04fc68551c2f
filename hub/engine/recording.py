"""Effects as they are recorded: intents, outcomes, and what is left to a person."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from hub.audit.kinds import AuditKind
from hub.connections.accounts import Account
from hub.engine import outcomes
from hub.engine.exchanges import Exchanges, Sent
from hub.engine.guards import as_refused
from hub.engine.journal import Journal
from hub.engine.outcomes import Row
from hub.engine.suspicion import Lost, Suspicion
from hub.errors import HubError, OutcomeParked, OutcomeUnknown, RetryLater, Settling
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.effect import EffectKey, EffectState, Idempotency
from hub.model.exchange import Request
from hub.sdk.connector import WriteOperation


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a write goes and what it means: account, operation, and the names of the effect."""

    account: Account
    operation: WriteOperation
    key: EffectKey
    environment: str
    business_key: str
    path: str
    generation: int
    undoes: str | None = None
    approvals: str | None = None

    def of(self, row: Row) -> Target:
        """Give the target of the effect that answers for this write: of another generation, where it was ordered anew.

        What another connection or operation has made is not the same write, and what takes one back no other.
        """
        if self.undoes is not None or (row["connection"], row["operation"]) != (self.account.name, self.operation.name):
            return self
        return msgspec.structs.replace(self, key=EffectKey(row["key"]), generation=row["generation"])

    def named(self) -> dict[str, Any]:
        """Give what names the effect, as the store knows it."""
        return {
            "key": self.key,
            "environment": self.environment,
            "connection": self.account.name,
            "operation": self.operation.name,
            "business_key": self.business_key,
            "path": self.path,
            "generation": self.generation,
            "undoes": self.undoes,
        }


def object_by_content(target: Target, request: Request) -> str | None:
    """Name what a write says, where it is found by that: such writes are kept from each other as those of one thing."""
    by_content = target.operation.by_content
    if by_content is None:
        return None
    named = f"{target.account.name}\x1f{target.operation.name}\x1f{by_content.name(request)}"
    return hashlib.sha256(named.encode()).hexdigest()[:32]


class Recording:
    """Records the effects of one lane of a run."""

    def __init__(
        self,
        *,
        run_id: str,
        event_id: str,
        journal: Journal,
        ambient: Ambient,
        exchanges: Exchanges,
        suspicion: Suspicion | None,
    ) -> None:
        """Take the collaborators; `suspicion` tells which writes may have gone out without the hub's knowing it."""
        self._event_id = event_id
        self.exchanges = exchanges
        self._suspicion = suspicion
        self._run_id = run_id
        self._journal = journal
        self._ambient = ambient

    def lost(self, operation: WriteOperation) -> Lost | None:
        """Tell in which span a write of the run may have been made without the hub's knowing it; None: in none."""
        return None if self._suspicion is None else self._suspicion.lost(operation, self._ambient.now())

    def is_forgotten(self, operation: WriteOperation, row: Row) -> bool:
        """Tell whether the target may have forgotten the key of a write."""
        lost = self.lost(operation)
        since = None if lost is None else lost.since
        return outcomes.is_forgotten(row, operation.remembers, self._ambient.now(), since=since)

    def assert_remembered(self, operation: WriteOperation, rows: Iterable[Row]) -> None:
        """Raise `OutcomeUnknown` when the target may by now take a repeat of one of these writes for a new one."""
        if any(self.is_forgotten(operation, row) for row in rows):
            raise OutcomeUnknown("The target may have forgotten the key before the repeat left.", code="key-too-old")

    def _renewed(self, row: Row) -> Row:
        """Give the effect under another key at the target; that the last one did nothing must be sure."""
        count = row["renewals"] + 1
        keys = (outcomes.key_at_target(row["key"], number) for number in (row["renewals"], count))
        request = outcomes.under_another_key(outcomes.recorded_request(row), *keys)
        self._note(AuditKind.EFFECT_RENEWED, row, facts={"number": count})
        renewed = {**row, **outcomes.columns_of(request), "renewals": count, "status": None, "repeats": 0}
        self._journal.rewrite(renewed)
        return renewed

    def _assert_settled(self, target: Target, row: Row) -> None:
        settle = target.account.settings.settle
        seconds = target.operation.settle if settle is None else settle
        # What went out before the restore did so until then, whatever the data says.
        lost = self.lost(target.operation)
        after = None if lost is None else lost.until
        timeout = target.account.settings.timeout
        left = outcomes.settling(row, seconds, self._ambient.now(), timeout=timeout, after=after)
        if left > 0:
            raise Settling(after=left)

    def _intent(
        self, target: Target, record: Mapping[str, Any], *, lost: Lost | None = None, renewals: int = 0
    ) -> dict[str, Any]:
        key = outcomes.key_at_target(target.key, renewals)
        request = target.operation.request(target.account.settings, record, key)
        now = to_micros(self._ambient.now())
        return {
            **target.named(),
            "object": object_by_content(target, request),
            "idempotency": target.operation.idempotency.value,
            "run_id": self._run_id,
            "event_id": self._event_id,
            "state": EffectState.INTENT.value,
            **outcomes.columns_of(request),
            "renewals": renewals,
            "repeats": 0,
            # What may have gone out before the restore has done so by then.
            "sent_at": now if lost is None else min(now, to_micros(lost.until)),
            "approvals": target.approvals,
            "created_at": now,
        }

    def _done(self, row: Row, output: Any, *, sent: datetime | None = None) -> None:
        now = self._ambient.now()
        self._journal.outcome(outcomes.outcome(row, EffectState.DONE, output=output, sent=sent, finished=now))
        self._note(AuditKind.EFFECT_DONE, row)

    def _failed(self, target: Target, row: Row, sent: Sent, *, first: bool) -> HubError:
        operation, answered = target.operation, sent.answered
        assert sent.error is not None
        error = as_refused(operation, sent.error)
        begun = sent.error.begun
        state = EffectState.UNKNOWN if begun else outcomes.state_after(error, answered, first=first)
        status = outcomes.status_of(error) if answered is None else answered
        named = outcomes.named(error)
        self.exchanges.tried(target.path, "send", sent.started, named, detail=str(error), status=status)
        renewals = row.get("renewals") or 0
        if used_up(operation, error) and state is EffectState.FAILED:
            # The target may keep its refusal under the key; what a person mends goes out under another.
            renewals += 1
        self._journal.outcome(
            outcomes.outcome(
                row,
                state,
                reason=error.code,
                status=answered,
                sent=sent.started,
                finished=self._ambient.now() if state is EffectState.UNKNOWN else None,
                renewals=renewals,
            )
        )
        told = AuditKind.EFFECT_UNKNOWN if state is EffectState.UNKNOWN else AuditKind.EFFECT_FAILED
        self._note(told, row, facts={"reason": error.code})
        return outcomes.as_it_stands(error, state)

    def park(self, target: Target, row: Row) -> OutcomeParked:
        """Leave an unknown outcome to a person; gives the error that says so."""
        self.park_all([row])
        return for_a_person(target, row)

    def park_all(self, rows: Sequence[Row]) -> None:
        """Leave unknown outcomes to a person."""
        self._journal.outcome(*(outcomes.outcome(row, EffectState.PARKED, reason="outcome-unknown") for row in rows))
        for row in rows:
            self._note(AuditKind.EFFECT_PARKED, row)

    def _note(self, kind: AuditKind, row: Row, facts: Mapping[str, Any] | None = None) -> None:
        self._journal.note(kind, subjects={"effect": row["key"]}, facts=facts)


def used_up(operation: WriteOperation, error: HubError) -> bool:
    """Tell whether the target may say this again for ever under the key that it said it of."""
    return operation.idempotency is Idempotency.NATIVE and isinstance(error, outcomes.REFUSALS)


def for_a_person(target: Target, row: Row) -> OutcomeParked:
    """Tell a person what is known of a write of which nobody can say whether it happened."""
    known = {"answered": row.get("status"), "last": row.get("reason")}
    return OutcomeParked(
        connection=target.account.name,
        operation=target.operation.name,
        effect=target.key,
        sent=f"{of_micros(row['sent_at'] or row['created_at']):%Y-%m-%dT%H:%M:%SZ}",
        **{name: fact for name, fact in known.items() if fact is not None},
    )


def another_run(row: Row) -> RetryLater:
    """Say that a write is being made by another run just now."""
    return RetryLater("Another run is making this write.", code="another-run", after=1.0, run=row["run_id"])
