"""Items of a call whose operation takes many of them in one request."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

import msgspec

from hub.engine.bulk import MAY_BE_REPEATED, Batches, Ended, Entry, Made, entry, requests
from hub.engine.items import ENDS, Item, Work
from hub.engine.lanes import Known, Lane, Row
from hub.engine.outcomes import REFUSALS
from hub.engine.outputs import Output
from hub.engine.recording import Target, another_run, for_a_person
from hub.engine.suspicion import Lost
from hub.engine.values import call_output
from hub.errors import ApprovalLapsed, FixConnection, FixData, HubError, OnHold, RetryLater
from hub.model.effect import EffectKey, EffectState, Idempotency
from hub.sdk.connector import WriteOperation


class Together:
    """Makes the writes of items by requests of many of them, formed only of items that are not done."""

    def __init__(self, work: Work, operation: WriteOperation) -> None:
        """Take what all ways share."""
        self._work = work
        self._operation = operation
        self._approvals: str | None = None
        self._batches = Batches(
            run_id=work.run["id"],
            event_id=work.run["event_id"],
            account=work.account,
            operation=operation,
            path=work.place.path,
            effects=work.lane.steps.effects,
            journal=work.lane.journal,
            ambient=work.parts.ambient,
            database=work.parts.database,
        )

    async def go(self, items: Sequence[Item], known: Known) -> None:
        """Do what is left of some items: what is in doubt is found out before anything new is sent."""
        items = [item.of(known.effects[item.key]) if item.key in known.effects else item for item in items]
        known = replace(known, effects={row["key"]: row for row in known.effects.values()})
        by_key: dict[str, Item] = {item.key: item for item in items}
        doubtful: list[Row] = []
        todo: list[Item] = []
        for item in items:
            row = known.effects.get(item.key)
            state = EffectState.FAILED if row is None else EffectState(row["state"])
            if row is None or state is EffectState.FAILED:
                todo.append(item)
            elif state is EffectState.DONE:
                self._assert_as_now(item, row)
                self._ended(item, self._done(row))
            elif state is EffectState.PARKED:
                self._ended(item, Ended(state=state, error=for_a_person(self._target(item), row)))
            else:
                doubtful.append(row)
        again = await self._find_out(doubtful, by_key)
        entries = await self._entries([*again, *todo], known)
        repeated = {item.key for item in again}
        lost = self._work.lane.steps.effects.lost(self._operation)
        if lost is not None:
            suspects = {item.key for item in todo if lost.may_be(known.effects.get(item.key))}
            entries = await self._suspect(entries, suspects, lost, repeated, by_key)
        parts = deque(requests(entries, self._batches.size))
        while parts and not self._work.tally.held_up:
            await self._make(parts, frozenset(repeated), by_key)

    async def _suspect(
        self,
        entries: Sequence[Entry],
        suspects: AbstractSet[str],
        lost: Lost,
        repeated: set[EffectKey],
        by_key: Mapping[str, Item],
    ) -> list[Entry]:
        """Find out which items were written before a restore without the hub's knowing it; gives those to be sent."""
        going = [one for one in entries if one.key not in suspects]
        new = [one for one in entries if one.key in suspects]
        if not new:
            return going
        suspecting = self._batches.suspect(new, lambda row: self._target(by_key[row["key"]]), lost)
        made = await self._told(suspecting, [one.key for one in new])
        if made.standing:
            left = await self._begun(new, made.standing, by_key)
            return [*going, *await self._suspect(left, suspects, lost, repeated, by_key)]
        for one in new:
            end = made.ends[one.key]
            if end.error is not None and end.error.code == MAY_BE_REPEATED:
                going.append(one)
                repeated.add(one.key)
            else:
                self._ended(by_key[one.key], end)
        return going

    async def _begun(self, part: Sequence[Entry], standing: Sequence[Row], by_key: Mapping[str, Item]) -> list[Entry]:
        """Go on with those that others have begun; gives the rest."""
        begun = {row["path"]: row for row in standing}
        met: dict[str, Row] = {one.key: begun[one.target.path] for one in part if one.target.path in begun}
        await self.go([by_key[key] for key in met], Known(effects=met))
        return [one for one in part if one.key not in met]

    async def _find_out(self, rows: Sequence[Row], by_key: Mapping[str, Item]) -> list[Item]:
        """Find out unknown outcomes; gives the items that may be sent once more."""
        mine: list[Row] = []
        for row in rows:
            if row["run_id"] == self._work.run["id"] or await self._work.lane.steps.effects.take_over(row):
                mine.append(row)
            else:
                self._ended(by_key[row["key"]], Ended(state=EffectState.UNKNOWN, error=another_run(row)))
        if not mine:
            return []
        ends: dict[EffectKey, Ended] = {}
        for some, as_recorded in self._by_meaning(mine, by_key):
            finding = self._batches.find_out(
                some, lambda row: self._target(by_key[row["key"]]), as_recorded=as_recorded
            )
            found = (await self._told(finding, [row["key"] for row in some])).ends
            ends.update({key: _not_made(end) if as_recorded else end for key, end in found.items()})
        again, begun = [], {row["key"]: row for row in mine}
        for key, end in ends.items():
            if end.state is EffectState.DONE:
                self._assert_as_now(by_key[key], begun[key])
            if end.error is not None and end.error.code == MAY_BE_REPEATED:
                again.append(by_key[key])
            else:
                self._ended(by_key[key], end)
        return again

    def _by_meaning(self, rows: Sequence[Row], by_key: Mapping[str, Item]) -> list[tuple[list[Row], bool]]:
        """Part writes of unknown outcome: those that would be written otherwise now are not written over."""
        earlier = self._work.lane.steps.earlier
        otherwise = {
            row["key"]
            for row in rows
            if earlier.is_other(row)
            and not earlier.is_as_now(
                self._target(by_key[row["key"]]), row, partial(self._work.form, by_key[row["key"]])
            )
        }
        parted = ([row for row in rows if (row["key"] in otherwise) is other] for other in (False, True))
        return [(part, other) for part, other in zip(parted, (False, True), strict=True) if part]

    async def _told(self, finding: Awaitable[Made], keys: Sequence[str]) -> Made:
        """Give what was found out; what cannot be known for now is asked again, and nothing new goes out before."""
        try:
            return await finding
        except (*ENDS, FixConnection, OnHold):
            raise
        except HubError as error:
            self._work.tally.held_up = True
            return Made(ends={EffectKey(key): Ended(state=EffectState.UNKNOWN, error=error) for key in keys})

    async def _entries(self, items: Sequence[Item], known: Known) -> list[Entry]:
        """Form the inputs of items and let them pass the gates; what keeps one back is counted."""
        if not items:
            return []
        work = self._work
        self._approvals = await work.lane.steps.leave(work.place.path, work.lane.scope)
        gates = work.new_lane("", work.place.ordinal, work.lane.scope, Known(steps=known.steps))
        entries = [one for item in items if (one := self._entry(gates, item, known)) is not None]
        # What was decided is durable before the writes that it let pass.
        await gates.journal.flush()
        return entries

    def _entry(self, gates: Lane, item: Item, known: Known) -> Entry | None:
        work, target = self._work, msgspec.structs.replace(self._target(item), approvals=self._approvals)
        try:
            record = work.form(item)
            gates.steps.gate(work.bundle, target, lambda: record, work.lane.scope)
        except HubError as error:
            work.fail(gates, item, error, work.verdict(error, 1), before=known.steps.get(item.path))
            return None
        return entry(target, record)

    async def _make(self, parts: deque[list[Entry]], repeated: frozenset[str], by_key: Mapping[str, Item]) -> None:
        part = parts.popleft()
        try:
            made = await self._batches.make(part, again=frozenset(one.key for one in part) & repeated)
        except ApprovalLapsed:
            # It lapsed between the look and the intent: it is void now and asked for anew, or holds again by chance.
            await self._work.lane.steps.leave(self._work.place.path, self._work.lane.scope)
            raise
        except REFUSALS as refusal:
            # The request could not be formed.
            ends = {one.key: Ended(state=EffectState.FAILED, error=refusal) for one in part}
            await self._take_apart(part, parts, ends, by_key)
            return
        if made.standing:
            # Somebody else has begun some of them meanwhile; the others go without them.
            rest = await self._begun(part, made.standing, by_key)
            if rest:
                parts.appendleft(rest)
        elif isinstance(made.whole, REFUSALS):
            await self._take_apart(part, parts, made.ends, by_key)
        else:
            for key, end in made.ends.items():
                self._ended(by_key[key], end)
            # What befell one request would befall the next.
            self._work.tally.held_up = self._work.tally.held_up or made.whole is not None

    async def _take_apart(
        self,
        part: Sequence[Entry],
        parts: deque[list[Entry]],
        ends: Mapping[EffectKey, Ended],
        by_key: Mapping[str, Item],
    ) -> None:
        """Halve a request that was refused as a whole, until it is known for which item it is refused."""
        upsert = self._operation.idempotency is Idempotency.UPSERT
        if len(part) > 1 and (upsert or all(end.state is EffectState.FAILED for end in ends.values())):
            # That they surely were not done is known before they are intended anew.
            await self._work.lane.journal.settle()
            half = len(part) // 2
            parts.extendleft([list(part[half:]), list(part[:half])])
            return
        for one in part:
            self._ended(by_key[one.key], ends[one.key])

    def _done(self, row: Row) -> Ended:
        try:
            return Ended(state=EffectState.DONE, output=self._work.lane.steps.effects.answer(row))
        except FixData as gone:
            return Ended(state=EffectState.PARKED, error=gone)

    def _assert_as_now(self, item: Item, row: Row) -> None:
        form = partial(self._work.form, item)
        self._work.lane.steps.earlier.assert_as_now(self._target(item), row, form)

    def _ended(self, item: Item, end: Ended) -> None:
        """Count and record what became of an item of a request."""
        work = self._work
        if end.error is not None:
            work.fail(work.lane, item, end.error, work.verdict(end.error, work.tries()))
            return
        value = call_output(work.bundle, work.action, end.output, work.lane.scope)
        answer = end.output if work.action.into is not None else None
        work.succeed(work.lane, item, Output(value=value, answer=answer))

    def _target(self, item: Item) -> Target:
        return self._work.lane.steps.target(
            self._work.account.name, self._operation, item.path, key=item.key, generation=item.generation
        )


def _not_made(end: Ended) -> Ended:
    """Give the end of a write that was only sent again to know: what was refused leaves room for what is meant now."""
    if end.state is not EffectState.FAILED:
        return end
    return Ended(state=end.state, error=RetryLater("It surely was not done.", code=MAY_BE_REPEATED))
