"""The items of one call: their names and keys, how each ended, and what follows when one fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from hub.connections.accounts import Account
from hub.engine.lanes import Known, Lane, NewLane, Place, Row
from hub.engine.loops import ITEM, fit_for_path
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.tally import Tally
from hub.engine.values import item_input
from hub.engine.verdicts import Circumstances, Park, Pause, Waiting, decide
from hub.errors import (
    Fatal,
    FixData,
    Held,
    HubError,
    OutcomeParked,
    OutcomeUnknown,
    StaleLease,
    StandsAlready,
    ToldToStop,
)
from hub.model.ambient import of_micros
from hub.model.effect import EffectKey, effect_key
from hub.model.flow import Call, OnFailure
from hub.model.run import StepState
from hub.sdk.connector import Operation
from hub.store import resuming
from hub.store.claims import ClaimedRun
from hub.workspace.bundle import Bundle

#: Errors that end the work on the whole run, whatever item met them.
ENDS = (StaleLease, Fatal, StandsAlready, ToldToStop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of the list: its name, its path, and the key that a write of it has, with its generation."""

    name: str
    path: str
    value: Any
    key: EffectKey
    generation: int

    def of(self, row: Row) -> Item:
        """Give the item with the key of the effect that answers for it, which may have been ordered once more."""
        return self if row["key"] == self.key else replace(self, key=row["key"], generation=row["generation"])


@dataclass(slots=True, kw_only=True)
class Work:
    """One pass over the items of a call, as its ways of going through them share it."""

    parts: Parts
    claimed: ClaimedRun
    bundle: Bundle
    place: Place
    action: Call
    account: Account
    operation: Operation
    new_lane: NewLane
    tally: Tally = field(default_factory=Tally)
    _in_vain: int | None = None

    @property
    def run(self) -> Mapping[str, Any]:
        """Give the run's row."""
        return self.claimed.run

    @property
    def lane(self) -> Lane:
        """Give the lane of the step."""
        return self.place.lane

    def assert_named(self, items: Sequence[Any]) -> None:
        """Raise `FixData` unless each item has a name of its own; none is kept, since there may be thousands."""
        names = set[str]()
        for number, value in enumerate(items):
            name = self._name(value, number)
            if name in names:
                raise FixData("Two items have the same name.", code="same-item-name", name=name)
            names.add(name)

    def _name(self, value: Any, number: int) -> str:
        named = number if self.action.item is None else self.action.item(value)
        if named is None:
            raise FixData("An item has no name.", code="item-without-name", number=number)
        return fit_for_path(str(named), number)

    def item(self, value: Any, number: int) -> Item:
        """Give an item with its name, its path and its key."""
        name = self._name(value, number)
        path = f"{self.place.path}[{name}]"
        generation = self.claimed.generation(path)
        key = effect_key(**self._named(path, generation))
        return Item(name=name, path=path, value=value, key=key, generation=generation)

    def _named(self, path: str, generation: int) -> dict[str, Any]:
        return {
            "environment": self.run["environment"],
            "connection": self.account.name,
            "operation": self.operation.name,
            "business_key": self.run["business_key"],
            "path": path,
            "generation": generation,
        }

    def keys(self, items: Sequence[Any]) -> Mapping[str, str]:
        """Give the names of items with the keys of their writes."""
        return {item.name: item.key for item in (self.item(value, at) for at, value in enumerate(items))}

    def known(self, window: Sequence[Item]) -> Known:
        """Read what is recorded of some items; of a run that has just begun there is nothing."""
        if self.run["epoch"] == 1 and self.run["replay_of"] is None:
            return Known()
        paths = [item.path for item in window]
        wanted = [{**self._named(item.path, item.generation), "key": item.key} for item in window]
        with self.parts.database.reading() as connection:
            found = resuming.of_call(connection, self.run["id"], paths, wanted)
        return Known(steps=found.steps, effects=found.effects, attempts=found.attempts, limited=found.limited)

    def form(self, item: Item) -> Any:
        """Give what the operation gets for an item."""
        return item_input(self.bundle, self.action, item.value, self.lane.scope)

    def verdict(self, error: HubError, attempt: int) -> Waiting | Park:
        """Say what follows for an item; what is for the whole connection is raised."""
        here = Circumstances(
            step=self.place.step,
            on_failure=OnFailure.PARK,
            connection=self.account.name,
            policy=self.bundle.retry(self.place.step.retry),
            attempt=attempt,
            draw=self.parts.ambient.random.random(),
            now=self.parts.ambient.now(),
        )
        verdict = decide(error, here)
        if isinstance(verdict, Pause):
            raise error
        assert isinstance(verdict, Waiting | Park)
        return verdict

    def tries(self) -> int:
        """Give how often in a row a request of this step has come to nothing, with the one just now."""
        if self._in_vain is None:
            with self.parts.database.reading() as connection:
                self._in_vain = resuming.in_vain(connection, self.run["id"], self.place.path)
        return self._in_vain + 1

    def succeed(self, lane: Lane, item: Item, output: Output, *, started: datetime | None = None) -> None:
        """Count and record an item that is done."""
        self.tally.succeed(item.name, output.value)
        self._write(lane, item, StepState.SUCCEEDED, output, started=started)

    def fail(
        self, lane: Lane, item: Item, error: HubError, verdict: Waiting | Park, *, before: Row | None = None
    ) -> None:
        """Count and record an item that is not done, for now or for good; `before` is what was recorded of it."""
        told = {"code": error.code, "detail": error.detail, "facts": {k: str(v) for k, v in error.facts.items()}}
        if isinstance(verdict, Waiting):
            self.tally.wait(verdict, error)
            if isinstance(error, Held):
                # Since when it is held says how soon it is asked about again.
                started = None if before is None else of_micros(before["started_at"])
                self._write(lane, item, StepState.WAITING, Output(value=None), started=started, error=told)
            return
        if isinstance(error, OutcomeParked | OutcomeUnknown):
            self.tally.doubt(item.name, verdict.reason)
            return
        self.tally.fail(item.name, verdict.reason, error.detail, item.value)
        self._write(lane, item, StepState.FAILED, Output(value=None), error={**told, "code": verdict.reason})

    def _write(
        self,
        lane: Lane,
        item: Item,
        state: StepState,
        output: Output,
        *,
        started: datetime | None = None,
        error: Mapping[str, Any] | None = None,
    ) -> None:
        now = self.parts.ambient.now()
        lane.journal.step(
            path=item.path,
            ordinal=self.place.ordinal,
            kind=ITEM,
            state=state,
            started=started or now,
            finished=now,
            input=output.input,
            output=output.value,
            answer=output.answer,
            schema=output.schema,
            error=error,
        )
