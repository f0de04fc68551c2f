"""Outside writes: an intent is durable before the request goes out, and an unknown outcome is found out, never guessed.

One effect is one write. What is recorded is sent, also after a crash: the request is formed once. Where a vendor needs
several calls for it, all of them are made of what is recorded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from hub.audit.kinds import AuditKind
from hub.connections.limiter import ANYBODY
from hub.engine import outcomes
from hub.engine.exchanges import Announced, Exchanges
from hub.engine.guards import (
    OVERWRITTEN,
    Guards,
    Seen,
    base_of,
    keeps_the_version,
    look_of,
    newer_than,
    overwritten,
    reads_back,
    recorded_base,
    was_overwritten,
)
from hub.engine.journal import Journal
from hub.engine.outcomes import Row
from hub.engine.recording import Recording, Target, another_run, for_a_person, used_up
from hub.engine.suspicion import SKEW, Lost, Suspicion
from hub.errors import FixData
from hub.model.ambient import Ambient, of_micros
from hub.model.effect import NEWER, TAKEN_BACK, EffectState, Idempotency
from hub.model.limits import Asker
from hub.sdk.by_content import ANY_TIME, Sought
from hub.sdk.calls import alone
from hub.store import effects as stored
from hub.store.database import Database

#: Says what is known of a write that stands by now; raises what keeps a run from taking it for its own.
Meet = Callable[[Target, Row], Awaitable[Row]]


async def as_it_is(_target: Target, row: Row) -> Row:
    """Take a write for what it is, whatever it was formed of."""
    return row


class Effects(Recording):
    """The writes of one lane of a run."""

    def __init__(
        self,
        *,
        run_id: str,
        event_id: str,
        journal: Journal,
        ambient: Ambient,
        attempts: Mapping[str, int],
        limited: Mapping[str, int],
        at_work: Callable[[str], bool],
        database: Database,
        moment: int,
        ordered: bool = False,
        asker: Asker = ANYBODY,
        suspicion: Suspicion | None = None,
    ) -> None:
        """Continue the numbering of attempts where earlier workers left off.

        `limited` is how many of them a limit turned away; `at_work` tells if a run still goes on; `asker` is who asks
        accounts for places. `moment` is when that happened which the run is about (microseconds), and `ordered` says
        that a person ordered its writes anew. `suspicion` tells which writes of the run may have gone out without the
        hub's knowing it now.
        """
        exchanges = Exchanges(journal, ambient, asker)
        exchanges.know(attempts=attempts, limited=limited)
        super().__init__(
            run_id=run_id,
            event_id=event_id,
            journal=journal,
            ambient=ambient,
            exchanges=exchanges,
            suspicion=suspicion,
        )
        self._at_work = at_work
        self._guards = Guards(self.exchanges, database, moment=moment, ordered=ordered)
        self._database = database

    def know(self, *, attempts: Mapping[str, int], limited: Mapping[str, int]) -> None:
        """Continue the numbering of the attempts of these paths too."""
        self.exchanges.know(attempts=attempts, limited=limited)

    def attempts(self, path: str) -> int:
        """Give how often a step was tried; waiting for a limit is no failure and does not count."""
        return self.exchanges.attempts(path)

    async def perform(
        self, target: Target, form: Callable[[], Mapping[str, Any]], standing: Row | None, meet: Meet = as_it_is
    ) -> Any:
        """Make the write happen once, and give its output.

        `form` makes the operation's input and is asked only when there is no recorded request. `standing` is what is
        known of the effect from before, and `meet` is asked of what is found to stand besides. Raises the error of the
        attempt; the effect's state says whether it may be tried again.
        """
        lost, looks = self.lost(target.operation), look_of(target.operation) is not None
        if standing is None and (looks or lost is not None):
            # What another run has made is known before anybody looks at the target.
            standing = stored.answering(self._database.looking, [target.named()]).get(target.key)
            standing = None if standing is None else await meet(target, standing)
        target = target if standing is None else target.of(standing)
        if standing is not None and standing["state"] != EffectState.FAILED:
            return await self._resume(target, standing)
        if lost is not None and not lost.may_be(standing):
            lost = None
        before = await self._look_before(target, form(), lost) if looks else {}
        async with target.account.permit(self.exchanges.asker):
            renewals = (standing or {}).get("renewals") or 0
            intent = {**self._intent(target, form(), lost=lost, renewals=renewals), **before}
            row = await self._journal.intend(intent)
            output = await self._exchange(target, intent, first=True) if row is None and lost is None else None
        if row is not None:
            return await self.perform(target, form, await meet(target, row), meet)
        if lost is None:
            return await self._read_back(target, intent, output)
        self._note(AuditKind.EFFECT_SUSPECTED, intent)
        return await self.resolve(target, intent)

    async def _look_before(self, target: Target, record: Mapping[str, Any], lost: Lost | None) -> dict[str, Any]:
        """Look at what the write would overwrite; gives what its intent has of it.

        Raises `FixData` as `newer-at-target` when that is newer, or what the operation's guard refuses it with, and
        records what was seen.
        """
        account, operation = target.account, target.operation
        request = operation.request(account.settings, record, target.key)
        object = self._guards.object(account, operation, request)
        before: dict[str, Any] = {"object": object, "moment": self._guards.moment}
        if lost is not None:
            # What stands may be the hub's own, of which it knows nothing any more: that is found out first.
            return before | self._guards.meant(operation, record)
        looked = self._ambient.now()
        seen = await self._guards.see(account, operation, target.path, request)
        before["base"] = base_of(seen, looked)
        try:
            self._guards.assert_meant(operation, record, seen)
            self._guards.assert_not_newer(operation, target.environment, object, seen)
            self._guards.assert_free(operation, record, request, seen)
        except FixData as unfit:
            refused = {"state": EffectState.FAILED.value, "reason": unfit.code, "version": seen.version}
            row = {**self._intent(target, record), **before, **refused}
            self._note(AuditKind.EFFECT_FAILED, row, facts={"reason": unfit.code})
            await self._journal.intend(row)
            raise
        return before | self._guards.bound(operation, request, seen)

    async def _read_back(self, target: Target, row: Row, output: Any) -> Any:
        """Look at what the write has left, where that is to be; raises `FixData` when somebody else wrote as well."""
        if not reads_back(target.operation) or row.get("object") is None or row.get("version") is not None:
            return output
        request = outcomes.recorded_request(row)
        seen = await self._guards.see(target.account, target.operation, target.path, request, output)
        base = recorded_base(row)
        if not seen.holds and base is not None and seen.version == base["version"]:
            # What was written may not be shown yet.
            self._assert_settled(target, row)
        return self._left(row, output, seen)

    def _left(self, row: Row, output: Any, seen: Seen) -> Any:
        """Record a write with what it has left; raises `FixData` when somebody else wrote at the same time."""
        spoilt = overwritten(seen, recorded_base(row))
        reason = OVERWRITTEN if spoilt else None
        done = outcomes.outcome(
            row, EffectState.DONE, output=output, reason=reason, version=seen.version, finished=self._ambient.now()
        )
        self._journal.outcome(done)
        if spoilt:
            self._note(AuditKind.EFFECT_OVERWRITTEN, row)
            raise was_overwritten(seen)
        return output

    async def _resume(self, target: Target, row: Row) -> Any:
        state = EffectState(row["state"])
        if state is EffectState.DONE:
            return await self._read_back(target, row, self.answer(row))
        if state is EffectState.PARKED:
            raise for_a_person(target, row)
        if row["run_id"] != self._run_id and not await self.take_over(row):
            raise another_run(row)
        return await self.resolve(target, row)

    def answer(self, row: Row) -> Any:
        """Give what a write gave that was made before; `FixData` when another run has taken it back since."""
        if row["run_id"] != self._run_id and stored.is_taken_back(self._database.looking, row["key"]):
            raise FixData(
                "What this step wrote was taken back since. To write it once more is a new effect, and a person has to "
                "order that.",
                code=TAKEN_BACK,
                effect=row["key"],
                run=row["run_id"],
            )
        return outcomes.answer(row)

    async def take_over(self, row: Row) -> bool:
        """Make another run's effect this run's own, unless that run is at work; tells whether it is."""
        # Of several runs that find a write left half-way, only one may go on with it.
        return not self._at_work(row["run_id"]) and await self._journal.take_over(row)

    async def resolve(self, target: Target, row: Row) -> Any:
        """Find out an unknown outcome by the operation's idempotency kind."""
        match target.operation.idempotency:
            case Idempotency.NATIVE:
                return await self._repeat(target, row)
            case Idempotency.UPSERT if look_of(target.operation) is None:
                return await self._write_again(target, row)
            case Idempotency.UPSERT:
                return await self._overwrite(target, row)
            case Idempotency.PROBE:
                return await self._look(target, row)
            case Idempotency.UNSAFE:
                raise self.park(target, row)

    async def _write_again(self, target: Target, row: Row) -> Any:
        """Write the same state again; a refusal does not say what became of the first."""
        try:
            return await self._send(target, row, first=False)
        except outcomes.REFUSALS as refusal:
            raise outcomes.left_open(refusal) if refusal.code == NEWER else outcomes.in_doubt(refusal) from refusal

    async def _overwrite(self, target: Target, row: Row) -> Any:
        """Write the same state again, unless it is there, or somebody else has changed what was there before."""
        output = await self._there(target, row)
        if output is not None:
            return output
        self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
        try:
            return await self._send(target, row, first=False)
        except outcomes.REFUSALS as refusal:
            # A target may refuse the second because the first has come through after all.
            output = await self._there(target, row, in_part=True)
            if output is None:
                self._journal.outcome(outcomes.outcome(row, EffectState.FAILED, reason=refusal.code))
                raise
            return output

    async def _there(self, target: Target, row: Row, *, in_part: bool = False) -> Any:
        """Give what a write of unknown outcome has left when it stands there, or None when nothing was changed since.

        Of a write whose parts are made singly some may stand and some not: it is to be sent again, unless what stands
        `in_part` is to be its outcome. Raises `OutcomeParked` as `newer-at-target` when somebody else has changed it:
        whether the write was made before that, nobody can tell.
        """
        account, operation = target.account, target.operation
        try:
            seen = await self._guards.see(account, operation, target.path, outcomes.recorded_request(row))
        except outcomes.REFUSALS as unclear:
            raise outcomes.left_open(unclear) from unclear
        base = recorded_base(row)
        meant = base is None or seen.version == base["version"]
        if seen.holds and seen.standing is not None and (meant or not keeps_the_version(operation)):
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": True})
            self._note(AuditKind.EFFECT_DONE, row)
            return self._left(row, seen.standing.output, seen)
        try:
            if base is None:
                self._guards.assert_not_newer(operation, target.environment, row["object"], seen.rest)
            elif not meant and not seen.is_between(base):
                raise newer_than(seen)
        except FixData as newer:
            self._journal.outcome(outcomes.outcome(row, EffectState.UNKNOWN, reason=newer.code, version=seen.version))
            self._note(AuditKind.EFFECT_UNKNOWN, row, facts={"reason": newer.code})
            raise outcomes.left_open(newer) from newer
        if in_part and seen.made is not None and seen.standing is not None:
            self._assert_settled(target, row)
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": True})
            self._note(AuditKind.EFFECT_DONE, row)
            return self._left(row, seen.standing.output, seen.made)
        return None

    async def _repeat(self, target: Target, row: Row) -> Any:
        """Send the same key again; a look comes first where the target may not tell a repeat by its key any more.

        So it is when it may have forgotten the key, says the same failure for ever, or has refused a repeat.
        """
        operation = target.operation
        forgotten = self.is_forgotten(operation, row)
        if not operation.is_found:
            if forgotten:
                raise self.park(target, row)
            try:
                return await self._send(target, row, first=False, by_key=True)
            except outcomes.REFUSALS as refusal:
                raise outcomes.in_doubt(refusal) from refusal
        stuck = outcomes.is_stuck(row)
        if forgotten or stuck or outcomes.was_refused(row):
            output = await self._found(target, row)
            if output is not None:
                return output
            self._assert_settled(target, row)
            self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
            return await self._send_or_find(target, self._renewed(row) if stuck else row, by_key=False)
        return await self._send_or_find(target, row, by_key=True)

    async def _send_or_find(self, target: Target, row: Row, *, by_key: bool) -> Any:
        """Send it again; where that is refused, only a look tells what became of what was sent before."""
        try:
            return await self._send(target, row, first=False, by_key=by_key)
        except outcomes.REFUSALS as refusal:
            output = await self._found(target, row)
            if output is not None:
                return output
            self._assert_settled(target, row)
            renewals = (row.get("renewals") or 0) + used_up(target.operation, refusal)
            failed = outcomes.outcome(row, EffectState.FAILED, reason=refusal.code, renewals=renewals)
            self._journal.outcome(failed)
            raise

    async def find_out(self, target: Target, row: Row) -> None:
        """Find out an unknown outcome of a run that is to end: nothing is sent again that can be looked up.

        What only the same sending can tell (`native`, `upsert`) is sent again; afterwards it is done. Raises the error
        that keeps the outcome from being known.
        """
        if look_of(target.operation) is not None:
            if await self._there(target, row, in_part=True) is None:
                self._assert_settled(target, row)
                self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": False})
                self._journal.outcome(outcomes.outcome(row, EffectState.FAILED, reason="not-applied"))
            await self._journal.settle()
            return
        if not target.operation.is_found:
            await self.resolve(target, row)
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
        return await self._send_or_find(target, row, by_key=False)

    async def _found(self, target: Target, row: Row) -> Any:
        """Look the write up under every key it had; None when it is surely not there."""
        renewals = row.get("renewals") or 0
        sent, last = outcomes.recorded_request(row), outcomes.key_at_target(row["key"], renewals)
        for number in range(renewals + 1):
            key = outcomes.key_at_target(row["key"], number)
            request = sent if number == renewals else outcomes.under_another_key(sent, last, key)
            search = target.operation.search(target.account.settings, request, key, self._sought(target, row))
            try:
                output = await self.exchanges.find(target.account, target.path, search)
            except outcomes.REFUSALS as unclear:
                # Such as two that carry its mark.
                raise outcomes.left_open(unclear) from unclear
            if output is not None:
                self._note(AuditKind.EFFECT_RESOLVED, row, facts={"found": True})
                self._done(row, output)
                return output
        return None

    def _sought(self, target: Target, row: Row) -> Sought:
        """Give what keeps another write from being taken for this one, where only what it says shows it."""
        if target.operation.by_content is None:
            return ANY_TIME
        begun, lost = of_micros(row["created_at"]), self.lost(target.operation)
        begun = begun if lost is None else min(begun, lost.since)
        taken = stored.outputs_of(self._database.looking, target.environment, row["object"], but=row["key"])
        return Sought(since=begun - SKEW, taken=taken)

    async def _send(self, target: Target, row: Row, *, first: bool, by_key: bool = False) -> Any:
        async with target.account.permit(self.exchanges.asker):
            output = await self._exchange(target, row, first=first, by_key=by_key)
        return await self._read_back(target, row, output)

    async def _exchange(self, target: Target, row: Row, *, first: bool, by_key: bool = False) -> Any:
        """Send the recorded request and record what came of it; a repeat `by_key` relies on the target's knowing it."""
        await self._journal.settle()

        async def announce(at: datetime) -> None:
            if by_key:
                self.assert_remembered(target.operation, [row])
            self._journal.outcome(outcomes.sending(row, at, first=first))
            await self._journal.send_again(target.account.name, [row] if first else [])

        if first:
            at = of_micros(row["sent_at"])
        else:
            # After a crash it counts from this sending, not from the first, how long the write may still appear.
            at = self._ambient.now()
            self._note(AuditKind.EFFECT_RESENT, row)
            await announce(at)
        request = outcomes.recorded_request(row)
        answered = partial(target.operation.answered, request)
        calls = target.operation.calls
        course = alone(request) if calls is None else calls(target.account.settings, request)
        sent = await self.exchanges.send(target.account, course, answered, Announced(at=at, anew=announce))
        if sent.error is not None:
            failed = self._failed(target, row, sent, first=first)
            if sent.withheld:
                # Who was told to stop goes by what is recorded.
                await self._journal.settle()
            raise failed from sent.error
        self.exchanges.tried(target.path, "send", sent.started, "done", status=sent.answered)
        self._done(row, sent.output, sent=sent.started)
        return sent.output

    async def read(self, path: str, reading: Callable[[], Awaitable[Any]]) -> Any:
        """Make a read as one attempt of a step; a failed one is recorded and raised."""
        return await self.exchanges.read(path, reading)
