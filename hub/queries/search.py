"""Search by what people have at hand: an id of ours, a vendor's id, a business key, a flow's name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from hub.model.ambient import of_micros
from hub.queries.runs import escape_like
from hub.queries.view import View
from hub.store.statements import alike
from hub.store.tables import cases, crossrefs, events, runs
from hub.workspace.bundle import Bundle


class HitKind(StrEnum):
    """What was found."""

    RUN = "run"
    EVENT = "event"
    CASE = "case"
    FLOW = "flow"
    CROSSREF = "crossref"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One thing that was found: its id, what to call it, and what it is."""

    kind: HitKind
    id: str
    title: str
    detail: str
    state: str
    at: datetime | None


def search(view: View, text: str, bundle: Bundle, *, limit: int = 8) -> tuple[Hit, ...]:
    """Find up to `limit` things of each kind; nothing for a text of fewer than two signs."""
    wanted = text.strip()
    if len(wanted) < 2:
        return ()
    pattern = f"%{escape_like(wanted)}%"
    flows = [
        Hit(kind=HitKind.FLOW, id=name, title=flow.title, detail=name, state="", at=None)
        for name, flow in sorted(bundle.flows.items())
        if wanted.lower() in name.lower() or wanted.lower() in flow.title.lower()
    ]
    with view.database.reading() as connection:
        found = [
            *_runs(connection, view, wanted, pattern, limit),
            *_cases(connection, view, wanted, pattern, limit),
            *_events(connection, view, wanted, pattern, limit),
            *_crossrefs(connection, view, wanted, limit),
        ]
    return (*flows[:limit], *found)


def _runs(connection: Connection, view: View, text: str, pattern: str, limit: int) -> list[Hit]:
    statement = (
        select(runs.c.id, runs.c.flow, runs.c.business_key, runs.c.state, runs.c.created_at)
        .where(
            runs.c.environment == view.environment,
            (runs.c.id == text) | (runs.c.event_id == text) | alike(runs.c.business_key, pattern),
        )
        .order_by(runs.c.id.desc())
        .limit(limit)
    )
    return [
        Hit(kind=HitKind.RUN, id=row.id, title=row.business_key, detail=row.flow, state=row.state, at=_at(row[4]))
        for row in connection.execute(statement)
    ]


def _cases(connection: Connection, view: View, text: str, pattern: str, limit: int) -> list[Hit]:
    statement = (
        select(cases.c.id, cases.c.reason, cases.c.business_key, cases.c.state, cases.c.opened_at)
        .where(
            cases.c.environment == view.environment,
            (cases.c.id == text) | alike(cases.c.business_key, pattern) | alike(cases.c.reason, pattern),
        )
        .order_by(cases.c.id.desc())
        .limit(limit)
    )
    return [
        Hit(kind=HitKind.CASE, id=row.id, title=row.reason, detail=row.business_key, state=row.state, at=_at(row[4]))
        for row in connection.execute(statement)
    ]


def _events(connection: Connection, view: View, text: str, pattern: str, limit: int) -> list[Hit]:
    statement = (
        select(events.c.id, events.c.type, events.c.external_id, events.c.state, events.c.received_at)
        .where(
            events.c.environment == view.environment,
            (events.c.id == text) | alike(events.c.external_id, pattern) | alike(events.c.subject, pattern),
        )
        .order_by(events.c.id.desc())
        .limit(limit)
    )
    return [
        Hit(kind=HitKind.EVENT, id=row.id, title=row.external_id, detail=row.type, state=row.state, at=_at(row[4]))
        for row in connection.execute(statement)
    ]


def _crossrefs(connection: Connection, view: View, text: str, limit: int) -> list[Hit]:
    statement = (
        select(crossrefs.c.entity, crossrefs.c.system, crossrefs.c.id)
        .where(crossrefs.c.environment == view.environment, crossrefs.c.id == text)
        .limit(limit)
    )
    return [
        Hit(kind=HitKind.CROSSREF, id=id, title=id, detail=f"{system} {entity}", state="", at=None)
        for entity, system, id in connection.execute(statement)
    ]


def _at(micros: int) -> datetime:
    return of_micros(micros)
