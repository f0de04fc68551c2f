"""What the hub has in hand, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.model.effect import EffectState
from hub.queries.cases import open_count
from hub.queries.view import View
from hub.store import effects as stored_effects
from hub.store import runs
from hub.store.tables import effects, events


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Runs by flow and state, waiting runs by what they wait for, effects and events by state, open exceptions."""

    environment: str
    at: datetime
    runs: dict[str, dict[str, int]]
    waiting: dict[str, int]
    effects: dict[str, int]
    events: dict[str, int]
    exceptions_open: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEffect:
    """An outside write whose outcome is not known yet."""

    key: str
    connection: str
    operation: str
    business_key: str
    run_id: str
    state: EffectState


def summary(view: View) -> Summary:
    """Count everything once."""
    with view.database.reading() as connection:
        by_flow = runs.counts(connection, environment=view.environment)
        waiting = runs.waiting_kinds(connection, environment=view.environment)
        by_state: dict[str, dict[str, int]] = {
            name: dict(
                connection.execute(
                    select(table.c.state, func.count())
                    .where(table.c.environment == view.environment)
                    .group_by(table.c.state)
                )
                .tuples()
                .all()
            )
            for name, table in (("effects", effects), ("events", events))
        }
    return Summary(
        environment=view.environment,
        at=view.now(),
        runs=by_flow,
        waiting=waiting,
        effects=by_state["effects"],
        events=by_state["events"],
        exceptions_open=open_count(view),
    )


def open_effects(view: View) -> tuple[OpenEffect, ...]:
    """List the effects whose outcome is not known yet."""
    with view.database.reading() as connection:
        rows = stored_effects.open_effects(connection, environment=view.environment)
    return tuple(
        OpenEffect(
            key=row["key"],
            connection=row["connection"],
            operation=row["operation"],
            business_key=row["business_key"],
            run_id=row["run_id"],
            state=EffectState(row["state"]),
        )
        for row in rows
    )
