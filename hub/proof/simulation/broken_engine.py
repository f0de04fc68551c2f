"""Ways in which an engine may be wrong: its fences, approvals, loops, called flows and reversals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update

from hub.engine import compensation, demands, outcomes
from hub.engine.approvals import Approvals
from hub.engine.children import OWN, Children
from hub.engine.compensation import Compensation
from hub.engine.earlier import Earlier
from hub.engine.effects import Effects
from hub.engine.journal import Journal
from hub.engine.lanes import Place
from hub.engine.loops import Loop
from hub.engine.outcomes import Row
from hub.engine.recording import Target
from hub.engine.values import Scope
from hub.engine.verdicts import Circumstances
from hub.errors import HubError, OutcomeUnknown
from hub.model.effect import EffectState
from hub.model.flow import Foreach, Step, Subflow
from hub.model.run import StepState
from hub.sdk.bulk import Result
from hub.store import approvals, children, events, history, replays, resuming
from hub.store.committer import Transaction
from hub.store.events import Accept
from hub.store.history import Lease, Record
from hub.store.replays import Replay
from hub.store.tables import runs
from hub.workspace.bundle import Bundle

# What the hub itself does, which a wrong way goes on with.
_ask, _replay, _done_effects = approvals.ask, replays.replay, resuming.done_effects
_window, _begin, _name = Loop._window, Children._begin, Children._name
_in_order = compensation._in_order
_state_after = outcomes.state_after


class Unfenced(history._Fence):
    """Lets whoever had a run once go on recording it."""

    def stops(self, record: Record) -> HubError | None:
        """Take every epoch for the run's own."""
        run = self._standing.get(record.run_id)
        return super().stops(record if run is None else replace(record, epoch=run["epoch"]))


class Unheld(history._Fence):
    """Looks at no hold when an intent is opened."""

    def _hold(self, record: Record, run: Any) -> HubError | None:
        return None


class Unlapsed(history._Fence):
    """Looks at no approval when an intent is opened."""

    def _lapsed(self, record: Record) -> HubError | None:
        return None


async def once_agreed(self: Approvals, path: str, scope: Scope, journal: Journal) -> tuple[str, ...]:
    """Give the approvals of a write without looking whether they still hold."""
    looking, run = self._parts.database.looking, self._run["id"]
    steps = [each.path for each in self._passed.values() if demands.governs(each.path, path)]
    given = [approvals.latest(looking, run, step) for step in steps]
    return tuple(row["id"] for row in given if row is not None)


def past_anything(here: Circumstances) -> Circumstances:
    """Let a flow go on past whatever has failed."""
    return here


def ask_anybody(transaction: Transaction, row: Row, *, epoch: int, began: object, actor: str) -> Row:
    """Ask people to agree, also those who began the work."""
    return _ask(transaction, row, epoch=epoch, began=(), actor=actor)


def whenever(recorded: datetime, now: datetime) -> bool:
    """Take every moment for early enough."""
    return True


def forward(rows: Sequence[Mapping[str, Any]], steps: Sequence[Step]) -> list[Mapping[str, Any]]:
    """Put what was done the other way round, so that what came first is taken back first."""
    return _in_order(rows, steps)[::-1]


def without_the_first(
    connection: Connection, run_ids: Sequence[str], *, within: str | None = None
) -> list[Mapping[str, Any]]:
    """Give what was done without the first of several writes."""
    rows = _done_effects(connection, run_ids, within=within)
    made = sorted((row["finished_at"] or 0, row["key"]) for row in rows if row["undoes"] is None)
    return [row for row in rows if len(made) < 2 or row["key"] != made[0][1]]


def settled_at_once(self: Effects, target: Target, row: Row) -> None:
    """Take what is not found for not done, however late it may still come."""


def refused_is_not_done(error: HubError, answered: int | None, *, first: bool) -> EffectState:
    """Believe every refusal, also of a repeat."""
    return _state_after(error, answered, first=first or isinstance(error, outcomes.REFUSALS))


async def nothing_to_find_out(self: Compensation, *, sending: bool = True) -> None:
    """Leave open what is unknown."""


def replay_with_new_keys(transaction: Transaction, run_id: str, order: Replay) -> str:
    """Make a run again in a generation of its own, of which no person has said anything."""
    new = _replay(transaction, run_id, order)
    transaction.connection.execute(update(runs).where(runs.c.id == new).values(generation=runs.c.generation + 1))
    return new


def never_another(self: Earlier, row: Row) -> bool:
    """Take every write for one that was formed of the run's own event, by its own files."""
    return False


async def items_anew(
    self: Loop, place: Place, action: Foreach, items: Sequence[Any], window: Sequence[tuple[int, str]], here: Any
) -> None:
    """Name the items of a loop anew when a worker goes on with it."""
    epoch = self._run["epoch"]
    named = [(number, f"{name}~{epoch}" if epoch > 1 else name) for number, name in window]
    await _window(self, place, action, items, named, here)


async def begun_is_done(
    self: Loop, place: Place, action: Foreach, items: Sequence[Any], window: Sequence[tuple[int, str]], here: Any
) -> None:
    """Leave out the items of which a write is recorded, whatever became of it."""
    own = self._own(place, [name for _, name in window])
    ended = {path for path, row in own.items() if row["state"] != StepState.WAITING}
    known = self._known(place, own, [name for _, name in window if f"{place.path}[{name}]" not in ended])
    begun = {path.partition("]")[0] for path in known.effects}
    left = [(number, name) for number, name in window if f"{place.path}[{name}" not in begun]
    await _window(self, place, action, items, left, here)


def orphans(*, event: Row, runs: Sequence[Row], actor: str, caller: Lease) -> Accept:
    """Accept what starts a called flow without who has called it."""
    alone = [{**run, "parent_run": None, "parent_path": None} for run in runs]
    return Accept(event=event, runs=alone, actor=actor, caller=caller)


def name_for_now(self: Children, path: str, generation: int | None = None) -> str:
    """Name what is called by who works on the run just now."""
    return f"{_name(self, path, generation)}~{self.run['epoch']}"


async def tied_afterwards(
    self: Children, bundle: Bundle, path: str, action: Subflow, scope: Scope, under: tuple[str, ...]
) -> None:
    """Start a flow, and write down in a transaction of its own who has called it."""
    await _begin(self, bundle, path, action, scope, under)
    looking = self.parts.database.looking
    event = events.by_name(looking, self._environment, OWN, self._name(path))
    child = None if event is None else children.newest_of_event(looking, event["id"], action.flow)
    if child is not None:
        await self._adopt(child["id"], path)


def by_place(names: Mapping[str, str], results: Sequence[Result]) -> tuple[dict[str, Any], dict[str, int]]:
    """Take the rows of an answer in the order of what was sent."""
    rows = [result for _, result in results]
    missing = OutcomeUnknown("The answer has no row of this item.", code="row-missing")
    return {key: rows[at] if at < len(rows) else missing for at, key in enumerate(names.values())}, {}


def nobody_is_let_go(*_keys: object) -> None:
    """Forget whoever stands behind a run."""
