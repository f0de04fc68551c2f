"""One run in full: its event, its steps with their attempts and writes, its replays and its cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from hub.errors import NotFound
from hub.model.flow_steps import parts_of
from hub.model.run import OPEN_STATES, RunState, StepState
from hub.queries.cases import CaseRow, case_row
from hub.queries.events import EventRow, event_row
from hub.queries.loops import PAGE, LoopView, page_of, shown_of
from hub.queries.runs import RunRow, find, run_row
from hub.queries.standing import Standing, standing
from hub.queries.step_views import StepView, step_views
from hub.queries.view import View
from hub.queries.wait_words import waits_in_words
from hub.store import events as stored_events
from hub.store import people
from hub.store.runs import MANY
from hub.store.tables import awaited, cases, runs

#: No chain of replays that a person looks at is longer.
_LONGEST_CHAIN = 50
#: So many of the things that a run waits for are told.
_MOST_WAITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDetail:
    """A run whole; `chain` is every run of the same work, the first one first, with this one among them.

    `steps` are those outside of loops, and of each loop in `loops` a few items with what is inside them; `items` gives
    the others page by page. `waits` says in words what it waits for. `replay_from` is the step a replay would go on
    from, and `replayable` tells whether one may be ordered now.
    """

    run: RunRow
    event: EventRow | None
    steps: tuple[StepView, ...]
    loops: tuple[LoopView, ...]
    cases: tuple[CaseRow, ...]
    chain: tuple[RunRow, ...]
    standing: Standing
    waits: tuple[str, ...]
    withheld: bool
    replayable: bool
    replay_from: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsPage:
    """One of `pages` pages of a loop's items, in one state or in any; `loops` are those inside the items."""

    run: RunRow
    loop: LoopView
    steps: tuple[StepView, ...]
    loops: tuple[LoopView, ...]
    state: StepState | None
    number: int
    pages: int
    withheld: bool


def detail(view: View, run_id: str, *, payloads: bool) -> RunDetail:
    """Give a run whole, without inputs, outputs and bodies unless `payloads`; raises `NotFound`."""
    with view.database.reading() as connection:
        row = find(connection, view, run_id)
        chain = _chain(connection, row)
        event = stored_events.find(connection, row["event_id"])
        found_cases = _rows(connection, select(cases).where(cases.c.run_id == run_id).order_by(cases.c.id))
        called = people.names(connection)
        stands = standing(connection, row, called)
        run, ids = run_row(row), [member["id"] for member in chain]
        shown = shown_of(connection, run_id, [case["path"] for case in found_cases])
        views = step_views(connection, run, ids, shown.rows, payloads=payloads)
        topics = _topics(connection, run)
    return RunDetail(
        run=run,
        event=None if event is None else event_row(event, payloads=payloads),
        steps=tuple(views),
        loops=tuple(shown.loops),
        cases=tuple(case_row(case, called) for case in found_cases),
        chain=tuple(run_row(member) for member in chain),
        standing=stands,
        waits=waits_in_words(run.wait_kind, topics),
        withheld=not payloads,
        replayable=run.replaced_by is None
        and run.pruned_at is None
        and (run.state is RunState.PARKED or run.state not in OPEN_STATES),
        replay_from=next((step.path for step in views if _stopped_at(step)), None),
    )


def items(
    view: View, run_id: str, loop: str, *, state: StepState | None = None, number: int = 1, payloads: bool
) -> ItemsPage:
    """Give one page (from 1) of the items of a loop, those that failed first; raises `NotFound`."""
    with view.database.reading() as connection:
        row = find(connection, view, run_id)
        shown = page_of(connection, run_id, loop, state=state, number=max(number, 1))
        whole = shown.loops[0]
        if not whole.total:
            raise NotFound("The run has no such loop, or none of its items has begun.", run=run_id, of=loop)
        run, chain = run_row(row), [member["id"] for member in _chain(connection, row)]
        views = step_views(connection, run, chain, shown.rows, payloads=payloads)
    listed = whole.total if state is None else whole.counts.get(state, 0)
    return ItemsPage(
        run=run,
        loop=whole,
        steps=tuple(views),
        loops=tuple(shown.loops[1:]),
        state=state,
        number=max(number, 1),
        pages=max(1, -(-listed // PAGE)),
        withheld=not payloads,
    )


def _topics(connection: Connection, run: RunRow) -> Sequence[str]:
    """Give what a run waits for: one thing, or the first of several."""
    if run.wait_on is None or not run.wait_on.startswith(MANY):
        return [run.wait_on] if run.wait_on else []
    several = select(awaited.c.topic).where(awaited.c.run_id == run.id).order_by(awaited.c.topic).limit(_MOST_WAITS)
    return connection.execute(several).scalars().all()


def _stopped_at(step: StepView) -> bool:
    """Tell the outermost step that a run has not come past."""
    outermost = parts_of(step.path) == [step.path] and "[" not in step.path
    return outermost and step.state is not StepState.SUCCEEDED and not step.went_on


def _chain(connection: Connection, row: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    chain = [row]
    while chain[0]["replay_of"] and len(chain) < _LONGEST_CHAIN:
        before = _rows(connection, select(runs).where(runs.c.id == chain[0]["replay_of"]))
        if not before:
            break
        chain.insert(0, before[0])
    while chain[-1]["replaced_by"] and len(chain) < 2 * _LONGEST_CHAIN:
        after = _rows(connection, select(runs).where(runs.c.id == chain[-1]["replaced_by"]))
        if not after:
            break
        chain.append(after[0])
    return chain


def _rows(connection: Connection, statement: Any) -> list[Mapping[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(statement)]
