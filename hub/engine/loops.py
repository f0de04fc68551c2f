"""Loops: the same steps for every item of a list, some at a time, each item an end of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.engine import verdicts
from hub.engine.compensation import TakenBack
from hub.engine.lanes import Known, Lane, NewLane, Place, Row, Stopped
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.values import Scope
from hub.engine.verdicts import Park, TakeBack, Waiting
from hub.errors import FixData, HubError, StandsAlready
from hub.model.ambient import of_micros, to_micros
from hub.model.flow import Failures, Foreach, Step
from hub.model.run import StepState, WaitKind
from hub.sdk import exact_json
from hub.store import resuming
from hub.store.claims import ClaimedRun
from hub.store.history import Awaited

#: So many items are looked at together; what is known of more is never in memory at once.
WINDOW = 100
#: After so many items what was recorded of them is handed over to be made durable, if no write has done that before.
FLUSHED_AFTER = 100
#: So often that is done without waiting for it: while one transaction is written, others gather for the next one.
MOST_UNDER_WAY = 4
#: What a loop may collect, as JSON; more is a mistake, because it would be carried through all steps after it.
MOST_COLLECTED = 4_000_000
#: So many failed items are named.
NAMED = 20
#: After such an end no further item begins in this pass: it would meet the same.
_COMMON = frozenset({WaitKind.CONNECTION, WaitKind.LIMIT, WaitKind.HOLD})
#: What is told of once it has come; an item that waits for it alone is not gone through before.
_TOLD = frozenset({WaitKind.EVENT, WaitKind.CHILD, WaitKind.APPROVAL})
#: How an item's own row is called among the steps.
ITEM = "item"

Walk = Callable[[Lane, Sequence[Step]], Awaitable[None]]
#: Takes back what a lane did, and gives that, or what keeps it from that for now.
TakeItBack = Callable[[Lane], Awaitable[TakenBack | tuple[Waiting | Park, HubError]]]


@dataclass(slots=True, kw_only=True)
class _Pass:
    """What one pass over the items has shown so far."""

    succeeded: int = 0
    failed: list[tuple[str, str, str]] = field(default_factory=list)
    failures: int = 0
    waits: list[Waiting] = field(default_factory=list)
    first_wait: HubError | None = None
    held_up: bool = False
    ends: list[BaseException] = field(default_factory=list)
    #: What has failed for good inside an item that waits.
    beside: tuple[Stopped, ...] = ()
    collected: dict[int, Any] = field(default_factory=dict)
    size: int = 0
    #: What was handed over and may not be durable yet, the oldest first.
    under_way: deque[asyncio.Future[Any]] = field(default_factory=deque)

    async def durable(self, most: int = 0) -> None:
        """Wait until no more than so much of what was handed over is under way; raises what it met."""
        while len(self.under_way) > most:
            await self.under_way.popleft()

    def fail(self, name: str, code: str, detail: str) -> None:
        self.failures += 1
        if len(self.failed) < NAMED:
            self.failed.append((name, code, detail))

    def failed_items(self, count: int) -> FixData:
        """Give the error that names items that failed."""
        name, code, detail = self.failed[0]
        codes = {each[1] for each in self.failed}
        return FixData(
            f"{self.failures} of {count} items failed; first {name}: {detail}",
            code=code if len(codes) == 1 else "items-failed",
            failed=self.failures,
            succeeded=self.succeeded,
            items=", ".join(each[0] for each in self.failed),
        )

    def wait(self, waiting: Waiting, error: HubError) -> None:
        # Of thousands that wait for times, the first time is enough.
        if waiting.waits or not self.waits:
            self.waits.append(waiting)
        elif waiting.until is not None:
            self.waits[0] = verdicts.together([self.waits[0], waiting])
        self.first_wait = self.first_wait or error


class Loop:
    """One `foreach` of a run."""

    def __init__(
        self, parts: Parts, claimed: ClaimedRun, *, walk: Walk, new_lane: NewLane, take_back: TakeItBack
    ) -> None:
        """Take the collaborators; `walk` goes through the steps of one item, `take_back` takes back what they did."""
        self._parts = parts
        self._run = claimed.run
        self._walk = walk
        self._new_lane = new_lane
        self._take_back = take_back

    async def run(self, place: Place, action: Foreach) -> Output:
        """Go through the items; raises `Stopped` when some wait, and `FixData` when some failed and that may not be."""
        items = action.each(place.lane.scope)
        if items is None:
            items = []
        if not isinstance(items, list):
            raise FixData("What the loop goes through is not a list.", code="not-a-list", expression=action.each.text)
        here = _Pass()
        _assert_named(action, place.lane.scope, items)
        place.lane.steps.earlier.assert_none_of_others(
            place.path,
            lambda: {item_name(action, place.lane.scope, at, item): None for at, item in enumerate(items)},
        )
        # What led here is durable before an item begins to write.
        await place.lane.journal.flush()
        for start in range(0, len(items), WINDOW):
            window = [
                (number, item_name(action, place.lane.scope, number, item))
                for number, item in enumerate(items[start : start + WINDOW], start)
            ]
            await self._window(place, action, items, window, here)
            if here.ends:
                await asyncio.gather(*here.under_way, return_exceptions=True)
                raise here.ends[0]
            if here.held_up:
                break
        await here.durable()
        return self._end(place, action, len(items), here)

    async def _window(
        self, place: Place, action: Foreach, items: Sequence[Any], window: Sequence[tuple[int, str]], here: _Pass
    ) -> None:
        own = self._own(place, [name for _, name in window])
        waiting = self._still_waiting(own)
        left: list[tuple[int, str]] = []
        for number, name in window:
            path = f"{place.path}[{name}]"
            row = own.get(path)
            if row is not None and row["state"] == StepState.SUCCEEDED:
                here.succeeded += 1
                if action.collect is not None:
                    _collect(here, number, exact_json.loads(row["output"]) if row["output"] else None)
            elif row is not None and row["state"] == StepState.FAILED:
                error = exact_json.loads(row["error"])
                here.fail(name, error["code"], error["detail"])
            elif path in waiting:
                here.wait(*waiting[path])
            else:
                left.append((number, name))
        known = self._known(place, own, [name for _, name in left])
        todo = deque(left)
        hands = min(action.concurrency, len(todo))
        await asyncio.gather(*(self._hand(place, action, items, todo, known, here) for _ in range(hands)))

    async def _hand(
        self,
        place: Place,
        action: Foreach,
        items: Sequence[Any],
        todo: deque[tuple[int, str]],
        known: Known,
        here: _Pass,
    ) -> None:
        """Take one item after the other; what is recorded of several of them is made durable together."""
        done = 0
        lane: Lane | None = None
        try:
            while todo and not here.held_up and not here.ends:
                number, name = todo.popleft()
                scope: Scope = {**place.lane.scope, action.name: items[number]}
                prefix = f"{place.path}[{name}]."
                lane = self._new_lane(prefix, place.ordinal, scope, known) if lane is None else lane.then(prefix, scope)
                await self._item(place, action, lane, number, name, here)
                done += 1
                if done % FLUSHED_AFTER == 0:
                    await self._hand_over(lane, here)
            if lane is not None:
                await self._hand_over(lane, here)
        except BaseException as end:  # noqa: BLE001 - the other hands stop too, and the run meets it
            here.ends.append(end)

    async def _hand_over(self, lane: Lane, here: _Pass) -> None:
        """Let what a lane has recorded be made durable while the items behind it are gone through."""
        leaving = lane.journal.hand_over()
        if leaving is not None:
            here.under_way.append(leaving)
        await here.durable(MOST_UNDER_WAY)
        # Items that only compute leave the others no room by themselves.
        await self._parts.ambient.clock.sleep(0)

    async def _item(self, place: Place, action: Foreach, lane: Lane, number: int, name: str, here: _Pass) -> None:
        started, path = self._parts.ambient.now(), f"{place.path}[{name}]"
        state, output, error = StepState.SUCCEEDED, None, None

        def stands(state: StepState, output: Any, error: Mapping[str, Any] | None) -> None:
            lane.journal.step(
                path=path,
                ordinal=place.ordinal,
                kind=ITEM,
                state=state,
                started=started,
                finished=self._parts.ambient.now(),
                output=output,
                error=error,
            )

        try:
            reason = self._failed_before(lane, path)
            if reason is not None:
                raise Stopped(TakeBack(reason=reason[0]), None, HubError(reason[1], code=reason[0]))
            await self._walk(lane, action.steps)
            if action.collect is not None:
                output = action.collect(lane.scope)
                _collect(here, number, output)
            here.succeeded += 1
        except Stopped as stopped:
            if isinstance(stopped.error, StandsAlready):
                # Nothing goes past that, and no other item begins.
                raise
            if isinstance(stopped.verdict, TakeBack):
                # From here on it only takes back what it did, whatever happens meanwhile, and that is read from what is
                # durable.
                stands(StepState.WAITING, None, _told(stopped.error, back=stopped.verdict.reason))
                await lane.journal.flush()
            state, error = await self._stopped(lane, name, stopped, here)
        except FixData as refused:
            state, error = StepState.FAILED, _told(refused)
            here.fail(name, refused.code, refused.detail)
        lane.steps.approvals.forget(f"{path}.")
        stands(state, output, error)

    async def _stopped(
        self, lane: Lane, name: str, stopped: Stopped, here: _Pass
    ) -> tuple[StepState, Mapping[str, Any]]:
        """Say how an item stands that has stopped; what it did is taken back where its step says so."""
        verdict, cause, back, stays = stopped.verdict, stopped.error, None, ""
        error = _told(cause)
        if isinstance(verdict, TakeBack):
            back = verdict.reason
            came = await self._take_back(lane)
            if isinstance(came, TakenBack):
                stays = came.stays()
            else:
                verdict, cause = came
        if isinstance(verdict, Waiting):
            here.wait(verdict, cause)
            here.held_up = here.held_up or verdict.kind in _COMMON
            here.beside = here.beside or stopped.beside
            return StepState.WAITING, {**error, "back": back, **_until(verdict)}
        here.fail(name, verdict.reason, f"{cause.detail}{stays}")
        return StepState.FAILED, {**error, "code": verdict.reason, "detail": f"{error['detail']}{stays}"}

    def _failed_before(self, lane: Lane, path: str) -> tuple[str, str] | None:
        """Give why an item failed that was interrupted while it took back what it did."""
        row = lane.known.steps.get(path)
        error = exact_json.loads(row["error"]) if row is not None and row["error"] else {}
        return (error["back"], error["detail"]) if error.get("back") else None

    def _end(self, place: Place, action: Foreach, count: int, here: _Pass) -> Output:
        if here.waits:
            assert here.first_wait is not None
            raise Stopped(
                verdicts.together(here.waits), place, here.first_wait, beside=self._failed(place, action, count, here)
            )
        value: dict[str, Any] = {"count": count, "succeeded": here.succeeded, "failed": here.failures}
        if action.collect is not None:
            value["collected"] = [here.collected[number] for number in sorted(here.collected)]
        if here.failures and (left := self._unsettled(place)) is not None:
            name, _, detail = here.failed[0]
            raise Stopped(
                Park(reason=left),
                place,
                HubError(
                    f"{here.failures} of {count} items failed, not all for good; first {name}: {detail}",
                    code=left,
                ),
            )
        if here.failures and action.failures is Failures.PARK:
            raise here.failed_items(count)
        return Output(value=value)

    def _failed(self, place: Place, action: Foreach, count: int, here: _Pass) -> Sequence[Stopped]:
        """Give for what the run will stop once no item waits any more, as far as that is known."""
        if action.failures is not Failures.PARK:
            return ()
        if not here.failures:
            # What was refused in an item keeps that from going on, and nothing outside.
            return [Stopped(each.verdict, each.place, each.error) for each in here.beside[:1]]
        error = here.failed_items(count)
        return [Stopped(Park(reason=error.code), place, error)]

    def _unsettled(self, place: Place) -> str | None:
        """Give why nothing goes on past the failed items, whatever the flow says: for what they left half done."""
        with self._parts.database.reading() as connection:
            return resuming.unsettled(connection, self._run, place.path)

    def _own(self, place: Place, names: Sequence[str]) -> Mapping[str, Row]:
        if self._run["epoch"] == 1 and not self._run["replay_of"]:
            return {}
        with self._parts.database.reading() as connection:
            return resuming.items(connection, self._run["id"], [f"{place.path}[{name}]" for name in names])

    def _known(self, place: Place, own: Mapping[str, Row], names: Sequence[str]) -> Known:
        """Read what is inside the items that are gone through; of a run that has just begun there is nothing."""
        if not names or (self._run["epoch"] == 1 and not self._run["replay_of"]):
            return Known()
        paths = [f"{place.path}[{name}]" for name in names]
        with self._parts.database.reading() as connection:
            found = resuming.of_items(connection, self._run["id"], paths)
        steps = {path: own[path] for path in paths if path in own} | dict(found.steps)
        return Known(steps=steps, effects=found.effects, attempts=found.attempts, limited=found.limited)

    def _still_waiting(self, own: Mapping[str, Row]) -> Mapping[str, tuple[Waiting, HubError]]:
        """Give what items go on waiting for, by path: their time has not come, and nobody has told of the rest."""
        now = to_micros(self._parts.ambient.now())
        waiting: dict[str, Mapping[str, Any]] = {}
        for path, row in own.items():
            # What waits since a moment that has not come yet was recorded while the clock was ahead.
            if row["state"] == StepState.WAITING and row["error"] and row["finished_at"] <= now:
                error = exact_json.loads(row["error"])
                if _may_go_on_waiting(error, now):
                    waiting[path] = error
        topics = {topic for error in waiting.values() for topic in error["on"]}
        if topics:
            with self._parts.database.reading() as connection:
                topics = resuming.still_awaited(connection, self._run["id"], topics)
        return {path: _waiting(error) for path, error in waiting.items() if topics.issuperset(error["on"])}


def _told(error: HubError, *, back: str | None = None) -> dict[str, Any]:
    """Give why an item has stopped, as it stands in the history; `back` is for what it takes back what it did."""
    return {"code": error.code, "detail": error.detail, "facts": {}, **({} if back is None else {"back": back})}


def _assert_named(action: Foreach, scope: Scope, items: Sequence[Any]) -> None:
    """Raise `FixData` unless each item has a name of its own; none is kept, since there may be thousands."""
    if action.by is None:
        return
    seen = set[str]()
    for number, item in enumerate(items):
        item_name(action, scope, number, item, seen)


def _until(verdict: Waiting) -> Mapping[str, Any]:
    until = to_micros(verdict.until) if verdict.until is not None else None
    return {"until": until, "on": [awaited.topic for awaited in verdict.waits], "wait": verdict.kind.value}


def _may_go_on_waiting(error: Mapping[str, Any], now: int) -> bool:
    until, on = error.get("until"), error.get("on")
    if until is None or until > now:
        return error.get("wait") in _TOLD if on else until is not None
    return False


def _waiting(error: Mapping[str, Any]) -> tuple[Waiting, HubError]:
    until = None if error["until"] is None else of_micros(error["until"])
    waits = tuple(Awaited(topic=topic, still=True) for topic in error["on"])
    waiting = Waiting(kind=WaitKind(error["wait"]), reason=error["code"], until=until, waits=waits)
    return waiting, HubError(error["detail"], code=error["code"])


def item_name(action: Foreach, scope: Scope, number: int, item: Any, seen: set[str] | None = None) -> str:
    """Name an item by its number, or as `by` says; `FixData` when that is no name, or one of `seen`, which it joins."""
    if action.by is None:
        return str(number)
    value = action.by({**scope, action.name: item})
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise FixData("An item has no name.", code="item-without-name", item=number, expression=action.by.text)
    name = fit_for_path(str(value), number)
    if seen is not None:
        if name in seen:
            raise FixData("Two items have one name.", code="item-named-twice", item=number, name=name)
        seen.add(name)
    return name


def fit_for_path(name: str, number: int) -> str:
    """Give an item's name, which stands between brackets in paths; `FixData` when it cannot."""
    if "[" in name or "]" in name or not name.isprintable() or len(name) > 200:
        raise FixData(
            "The name of an item has brackets, or is too long.", code="item-badly-named", item=number, name=name[:80]
        )
    return name


def _collect(here: _Pass, number: int, value: Any) -> None:
    here.collected[number] = value
    here.size += len(exact_json.dumps(value))
    if here.size > MOST_COLLECTED:
        raise FixData("The loop collects more than a step may give.", code="collected-too-much", most=MOST_COLLECTED)
