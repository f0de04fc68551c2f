"""Writes: listed by how they stand, and one in full with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.connections.accounts import Account
from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.model.effect import EffectState, Idempotency
from hub.model.run import GOING_STATES, RunState
from hub.queries.actors import called
from hub.queries.step_views import AttemptView, attempt_view, without_credentials
from hub.queries.view import View, moment
from hub.sdk import exact_json
from hub.sdk.connector import WriteOperation
from hub.store import people
from hub.store.settlements import latest
from hub.store.tables import attempts, batches, effects

#: Of a write in these states nobody knows whether it was made.
IN_DOUBT = (EffectState.INTENT, EffectState.UNKNOWN, EffectState.PARKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRow:
    """One write: where it goes, what it is about, and how it stands."""

    key: str
    state: EffectState
    connection: str
    operation: str
    idempotency: Idempotency
    business_key: str
    path: str
    generation: int
    run_id: str
    reason: str | None
    created_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPage:
    """A page of writes, the newest first; `next` asks for the following page."""

    effects: tuple[EffectRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementView:
    """What a person said of a write, and from what they knew it."""

    verdict: str
    by_name: str
    evidence: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectDetail:
    """A write whole: the request as it was recorded, its attempts, and whether a person may settle it now.

    `standing_run` is the latest replay of its run. `gives` are the fields that the operation's answer must have: what a
    person who says that it was made must name. The body is None for who may not see payloads.
    """

    effect: EffectRow
    method: str
    url: str
    body_hash: str
    body: str | None
    batch: str | None
    undoes: str | None
    output: Any
    attempts: tuple[AttemptView, ...]
    settlement: SettlementView | None
    standing_run: str | None
    settleable: bool
    gives: tuple[str, ...]


def listing(
    view: View, *, states: tuple[EffectState, ...] = IN_DOUBT, before: str | None = None, limit: int = 50
) -> EffectPage:
    """List writes from behind the one with the key `before`."""
    statement = select(effects).where(
        effects.c.environment == view.environment, effects.c.state.in_([state.value for state in states])
    )
    with view.database.reading() as connection:
        if before is not None:
            after = connection.execute(select(effects.c.created_at).where(effects.c.key == before)).scalar()
            if after is not None:
                statement = statement.where(
                    (effects.c.created_at < after) | ((effects.c.created_at == after) & (effects.c.key < before))
                )
        ordered = statement.order_by(effects.c.created_at.desc(), effects.c.key.desc()).limit(limit + 1)
        found = connection.execute(ordered).all()
    rows = tuple(_row(row._mapping) for row in found[:limit])
    return EffectPage(effects=rows, next=rows[-1].key if len(found) > limit else None)


def detail(view: View, key: str, accounts: Mapping[str, Account], *, payloads: bool) -> EffectDetail:
    """Give a write whole; raises `NotFound`."""
    with view.database.reading() as connection:
        found = connection.execute(select(effects).where(effects.c.key == key)).one_or_none()
        if found is None or found.environment != view.environment:
            raise NotFound("There is no such write.", effect=key)
        row = dict(found._mapping)
        request = _request(connection, row)
        tried = connection.execute(
            select(attempts)
            .where(attempts.c.run_id == row["run_id"], attempts.c.path == row["path"])
            .order_by(attempts.c.number)
        ).all()
        names = people.names(connection)
        run = latest(connection, row["run_id"])
    state = EffectState(row["state"])
    going = run is not None and RunState(run["state"]) in GOING_STATES
    return EffectDetail(
        effect=_row(row),
        method=request["method"],
        url=without_credentials(request["url"]),
        body_hash=request["body_hash"],
        body=bytes(request["body"]).decode("utf-8", "backslashreplace") if payloads else None,
        batch=row["batch"],
        undoes=row["undoes"],
        output=exact_json.loads(row["output"]) if payloads and row["output"] else None,
        attempts=tuple(attempt_view(dict(each._mapping)) for each in tried),
        settlement=_settlement(row, names),
        standing_run=None if run is None else run["id"],
        settleable=state in IN_DOUBT and not going,
        gives=_gives(accounts.get(row["connection"]), row["operation"]),
    )


def _request(connection: Connection, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the row with the request: that of the batch where several writes went out together."""
    if row["batch"] is None:
        return row
    found = connection.execute(select(batches).where(batches.c.id == row["batch"])).one_or_none()
    return row if found is None else dict(found._mapping)


def _row(row: Mapping[Any, Any]) -> EffectRow:
    return EffectRow(
        key=row["key"],
        state=EffectState(row["state"]),
        connection=row["connection"],
        operation=row["operation"],
        idempotency=Idempotency(row["idempotency"]),
        business_key=row["business_key"],
        path=row["path"],
        generation=row["generation"],
        run_id=row["run_id"],
        reason=row["reason"],
        created_at=of_micros(row["created_at"]),
        sent_at=moment(row["sent_at"]),
        finished_at=moment(row["finished_at"]),
    )


def _settlement(row: Mapping[str, Any], names: Mapping[str, str]) -> SettlementView | None:
    if row["settlement"] is None:
        return None
    said = exact_json.loads(row["settlement"])
    return SettlementView(
        verdict=said["verdict"],
        by_name=called(said["by"], names),
        evidence=said["evidence"],
        at=of_micros(said["at"]),
    )


def _gives(account: Account | None, name: str) -> tuple[str, ...]:
    operation = account.connector.operation(name) if account is not None else None
    if account is None or not isinstance(operation, WriteOperation):
        return ("id",)
    document: Mapping[str, Any] = operation.output
    if "$ref" in document:
        document = account.connector.schemas.get(str(document["$ref"]), {})
    return tuple(document.get("required", ())) or ("id",)
