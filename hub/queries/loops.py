"""The items of a run's loops: counted by their states, and shown few at a time, those that need somebody first.

A loop may have thousands of items with several steps each. Nothing here reads or gives more than what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, and_, case, func, not_, select

from hub.model.flow_steps import UNDOING
from hub.model.run import StepState
from hub.store.tables import steps

#: A loop of up to so many items is shown whole with its run, of a larger one so many that need somebody.
SHOWN = 12
#: So many items stand on one page of a loop's own.
PAGE = 25
#: No run that a person looks at has more loops beside each other.
_MOST_LOOPS = 200
_TROUBLED = (StepState.FAILED.value, StepState.WAITING.value)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopView:
    """The items of a loop, or of a call for many items, that have begun: how many are in which state.

    `path` is the loop's step; the undos of a run are told as one loop with the path `undo:`. `shown` are the paths of
    the items that stand beside it.
    """

    path: str
    counts: Mapping[StepState, int]
    shown: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Give how many items have begun."""
        return sum(self.counts.values())

    @property
    def more(self) -> int:
        """Give how many are not shown."""
        return self.total - len(self.shown)


@dataclass(slots=True, kw_only=True)
class Shown:
    """Rows of steps that are shown, and the loops among them."""

    rows: list[Row] = field(default_factory=list)
    loops: list[LoopView] = field(default_factory=list)


def shown_of(connection: Connection, run_id: str, named: Sequence[str] = ()) -> Shown:
    """Give the steps of a run that its page shows: those outside of loops, and of each loop a few items.

    `named` are paths that somebody asks for: exceptions stopped there.
    """
    found = Shown()
    outside = and_(_free(steps.c.path), not_(steps.c.path.startswith(UNDOING, autoescape=True)))
    found.rows += _rows(connection, run_id, outside)
    for loop in (*_loops(connection, run_id, ""), UNDOING):
        counts = counted(connection, run_id, loop)
        if counts:
            few = sum(counts.values()) <= SHOWN
            rows = items_of(connection, run_id, loop, states=None if few else _TROUBLED, limit=SHOWN)
            found.loops.append(LoopView(path=loop, counts=counts, shown=tuple(row["path"] for row in rows)))
            _add_items(connection, run_id, rows, found)
    known = {row["path"] for row in found.rows}
    # A path that was named stands there with the item around it, however many other items the loop has.
    items = [path[: path.index("]") + 1] for path in named if "]" in path and path not in known]
    rows = _rows(connection, run_id, steps.c.path.in_([each for each in dict.fromkeys(items) if each not in known]))
    _add_items(connection, run_id, rows, found)
    return found


def page_of(
    connection: Connection, run_id: str, loop: str, *, state: StepState | None, number: int, size: int = PAGE
) -> Shown:
    """Give one page (from 1) of a loop's items with the steps inside them; `loops` has the loop itself first."""
    states = None if state is None else (state.value,)
    rows = items_of(connection, run_id, loop, states=states, limit=size, skip=(number - 1) * size)
    counts = counted(connection, run_id, loop)
    found = Shown(loops=[LoopView(path=loop, counts=counts, shown=tuple(row["path"] for row in rows))])
    _add_items(connection, run_id, rows, found)
    return found


def counted(connection: Connection, run_id: str, loop: str) -> dict[StepState, int]:
    """Count the items of a loop by their states."""
    statement = (
        select(steps.c.state, func.count()).where(steps.c.run_id == run_id, _items(loop)).group_by(steps.c.state)
    )
    return {StepState(state): number for state, number in connection.execute(statement)}


def items_of(
    connection: Connection, run_id: str, loop: str, *, states: Sequence[str] | None, limit: int, skip: int = 0
) -> list[Row]:
    """Give items of a loop, those that failed first, then those that wait."""
    rank = case({state: place for place, state in enumerate(_TROUBLED)}, value=steps.c.state, else_=len(_TROUBLED))
    condition = _items(loop) if states is None else and_(_items(loop), steps.c.state.in_(states))
    # Items by number come in the order of their numbers.
    order = (rank, func.length(steps.c.path), steps.c.path)
    statement = select(steps).where(steps.c.run_id == run_id, condition).order_by(*order).limit(limit).offset(skip)
    return [dict(row._mapping) for row in connection.execute(statement)]


def _add_items(connection: Connection, run_id: str, items: Sequence[Row], found: Shown) -> None:
    """Add items with the steps inside them, and count the loops inside of these."""
    found.rows += items
    for item in items:
        if item["path"].startswith(UNDOING):
            continue
        inside = f"{item['path']}."
        found.rows += _rows(connection, run_id, and_(_begins(inside), _free(steps.c.path, after=inside)))
        for loop in _loops(connection, run_id, inside):
            found.loops.append(LoopView(path=loop, counts=counted(connection, run_id, loop)))


def _rows(connection: Connection, run_id: str, condition: ColumnElement[bool]) -> list[Row]:
    statement = select(steps).where(steps.c.run_id == run_id, condition)
    ordered = statement.order_by(steps.c.ordinal, steps.c.started_at, steps.c.path)
    return [dict(row._mapping) for row in connection.execute(ordered)]


def _loops(connection: Connection, run_id: str, around: str) -> list[str]:
    """Find the loops at a level by what their items are called, passing over the items of each at once."""
    found: list[str] = []
    last = around
    while len(found) < _MOST_LOOPS:
        inside = and_(steps.c.path > last, steps.c.path.contains("[", autoescape=True))
        if around:
            inside = and_(inside, _begins(around), _brackets(steps.c.path, around))
        else:
            inside = and_(inside, not_(steps.c.path.startswith(UNDOING, autoescape=True)))
        path = connection.execute(
            select(steps.c.path).where(steps.c.run_id == run_id, inside).order_by(steps.c.path).limit(1)
        ).scalar()
        if path is None:
            break
        loop = path[: path.index("[", len(around))]
        found.append(loop)
        # `\` is the character after `[`, so that this comes behind every item.
        last = f"{loop}\\"
    return found


def _items(loop: str) -> ColumnElement[bool]:
    """Tell an item's own row: its path ends with its name."""
    path = steps.c.path
    if loop == UNDOING:
        return _begins(UNDOING)
    inside = and_(path > f"{loop}[", path < f"{loop}\\")
    return and_(inside, path.endswith("]", autoescape=True), _free(path, after=f"{loop}["))


def _begins(prefix: str) -> ColumnElement[bool]:
    """Tell what begins so, in a way that the index serves."""
    return and_(steps.c.path > prefix, steps.c.path < prefix[:-1] + chr(ord(prefix[-1]) + 1))


def _free(path: Column[str], after: str = "") -> ColumnElement[bool]:
    """Tell what has no item in it behind a prefix."""
    return not_(_brackets(path, after))


def _brackets(path: Column[str], after: str) -> ColumnElement[bool]:
    escaped = after.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return path.like(f"{escaped}%[%", escape="\\")
