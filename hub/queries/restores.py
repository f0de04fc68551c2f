"""What became of what the data did not know after a restore: looked up, found, sent, parked, and still open."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select

from hub.model.ambient import to_micros
from hub.model.effect import EffectState
from hub.model.run import OPEN_STATES, RunState
from hub.queries.view import View
from hub.store import marks
from hub.store.marks import Restored
from hub.store.tables import attempts, effects, events, runs

#: A restore is news for so long, also when nothing is left to be reconciled.
NEWS = timedelta(days=7)
_UNSETTLED = (EffectState.INTENT.value, EffectState.UNKNOWN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """The last restore, None for all its facts when there was none; the numbers are of outside writes.

    Counted are writes intended since then for events from before: `looked_up` at the target first, `found` there,
    `sent` because they were not, `parked` for a person. `open` are those without an outcome, `runs_open` the runs of
    such events that still go on.
    """

    file: str | None = None
    backup_at: datetime | None = None
    restored_at: datetime | None = None
    looked_up: int = 0
    found: int = 0
    sent: int = 0
    parked: int = 0
    open: int = 0
    runs_open: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """What every page says after a restore."""

    backup_at: datetime
    restored_at: datetime
    open: int


def reconciled(view: View) -> Reconciled:
    """Count what became of the writes that the data did not know."""
    with view.database.reading() as connection:
        restored = marks.restored(connection)
        if restored is None:
            return Reconciled()
        writes, since = _writes(view.environment, restored)

        def count(*conditions: ColumnElement[bool]) -> int:
            return connection.execute(writes.where(*conditions)).scalar_one()

        looked = _tried(since, attempts.c.kind == "look")
        return Reconciled(
            file=restored.file,
            backup_at=restored.backup_at,
            restored_at=restored.restored_at,
            looked_up=count(looked),
            found=count(_tried(since, attempts.c.kind == "look", attempts.c.outcome == "found")),
            sent=count(
                effects.c.state == EffectState.DONE.value,
                _tried(since, attempts.c.kind == "send", attempts.c.outcome == "done"),
            ),
            parked=count(effects.c.state == EffectState.PARKED.value),
            open=count(effects.c.state.in_(_UNSETTLED)),
            runs_open=connection.execute(_open_runs(view.environment, restored)).scalar_one(),
        )


def banner(view: View) -> Banner | None:
    """Tell of a restore while it is news, or while runs go on whose writes may have been made before it."""
    with view.database.reading() as connection:
        restored = marks.restored(connection)
        if restored is None:
            return None
        left = connection.execute(_open_runs(view.environment, restored)).scalar_one()
    if not left and view.now() - restored.restored_at > NEWS:
        return None
    return Banner(backup_at=restored.backup_at, restored_at=restored.restored_at, open=left)


def open_writes(connection: Connection, environment: str, restored: Restored) -> int:
    """Count the runs that go on and whose writes may have been made before the restore."""
    return connection.execute(_open_runs(environment, restored)).scalar_one()


def _writes(environment: str, restored: Restored) -> tuple[Select[int], int]:
    since = to_micros(restored.restored_at)
    joined = effects.join(runs, runs.c.id == effects.c.run_id).join(events, events.c.id == runs.c.event_id)
    statement = (
        select(func.count())
        .select_from(joined)
        .where(
            effects.c.environment == environment,
            events.c.occurred_at < since,
            or_(effects.c.created_at >= since, effects.c.state.in_(_UNSETTLED), effects.c.finished_at >= since),
        )
    )
    return statement, since


def _tried(since: int, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    same = and_(attempts.c.run_id == effects.c.run_id, attempts.c.path == effects.c.path)
    return exists().where(same, attempts.c.started_at >= since, *conditions)


def _open_runs(environment: str, restored: Restored) -> Select[int]:
    going = [state.value for state in OPEN_STATES if state is not RunState.PARKED]
    return (
        select(func.count())
        .select_from(runs.join(events, events.c.id == runs.c.event_id))
        .where(
            runs.c.state.in_(going),
            runs.c.environment == environment,
            runs.c.replaced_by.is_(None),
            events.c.occurred_at < to_micros(restored.restored_at),
        )
    )
