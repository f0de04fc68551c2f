"""What is held: by whom, since when and why, and how many runs and how much money wait for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true

from hub.model.ambient import of_micros
from hub.model.hold import HoldKind
from hub.model.run import RunState
from hub.queries.actors import called
from hub.queries.view import View, moment
from hub.queries.waiting import Waiting, waiting
from hub.store import connections as stored_connections
from hub.store import people
from hub.store.account_tables import connections
from hub.store.control_tables import holds
from hub.store.tables import runs

#: So many holds that are over are remembered on the page.
ENDED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRow:
    """One hold; `name` is the run, the flow (of the key) or the connection. A paused connection is one, too."""

    kind: HoldKind
    name: str
    key: str
    reason: str
    by: str | None
    by_name: str
    since: datetime
    waiting: Waiting
    ended_at: datetime | None = None
    ended_by_name: str | None = None
    ended_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldList:
    """What is held now, the oldest first, and what was held lately."""

    holds: tuple[HoldRow, ...]
    ended: tuple[HoldRow, ...]


def listing(view: View) -> HoldList:
    """List what is held in this environment."""
    now = select(holds).where(holds.c.environment == view.environment, holds.c.ended_at.is_(None)).order_by(holds.c.at)
    over = (
        select(holds)
        .where(holds.c.environment == view.environment, holds.c.ended_at.is_not(None))
        .order_by(holds.c.ended_at.desc())
        .limit(ENDED)
    )
    paused = select(connections).where(
        connections.c.environment == view.environment, connections.c.state == stored_connections.PAUSED
    )
    with view.database.reading() as connection:
        names = people.names(connection)
        found = [_hold(connection, row._mapping, names) for row in connection.execute(now)]
        found += [_paused(connection, row._mapping, names) for row in connection.execute(paused)]
        ended = [_ended(row._mapping, names) for row in connection.execute(over)]
    return HoldList(holds=tuple(sorted(found, key=lambda row: row.since)), ended=tuple(ended))


def over_run(connection: Connection, row: Mapping[str, Any], called_names: Mapping[str, str]) -> tuple[HoldRow, ...]:
    """Give the holds that a stored run is under: its own, its key's, its flow's."""
    statement = select(holds).where(
        holds.c.environment == row["environment"],
        holds.c.ended_at.is_(None),
        ((holds.c.kind == HoldKind.RUN.value) & (holds.c.name == row["id"]))
        | ((holds.c.kind == HoldKind.FLOW.value) & (holds.c.name == row["flow"]))
        | ((holds.c.kind == HoldKind.KEY.value) & (holds.c.name == row["flow"]) & (holds.c.key == row["key"])),
    )
    found = connection.execute(statement.order_by(holds.c.at)).all()
    return tuple(_row(each._mapping, called_names, Waiting()) for each in found)


def of_flow(view: View, flow: str) -> HoldRow | None:
    """Give the hold of a flow, None when it is not held."""
    statement = select(holds).where(
        holds.c.environment == view.environment,
        holds.c.ended_at.is_(None),
        holds.c.kind == HoldKind.FLOW.value,
        holds.c.name == flow,
    )
    with view.database.reading() as connection:
        row = connection.execute(statement).one_or_none()
        return None if row is None else _hold(connection, row._mapping, people.names(connection))


def _hold(connection: Connection, row: Mapping[Any, Any], names: Mapping[str, str]) -> HoldRow:
    return _row(row, names, waiting(connection, _under(row)))


def _under(row: Mapping[Any, Any]) -> tuple[ColumnElement[bool], ...]:
    """Say which runs wait for a hold: the open ones of it that are not stopped for a person anyway."""
    open_ = (runs.c.environment == row["environment"], runs.c.blocking == true(), runs.c.state != RunState.PARKED.value)
    match HoldKind(row["kind"]):
        case HoldKind.RUN:
            return (*open_, runs.c.id == row["name"])
        case HoldKind.KEY:
            return (*open_, runs.c.flow == row["name"], runs.c.key == row["key"])
        case _:
            return (*open_, runs.c.flow == row["name"])


def _row(row: Mapping[Any, Any], names: Mapping[str, str], waits: Waiting) -> HoldRow:
    return HoldRow(
        kind=HoldKind(row["kind"]),
        name=row["name"],
        key=row["key"],
        reason=row["reason"],
        by=row["actor"],
        by_name=called(row["actor"], names),
        since=of_micros(row["at"]),
        waiting=waits,
    )


def _ended(row: Mapping[Any, Any], names: Mapping[str, str]) -> HoldRow:
    return replace(
        _row(row, names, Waiting()),
        ended_at=moment(row["ended_at"]),
        ended_by_name=called(row["ended_by"], names),
        ended_reason=row["ended_reason"] or None,
    )


def _paused(connection: Connection, row: Mapping[Any, Any], names: Mapping[str, str]) -> HoldRow:
    topic = stored_connections.topic(environment=row["environment"], name=row["name"])
    waits = waiting(connection, (runs.c.environment == row["environment"], runs.c.wait_on == topic))
    return HoldRow(
        kind=HoldKind.CONNECTION,
        name=row["name"],
        key="",
        reason=row["reason"] or "",
        by=row["actor"],
        by_name=called(row["actor"], names) if row["actor"] else "unknown",
        since=of_micros(row["changed_at"]),
        waiting=waits,
    )
