"""Outside writes: an intent is durable before the request goes out, and an unknown outcome is found out, never guessed.

One effect is one HTTP write. What is recorded is sent, also after a crash: the request is formed once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from hub.audit.kinds import AuditKind
from hub.connections.accounts import Account
from hub.connections.limiter import ANYBODY
from hub.engine import outcomes
from hub.engine.exchanges import Exchanges, Sent
from hub.engine.journal import Journal
from hub.engine.outcomes import Row
from hub.engine.suspicion import Lost
from hub.errors import HubError, OutcomeParked, OutcomeUnknown, RetryLater, Settling
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.effect import EffectKey, EffectState, Idempotency
from hub.model.exchange import Request, Response
from hub.model.limits import Asker
from hub.sdk.connector import WriteOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
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


class Effects:
    """The writes of one lane of a run."""

    def __init__(
        self,
        *,
        run_id: str,
        journal: Journal,
        ambient: Ambient,
        attempts: Mapping[str, int],
        limited: Mapping[str, int],
        at_work: Callable[[str], bool],
        asker: Asker = ANYBODY,
        lost: Lost | None = None,
    ) -> None:
        """Continue the numbering of attempts where earlier workers left off.

        `limited` is how many of them a limit turned away; `at_work` tells if a run still goes on; `asker` is who asks
        accounts for places. `lost` is a span in which writes of the run may have gone out without the hub's knowing
        it now.
        """
        self._at_work = at_work
        self.lost = lost
        self._run_id = run_id
        self._journal = journal
        self._ambient = ambient
        self.exchanges = Exchanges(journal, ambient, asker)
        self.exchanges.know(attempts=attempts, limited=limited)

    def record_in(self, journal: Journal) -> None:
        """Record in another journal from here on."""
        self._journal = self.exchanges.journal = journal

    def know(self, *, attempts: Mapping[str, int], limited: Mapping[str, int]) -> None:
        """Continue the numbering of the attempts of these paths too."""
        self.exchanges.know(attempts=attempts, limited=limited)

    def attempts(self, path: str) -> int:
        """Give how often a step was tried; waiting for a limit is no failure and does not count."""
        return self.exchanges.attempts(path)

    async def perform(self, target: Target, form: Callable[[], Mapping[str, Any]], standing: Row | None) -> Any:
        """Make the write happen once, and give its output.

        `form` makes the operation's input and is asked only when there is no recorded request. `standing` is what is
        known of the effect from before. Raises the error of the attempt; the effect's state says whether it may be
        tried again.
        """
        if standing is not None and standing["state"] != EffectState.FAILED:
            return await self._resume(target, standing)
        async with target.account.permit(self.exchanges.asker):
            intent = self._intent(target, form(), renewals=(standing or {}).get("renewals") or 0)
            row = await self._journal.intend(intent)
            if row is None and self.lost is None:
                return await self._exchange(target, intent, first=True)
        if row is not None:
            return await self._resume(target, row)
        self._note(AuditKind.EFFECT_SUSPECTED, intent)
        return await self.resolve(target, intent)

    async def _resume(self, target: Target, row: Row) -> Any:
        state = EffectState(row["state"])
        if state is EffectState.DONE:
            return outcomes.answer(row)
        if state is EffectState.PARKED:
            raise for_a_person(target, row)
        if row["run_id"] != self._run_id and not await self.take_over(row):
            raise RetryLater("Another run is making this write.", code="another-run", after=1.0, run=row["run_id"])
        return await self.resolve(target, row)

    async def take_over(self, row: Row) -> bool:
        """Make another run's effect this run's own, unless that run is at work; tells whether it is."""
        # Of several runs that find a write left half-way, only one may go on with it.
        return not self._at_work(row["run_id"]) and await self._journal.take_over(row)

    async def resolve(self, target: Target, row: Row) -> Any:
        """Find out an unknown outcome by the operation's idempotency kind."""
        match target.operation.idempotency:
            case Idempotency.NATIVE:
                return await self._repeat(target, row)
            case Idempotency.UPSERT:
                return await self._send(target, row, first=False)
            case Idempotency.PROBE:
                return await self._look(target, row)
            case Idempotency.UNSAFE:
                raise self.park(target, row)

    async def _repeat(self, target: Target, row: Row) -> Any:
        """Send the same key again, unless the target may have forgotten it or says the same failure for ever."""
        operation = target.operation
        forgotten = self.is_forgotten(operation, row)
        if operation.look is None:
            if forgotten:
                raise self.park(target, row)
            return await self._send(target, row, first=False)
        stuck = outcomes.is_stuck(row)
        if not forgotten and not stuck:
            return await self._send(target, row, first=False)
        output = await self._found(target, row)
        if output is not None:
            return output
        self._assert_settled(target, row)
        self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
        return await self._send(target, self._renewed(row) if stuck else row, first=False)

    def is_forgotten(self, operation: WriteOperation, row: Row) -> bool:
        """Tell whether the target may have forgotten the key of a write."""
        since = None if self.lost is None else self.lost.since
        return outcomes.is_forgotten(row, operation.remembers, self._ambient.now(), since=since)

    def _renewed(self, row: Row) -> Row:
        """Give the effect under another key at the target; that the last one did nothing must be sure."""
        count = row["renewals"] + 1
        keys = (outcomes.key_at_target(row["key"], number) for number in (row["renewals"], count))
        request = outcomes.under_another_key(outcomes.recorded_request(row), *keys)
        self._note(AuditKind.EFFECT_RENEWED, row, facts={"number": count})
        renewed = {**row, **outcomes.columns_of(request), "renewals": count, "status": None, "repeats": 0}
        self._journal.rewrite(renewed)
        return renewed

    async def find_out(self, target: Target, row: Row) -> None:
        """Find out an unknown outcome of a run that is to end: nothing is sent again that can be looked up.

        What only the same sending can tell (`native`, `upsert`) is sent again; afterwards it is done. Raises the error
        that keeps the outcome from being known.
        """
        if target.operation.look is None:
            try:
                await self.resolve(target, row)
            except outcomes.REFUSALS:
                # Refused is known too.
                await self._journal.settle()
            return
        await self.look_up(target, row)

    async def look_up(self, target: Target, row: Row) -> Any:
        """Look a write up and record what was found: its output, or None when it surely was not done."""
        output = await self._found(target, row)
        if output is None:
            self._assert_settled(target, row)
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
            self._journal.outcome(outcomes.outcome(row, EffectState.FAILED, reason="not-applied"))
        await self._journal.settle()
        return output

    async def _look(self, target: Target, row: Row) -> Any:
        output = await self._found(target, row)
        if output is not None:
            return output
        self._assert_settled(target, row)
        self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
        try:
            return await self._send(target, row, first=False)
        except outcomes.REFUSALS as refusal:
            # A target may refuse the second because the first has come through after all.
            output = await self._found(target, row)
            if output is None:
                self._journal.outcome(outcomes.outcome(row, EffectState.FAILED, reason=refusal.code))
                raise
            return output

    def _assert_settled(self, target: Target, row: Row) -> None:
        settle = target.account.settings.settle
        seconds = target.operation.settle if settle is None else settle
        # What went out before the restore did so until then, whatever the data says.
        after = None if self.lost is None else self.lost.until
        left = outcomes.settling(row, seconds, self._ambient.now(), after=after)
        if left > 0:
            raise Settling(after=left)

    async def _found(self, target: Target, row: Row) -> Any:
        """Look the write up under every key it had; None when it is surely not there."""
        operation = target.operation
        assert operation.look is not None
        for number in range((row.get("renewals") or 0) + 1):
            key = outcomes.key_at_target(row["key"], number)
            request = operation.look(target.account.settings, key)
            output = await self.exchanges.look(target.account, target.path, request, _finding(operation, key))
            if output is not None:
                self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": True})
                self._done(row, output)
                return output
        return None

    async def _send(self, target: Target, row: Row, *, first: bool) -> Any:
        async with target.account.permit(self.exchanges.asker):
            return await self._exchange(target, row, first=first)

    async def _exchange(self, target: Target, row: Row, *, first: bool) -> Any:
        """Send the recorded request and record what came of it."""
        await self._journal.settle()
        if not first:
            # After a crash it counts from this sending, not from the first, how long the write may still appear.
            self._note(AuditKind.EFFECT_RESENT, row)
            self._journal.outcome(outcomes.resending(row, self._ambient.now()))
            await self._journal.send_again()
        request = outcomes.recorded_request(row)
        sent = await self.exchanges.send(target.account, request, partial(_answered, target.operation, request))
        if sent.error is not None:
            raise self._failed(target, row, sent, first=first) from sent.error
        self.exchanges.tried(target.path, "send", sent.started, "done", status=sent.answered)
        self._done(row, sent.output, sent=sent.started)
        return sent.output

    def _intent(self, target: Target, record: Mapping[str, Any], *, renewals: int = 0) -> dict[str, Any]:
        key = outcomes.key_at_target(target.key, renewals)
        request = target.operation.request(target.account.settings, record, key)
        now = to_micros(self._ambient.now())
        return {
            "key": target.key,
            "environment": target.environment,
            "connection": target.account.name,
            "operation": target.operation.name,
            "idempotency": target.operation.idempotency.value,
            "business_key": target.business_key,
            "path": target.path,
            "generation": target.generation,
            "run_id": self._run_id,
            "state": EffectState.INTENT.value,
            **outcomes.columns_of(request),
            "renewals": renewals,
            "repeats": 0,
            # What may have gone out before the restore has done so by then.
            "sent_at": now if self.lost is None else min(now, to_micros(self.lost.until)),
            "undoes": target.undoes,
            "approvals": target.approvals,
            "created_at": now,
        }

    def _done(self, row: Row, output: Any, *, sent: datetime | None = None) -> None:
        self._journal.outcome(
            outcomes.outcome(row, EffectState.DONE, output=output, sent=sent, finished=self._ambient.now())
        )
        self._note(AuditKind.EFFECT_DONE, row)

    def _failed(self, target: Target, row: Row, sent: Sent, *, first: bool) -> HubError:
        kind, error, answered = target.operation.idempotency, sent.error, sent.answered
        assert error is not None
        state = outcomes.state_after(error, answered, first=first, kind=kind)
        status = outcomes.status_of(error) if answered is None else answered
        named = outcomes.named(error)
        self.exchanges.tried(target.path, "send", sent.started, named, detail=str(error), status=status)
        renewals = row.get("renewals") or 0
        if kind is Idempotency.NATIVE and state is EffectState.FAILED and isinstance(error, outcomes.REFUSALS):
            # The target may keep its refusal under the key; what a person mends goes out under another.
            renewals += 1
        self._journal.outcome(
            outcomes.outcome(row, state, reason=error.code, status=answered, sent=sent.started, renewals=renewals)
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

    async def read(self, path: str, reading: Callable[[], Awaitable[Any]]) -> Any:
        """Make a read as one attempt of a step; a failed one is recorded and raised."""
        return await self.exchanges.read(path, reading)

    def _note(self, kind: AuditKind, row: Row, facts: Mapping[str, Any] | None = None) -> None:
        self._journal.note(kind, subjects={"effect": row["key"]}, facts=facts)


def _answered(operation: WriteOperation, request: Request, response: Response) -> Any:
    output = operation.result(response)
    if operation.about is not None and not operation.about(request, output):
        raise OutcomeUnknown("The answer is about something else than was written.", code="foreign-answer")
    return output


def _finding(operation: WriteOperation, key: EffectKey) -> Callable[[Response], Any]:
    found = operation.found
    assert found is not None
    return lambda response: found(response, key)


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
