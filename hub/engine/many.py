"""A call made for every item of a list: many in one request where the operation can, else one by one, a few at a time.

An item that is done is never made again, and one item's failure stops no other. What is known of the items is read
and kept some at a time, so that thousands of them need no more memory than some.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial

from hub.engine.items import ENDS, Item, Work
from hub.engine.lanes import Known, Lane, NewLane, Place
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.together import Together
from hub.errors import FixData, HubError
from hub.model.flow import Call, Failures, Term
from hub.model.run import StepState
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation
from hub.store.claims import ClaimedRun
from hub.workspace.bundle import Bundle

#: So many items are looked at together.
WINDOW = 200
#: So many of them are under way at once where each is a request of its own.
HANDS = 8


class Many:
    """One call with `each` of a run."""

    def __init__(self, parts: Parts, claimed: ClaimedRun, bundle: Bundle, *, new_lane: NewLane) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._claimed = claimed
        self._bundle = bundle
        self._new_lane = new_lane

    async def run(self, place: Place, action: Call, each: Term) -> Output:
        """Make the calls; raises `Stopped` while some wait, and `FixData` when some failed that may not."""
        lane = place.lane
        items = each(lane.scope)
        if items is None:
            items = []
        if not isinstance(items, list):
            raise FixData("What the call goes through is not a list.", code="not-a-list", expression=each.text)
        account, operation = lane.steps.where(action, lane.scope)
        lane.steps.connection = account.name
        work = Work(
            parts=self._parts,
            claimed=self._claimed,
            bundle=self._bundle,
            place=place,
            action=action,
            account=account,
            operation=operation,
            new_lane=self._new_lane,
        )
        work.assert_named(items)
        if isinstance(operation, WriteOperation):
            earlier = lane.steps.earlier
            earlier.assert_none_of_others(place.path, lambda: work.keys(items))
            earlier.assert_none_gone(place.path, self._bundle.flows[self._claimed.run["flow"]].steps)
        # Nothing goes outside before all that led to it is durable.
        await lane.journal.flush()
        together = None
        if isinstance(operation, WriteOperation) and operation.bulk is not None:
            together = Together(work, operation)
        for start in range(0, len(items), WINDOW):
            window = [work.item(value, number) for number, value in enumerate(items[start : start + WINDOW], start)]
            await self._window(work, together, window)
            if work.tally.held_up:
                break
        await lane.journal.flush()
        output = self._end(work, place, len(items))
        lane.steps.connection = None
        return output

    async def _window(self, work: Work, together: Together | None, window: Sequence[Item]) -> None:
        known = work.known(window)
        todo: list[Item] = []
        for item in window:
            row = known.steps.get(item.path)
            if row is not None and row["state"] == StepState.SUCCEEDED:
                work.tally.succeed(item.name, None if row["output"] is None else exact_json.loads(row["output"]))
            elif row is not None and row["state"] == StepState.FAILED:
                error = exact_json.loads(row["error"])
                work.tally.fail(item.name, error["code"], error["detail"], item.value)
            else:
                todo.append(item)
        if together is not None:
            await together.go(todo, known)
        else:
            await self._one_by_one(work, todo, known)

    async def _one_by_one(self, work: Work, items: Sequence[Item], known: Known) -> None:
        todo = deque(items)
        ends: list[BaseException] = []
        await asyncio.gather(*(self._hand(work, todo, known, ends) for _ in range(min(HANDS, len(todo)))))
        if ends:
            raise ends[0]

    async def _hand(self, work: Work, todo: deque[Item], known: Known, ends: list[BaseException]) -> None:
        """Take one item after the other, in a lane of its own."""
        by_path = {row["path"]: row for row in known.effects.values()}
        own = Known(steps=known.steps, effects=by_path, attempts=known.attempts, limited=known.limited)
        lane = self._new_lane("", work.place.ordinal, work.lane.scope, own)
        try:
            while todo and not work.tally.held_up and not ends:
                await self._single(work, lane, todo.popleft())
            await lane.journal.flush()
        except BaseException as end:  # noqa: BLE001 - the other hands stop too, and the run meets it
            ends.append(end)

    async def _single(self, work: Work, lane: Lane, item: Item) -> None:
        started, steps = self._parts.ambient.now(), lane.steps
        form = partial(work.form, item)
        try:
            output = await steps.exchange(
                self._bundle,
                work.place.step,
                item.path,
                work.action,
                work.lane.scope,
                work.account,
                work.operation,
                form,
            )
        except ENDS:
            raise
        except HubError as error:
            verdict = work.verdict(error, max(steps.effects.attempts(item.path), 1))
            work.fail(lane, item, error, verdict, before=lane.known.steps.get(item.path))
            return
        work.succeed(lane, item, output, started=started)

    def _end(self, work: Work, place: Place, count: int) -> Output:
        work.tally.raise_what_waits(place, count, failures=work.action.failures)
        work.tally.raise_what_nobody_knows(count)
        if work.action.failures is Failures.PARK:
            work.tally.raise_what_failed(count)
        return Output(value=work.tally.output(count), input={"items": count})
