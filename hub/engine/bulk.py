"""Many writes by one request: intents of all of them together, one sending, and outcomes by name, never by place."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.audit.kinds import AuditKind
from hub.connections.accounts import Account
from hub.engine import guards, outcomes
from hub.engine.effects import Effects
from hub.engine.exchanges import Announced, Sent
from hub.engine.journal import Journal
from hub.engine.outcomes import Row
from hub.engine.recording import Target, for_a_person
from hub.engine.suspicion import Lost
from hub.errors import HubError, OutcomeParked, OutcomeUnknown, RetryLater, Settling
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.effect import NEWER, EffectKey, EffectState, Idempotency
from hub.sdk import exact_json
from hub.sdk.bulk import Bulk, Record, Result
from hub.sdk.calls import alone
from hub.sdk.connector import WriteOperation
from hub.store import effects as stored
from hub.store.database import Database

#: What an item's row holds in the place of a request of its own.
_NO_REQUEST: dict[str, Any] = {"method": "", "url": "", "headers": "{}", "body": b""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One item of a request: where it goes, its input, and what the answer will call it."""

    target: Target
    record: Record
    reference: str

    @property
    def key(self) -> EffectKey:
        """Give the effect's key."""
        return self.target.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a request showed of one item: its state, and its output or the error."""

    state: EffectState
    output: Any = None
    error: HubError | None = None


@dataclass(slots=True, kw_only=True)
class Made:
    """What a request showed: each item's end by its key.

    `standing` are effects that others had begun: then nothing was sent. `whole` is the error of the request as a whole.
    """

    ends: dict[EffectKey, Ended] = field(default_factory=dict)
    standing: Sequence[Row] = ()
    whole: HubError | None = None


def entry(target: Target, record: Record) -> Entry:
    """Name an item as its row in the answer will."""
    bulk = target.operation.bulk
    assert bulk is not None
    return Entry(target=target, record=record, reference=bulk.reference(target.key, record))


def requests(entries: Sequence[Entry], size: int) -> list[list[Entry]]:
    """Part items into requests of at most `size`, none of which has two items that the answer would call alike."""
    parts: list[list[Entry]] = []
    open_parts: list[tuple[list[Entry], set[str]]] = []
    for one in entries:
        for part, names in open_parts:
            if len(part) < size and one.reference not in names:
                part.append(one)
                names.add(one.reference)
                break
        else:
            parts.append([one])
            open_parts.append((parts[-1], {one.reference}))
        open_parts = [(part, names) for part, names in open_parts if len(part) < size]
    return parts


class Batches:
    """The requests of one call with many items, to one operation."""

    def __init__(
        self,
        *,
        run_id: str,
        event_id: str,
        account: Account,
        operation: WriteOperation,
        path: str,
        effects: Effects,
        journal: Journal,
        ambient: Ambient,
        database: Database,
    ) -> None:
        """Take the collaborators; attempts are recorded under the step's `path`."""
        assert operation.bulk is not None
        self._run_id = run_id
        self._event_id = event_id
        self._account = account
        self._operation = operation
        self._bulk: Bulk = operation.bulk
        self._path = path
        self._effects = effects
        self._exchanges = effects.exchanges
        self._journal = journal
        self._ambient = ambient
        self._database = database

    @property
    def size(self) -> int:
        """Give how many items one request may carry."""
        return self._bulk.size

    async def make(self, entries: Sequence[Entry], *, again: frozenset[str] = frozenset()) -> Made:
        """Make the writes of these items by one request; `again` are keys whose unknown outcome allows a repeat."""
        id = EffectKey(hashlib.sha256(self._ambient.new_id("batch").encode()).hexdigest()[:32])
        async with self._account.permit(self._exchanges.asker):
            request = self._bulk.request(self._account.settings, [(one.key, one.record) for one in entries], id)
            now = to_micros(self._ambient.now())
            names = {one.reference: one.key for one in entries}
            batch = {
                "id": id,
                "environment": entries[0].target.environment,
                "connection": self._account.name,
                "operation": self._operation.name,
                "run_id": self._run_id,
                "path": self._path,
                **outcomes.columns_of(request),
                "references": exact_json.dumps(names).decode(),
                "sent_at": now,
                "created_at": now,
            }
            rows = [self._intent(one, id, now) for one in entries]
            standing = await self._journal.intend_all(rows, batch, again=again)
            if standing:
                return Made(standing=standing)
            # What surely was not done is as good as new; an upsert is written over what may have been done.
            upsert = self._operation.idempotency is Idempotency.UPSERT
            doubtful = again if upsert else frozenset()
            return await self._exchange(batch, {row["key"]: row for row in rows}, at=of_micros(now), doubtful=doubtful)

    async def suspect(self, entries: Sequence[Entry], target: Callable[[Row], Target], lost: Lost) -> Made:
        """Find out, before anything is sent, whether these writes were made before a restore, unknown to the hub now.

        A request's own key was lost with it, so that only the items' keys and names can tell.
        """
        now, until = to_micros(self._ambient.now()), to_micros(lost.until)
        rows = [self._intent(one, None, min(now, until)) for one in entries]
        standing = await self._journal.intend_all(rows)
        if standing:
            return Made(standing=standing)
        for row in rows:
            self._note(AuditKind.EFFECT_SUSPECTED, row)
        return await self.find_out(rows, target)

    async def resend(self, id: str, rows: Sequence[Row]) -> Made:
        """Send a recorded request once more, and take what it shows of these of its items."""
        with self._database.reading() as connection:
            batch = stored.batch(connection, id)
        async with self._account.permit(self._exchanges.asker):
            keys = frozenset(str(row["key"]) for row in rows)
            at = self._ambient.now()
            await self._journal.settle()
            for row in rows:
                self._note(AuditKind.EFFECT_RESENT, row)
            await self._announce(rows, at, first=False)
            return await self._exchange(batch, {row["key"]: row for row in rows}, at=at, doubtful=keys, first=False)

    def _intent(self, one: Entry, id: str | None, sent: int) -> dict[str, Any]:
        target = one.target
        return {
            **target.named(),
            "idempotency": self._operation.idempotency.value,
            "run_id": self._run_id,
            "event_id": self._event_id,
            "state": EffectState.INTENT.value,
            **_NO_REQUEST,
            "body_hash": hashlib.sha256(exact_json.canonical(one.record)).hexdigest(),
            "batch": id,
            "reference": one.reference,
            "approvals": target.approvals,
            "sent_at": sent,
            "created_at": to_micros(self._ambient.now()),
        }

    async def _announce(self, rows: Iterable[Row], at: datetime, *, first: bool) -> None:
        rows = list(rows)
        if not first and self._operation.idempotency is Idempotency.NATIVE:
            self._effects.assert_remembered(self._operation, rows)
        self._journal.outcome(*(outcomes.sending(row, at, first=first) for row in rows))
        await self._journal.send_again(self._account.name, rows if first else ())

    async def _exchange(
        self, batch: Row, rows: Mapping[str, Row], *, at: datetime, doubtful: frozenset[str], first: bool = True
    ) -> Made:
        """Send a request and take what it shows of these items; an earlier sending may have done the doubtful ones.

        `at` is when it was said to go out, for the `first` time or again.
        """

        async def announce(moment: datetime) -> None:
            await self._announce(rows.values(), moment, first=first)

        request = outcomes.recorded_request(batch)
        announced = Announced(at=at, anew=announce)
        calls = self._operation.calls
        course = alone(request) if calls is None else calls(self._account.settings, request)
        sent = await self._exchanges.send(self._account, course, self._bulk.results, announced)
        made = Made(whole=sent.error)
        made.ends = self._whole(rows, sent, doubtful) if sent.error else self._each(batch, rows, sent, doubtful)
        self._record(rows, sent, made)
        if sent.withheld and sent.error is not None:
            await self._journal.settle()
            open = any(end.state is EffectState.UNKNOWN for end in made.ends.values())
            raise outcomes.as_it_stands(sent.error, EffectState.UNKNOWN if open else EffectState.FAILED)
        return made

    def _whole(self, rows: Mapping[str, Row], sent: Sent, doubtful: frozenset[str]) -> dict[EffectKey, Ended]:
        assert sent.error is not None
        return {EffectKey(key): self._refused(sent.error, sent, first=key not in doubtful) for key in rows}

    def _refused(self, error: HubError, sent: Sent, *, first: bool) -> Ended:
        # Who has begun with some of the items leaves all of them open.
        begun = error.begun
        error = guards.as_refused(self._operation, error)
        state = EffectState.UNKNOWN if begun else outcomes.state_after(error, sent.answered, first=first)
        if state is EffectState.UNKNOWN and isinstance(error, outcomes.REFUSALS):
            error = outcomes.left_open(error) if error.code == NEWER else outcomes.in_doubt(error)
        return Ended(state=state, error=outcomes.as_it_stands(error, state))

    def _each(
        self, batch: Row, rows: Mapping[str, Row], sent: Sent, doubtful: frozenset[str]
    ) -> dict[EffectKey, Ended]:
        names: Mapping[str, str] = exact_json.loads(batch["references"])
        results, strange = told_apart(names, sent.output)
        if strange:
            self._journal.note(AuditKind.EFFECT_MISMATCHED, subjects={"batch": batch["id"]}, facts=strange)
        native = self._operation.idempotency is Idempotency.NATIVE
        ends: dict[EffectKey, Ended] = {}
        for key in rows:
            result = results[key]
            if isinstance(result, HubError):
                # By its key a target knows a request again: what it says of each row, it said or would have said first.
                ends[EffectKey(key)] = self._refused(result, sent, first=native or key not in doubtful)
            else:
                ends[EffectKey(key)] = Ended(state=EffectState.DONE, output=result)
        return ends

    def _record(self, rows: Mapping[str, Row], sent: Sent, made: Made) -> None:
        now = self._ambient.now()
        settled = []
        for key, row in rows.items():
            end = made.ends[EffectKey(key)]
            reason = None if end.error is None else end.error.code
            finished = now if end.state in (EffectState.DONE, EffectState.UNKNOWN) else None
            settled.append(
                outcomes.outcome(
                    row,
                    end.state,
                    output=end.output,
                    reason=reason,
                    status=sent.answered,
                    sent=sent.started,
                    finished=finished,
                )
            )
            self._note(_TOLD[end.state], row, facts=None if reason is None else {"reason": reason})
        self._journal.outcome(*settled)
        counted = Counter(end.state for end in made.ends.values())
        refused = made.whole is None and any(isinstance(end.error, outcomes.REFUSALS) for end in made.ends.values())
        moved = counted[EffectState.DONE] or refused
        named = "done" if moved else outcomes.named(made.whole or OutcomeUnknown(code="rows-open"))
        told = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
        detail = f"{len(rows)} items: {told}" + ("" if made.whole is None else f"; {made.whole}")
        self._exchanges.tried(self._path, "send", sent.started, named, status=sent.answered, detail=detail)

    # --- unknown outcomes ---

    async def find_out(
        self, rows: Sequence[Row], target: Callable[[Row], Target], *, as_recorded: bool = False
    ) -> Made:
        """Find out unknown outcomes by the operation's idempotency kind, as far as it can be done without a new write.

        What may be sent again, because it surely did nothing or changes nothing a second time, ends as failed with
        `may-be-repeated`; `as_recorded` says that something else would be sent, so that only the recorded request may
        be. Raises the error that keeps one from being known for now.
        """
        upsert = self._operation.idempotency is Idempotency.UPSERT
        return Made(ends=await (self._repeat if upsert and as_recorded else self._found_out)(rows, target))

    async def _found_out(self, rows: Sequence[Row], target: Callable[[Row], Target]) -> dict[EffectKey, Ended]:
        match self._operation.idempotency:
            case Idempotency.NATIVE if self._operation.look is None:
                return await self._repeat(rows, target)
            case Idempotency.UPSERT:
                again = RetryLater("The same state is written once more.", code=MAY_BE_REPEATED)
                return {EffectKey(row["key"]): Ended(state=EffectState.UNKNOWN, error=again) for row in rows}
            case Idempotency.UNSAFE:
                return self._for_a_person(rows, target)
            case _:
                return await self._look(rows, target)

    async def find_out_for_good(self, rows: Sequence[Row], target: Callable[[Row], Target]) -> None:
        """Find out unknown outcomes of a run that is to end; raises the error that keeps one from being known."""
        upsert = self._operation.idempotency is Idempotency.UPSERT
        ends = await (self._repeat if upsert else self._found_out)(rows, target)
        await self._journal.settle()
        for end in ends.values():
            if isinstance(end.error, OutcomeUnknown | OutcomeParked):
                raise end.error

    async def _repeat(self, rows: Sequence[Row], target: Callable[[Row], Target]) -> dict[EffectKey, Ended]:
        native = self._operation.idempotency is Idempotency.NATIVE
        by_batch: dict[str, list[Row]] = {}
        beyond: list[Row] = []
        for row in rows:
            # One that was suspected after a restore has no request whose key could be sent again.
            if row["batch"] is None or (native and self._effects.is_forgotten(self._operation, row)):
                beyond.append(row)
            else:
                by_batch.setdefault(row["batch"], []).append(row)
        ends = self._for_a_person(beyond, target)
        for id, of_it in by_batch.items():
            made = await self.resend(id, of_it)
            ends.update(made.ends)
            if made.whole is not None and not isinstance(made.whole, outcomes.REFUSALS):
                raise outcomes.as_it_stands(made.whole, EffectState.UNKNOWN)
        return ends

    async def _look(self, rows: Sequence[Row], target: Callable[[Row], Target]) -> dict[EffectKey, Ended]:
        ends: dict[EffectKey, Ended] = {}
        for row in rows:
            try:
                output = await self._effects.look_up(target(row), row)
            except Settling as error:
                ends[EffectKey(row["key"])] = Ended(state=EffectState.UNKNOWN, error=error)
                continue
            if output is None:
                again = RetryLater("It surely was not done.", code=MAY_BE_REPEATED)
                ends[EffectKey(row["key"])] = Ended(state=EffectState.FAILED, error=again)
            else:
                ends[EffectKey(row["key"])] = Ended(state=EffectState.DONE, output=output)
        return ends

    def _for_a_person(self, rows: Sequence[Row], target: Callable[[Row], Target]) -> dict[EffectKey, Ended]:
        if rows:
            self._effects.park_all(rows)
        return {
            EffectKey(row["key"]): Ended(state=EffectState.PARKED, error=for_a_person(target(row), row)) for row in rows
        }

    def _note(self, kind: AuditKind, row: Row, facts: Mapping[str, Any] | None = None) -> None:
        self._journal.note(kind, subjects={"effect": row["key"]}, facts=facts)


#: Why an item is sent once more in a new request.
MAY_BE_REPEATED = "may-be-repeated"
_TOLD = {
    EffectState.DONE: AuditKind.EFFECT_DONE,
    EffectState.FAILED: AuditKind.EFFECT_FAILED,
    EffectState.UNKNOWN: AuditKind.EFFECT_UNKNOWN,
}


def told_apart(
    names: Mapping[str, str], results: Sequence[Result]
) -> tuple[dict[str, Record | HubError], dict[str, int]]:
    """Give each item's result by its key, whatever the order of the rows; and counts of rows that cannot be.

    An item without a row, or with several, is unknown. A row of something that was not asked for belongs to nobody.
    """
    rows: dict[str, list[Record | HubError]] = {}
    for reference, result in results:
        rows.setdefault(reference, []).append(result)
    doubled = {name for name, found in rows.items() if len(found) > 1}
    foreign = sum(len(found) for name, found in rows.items() if name not in names)
    told: dict[str, Record | HubError] = {}
    for name, key in names.items():
        found = rows.get(name, [])
        if len(found) == 1:
            told[key] = found[0]
        elif found:
            told[key] = OutcomeUnknown("The answer has several rows of this item.", code="row-twice", item=name)
        else:
            told[key] = OutcomeUnknown("The answer has no row of this item.", code="row-missing", item=name)
    strange = {"doubled": len(doubled), "foreign": foreign}
    return told, strange if doubled or foreign else {}
