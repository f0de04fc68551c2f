"""Decisions as people read them: which rule of which policy, at which version, from which inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from hub.model.ambient import of_micros
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store.tables import decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One decision; `rules` is empty when none matched. Inputs and output are None where payloads are withheld."""

    id: str
    policy: str
    kind: str
    version: int
    rules: tuple[str, ...]
    inputs: Mapping[str, Any] | None
    output: Mapping[str, Any] | None
    bundle: str
    run_id: str | None
    event_id: str | None
    connection: str | None
    path: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """A page of decisions, the newest first; `next` is what to ask for the following page with, None on the last."""

    decisions: tuple[DecisionView, ...]
    next: str | None


def listing(
    view: View,
    *,
    policy: str | None = None,
    run_id: str | None = None,
    event_id: str | None = None,
    connection: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> DecisionPage:
    """List decisions from behind the decision `before`, with their inputs; ids sort by time."""
    statement = select(decisions).where(decisions.c.environment == view.environment)
    for column, value in (
        (decisions.c.policy, policy),
        (decisions.c.run_id, run_id),
        (decisions.c.event_id, event_id),
        (decisions.c.connection, connection),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(decisions.c.id < before)
    with view.database.reading() as reading:
        found = reading.execute(statement.order_by(decisions.c.id.desc()).limit(limit + 1)).all()
    rows = tuple(decision_view(row._mapping, payloads=True) for row in found[:limit])
    return DecisionPage(decisions=rows, next=rows[-1].id if len(found) > limit else None)


def decision_view(row: Mapping[Any, Any], *, payloads: bool) -> DecisionView:
    """Give a stored decision as a value."""
    return DecisionView(
        id=row["id"],
        policy=row["policy"],
        kind=row["kind"],
        version=row["version"],
        rules=tuple(exact_json.loads(row["rules"])),
        inputs=exact_json.loads(row["inputs"]) if payloads else None,
        output=exact_json.loads(row["output"]) if payloads else None,
        bundle=row["bundle"],
        run_id=row["run_id"],
        event_id=row["event_id"],
        connection=row["connection"],
        path=row["path"],
        at=of_micros(row["at"]),
    )
