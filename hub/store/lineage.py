"""The line of a run: itself and the runs that it replays, and what of their work does not stand any more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select

from hub.model.effect import EffectState
from hub.model.flow_steps import UNDOING
from hub.store.tables import effects, runs


def replayed(connection: Connection, run_id: str | None) -> list[str]:
    """Give a run and those that it replays, the newest first."""
    found: list[str] = []
    while run_id is not None and run_id not in found:
        found.append(run_id)
        run_id = connection.execute(select(runs.c.replay_of).where(runs.c.id == run_id)).scalar()
    return found


def differs(connection: Connection, run: Mapping[str, Any], line: Sequence[str]) -> bool:
    """Tell whether a run has another event, or other files, than one of those in the line that it replays."""
    if not line:
        return False
    others = or_(runs.c.event_id != run["event_id"], runs.c.bundle != run["bundle"])
    return connection.execute(select(runs.c.id).where(runs.c.id.in_(line), others).limit(1)).first() is not None


def taken_back(connection: Connection, run_ids: Sequence[str]) -> Mapping[str, int]:
    """Give the paths whose writes these runs have taken back, each with the last generation of which that is so.

    What a replay writes there is a new effect of the generation after it: the old one would answer for a document
    that does not stand any more.
    """
    back = select(effects.c.undoes).where(
        effects.c.run_id.in_(run_ids),
        # What a step has taken back by the flow's own way is not to be written once more.
        effects.c.path.startswith(UNDOING),
        effects.c.undoes.is_not(None),
        effects.c.state == EffectState.DONE.value,
    )
    statement = select(effects.c.path, func.max(effects.c.generation).label("last")).where(effects.c.key.in_(back))
    return {row.path: row.last for row in connection.execute(statement.group_by(effects.c.path))}
