"""What waits: how many runs, since when, and their money by currency, to the last unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Row, func, literal_column, select, true

from hub.model.ambient import of_micros
from hub.model.run import RunState
from hub.queries.amounts import Amount, sums
from hub.queries.runs import RunRow, find, run_row
from hub.queries.view import View
from hub.store.tables import runs

#: As many of the runs behind another one are listed; the count and the money are of all.
LISTED = 20
#: Sums are taken in two halves, so that no amount that a column holds can break one.
_HALF = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Runs that wait: their number, their money, how many have no known amount, and when the oldest was accepted."""

    runs: int = 0
    money: tuple[Amount, ...] = ()
    without_amount: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """The runs of the same key that wait behind a run: all of them in numbers, the first of them one by one."""

    waiting: Waiting
    runs: tuple[RunRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedKey:
    """A key whose first run stands still while others wait behind it."""

    head: RunRow
    waiting: Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """All keys that stand still with others behind: how many, since when, what waits, and the first of their heads."""

    keys: int
    since: datetime | None
    waiting: Waiting
    heads: tuple[BlockedKey, ...]


def behind(view: View, run_id: str) -> Behind:
    """Give what waits behind a run; nothing behind one that holds nobody back. Raises `NotFound`."""
    with view.database.reading() as connection:
        row = find(connection, view, run_id)
        return behind_row(connection, row)


def behind_row(connection: Connection, row: Mapping[Any, Any]) -> Behind:
    """Give what waits behind a stored run."""
    if not row["blocking"]:
        return Behind(waiting=Waiting(), runs=())
    conditions = (
        *(runs.c[name] == row[name] for name in ("environment", "flow", "key")),
        runs.c.blocking == true(),
        runs.c.position > row["position"],
    )
    first = connection.execute(select(runs).where(*conditions).order_by(runs.c.position).limit(LISTED)).all()
    return Behind(
        waiting=waiting(connection, conditions) if first else Waiting(),
        runs=tuple(run_row(found._mapping) for found in first),
    )


def waiting(connection: Connection, conditions: Iterable[ColumnElement[bool]]) -> Waiting:
    """Count the runs that fit, with their money."""
    statement = select(runs.c.money_currency, *_columns()).where(*conditions).group_by(runs.c.money_currency)
    return _summed(connection.execute(statement).all())


def blocked(view: View, *, limit: int = LISTED) -> Blocked:
    """Tell which keys stand still with others behind: all of them in numbers, the longest-standing one by one."""
    with view.database.reading() as connection:
        return blocked_in(connection, view.environment, limit=limit)


def blocked_in(connection: Connection, environment: str, *, limit: int) -> Blocked:
    """Tell the same of an environment of data that no hub serves."""
    heads = _heads(environment)
    first = connection.execute(select(runs).where(runs.c.id.in_(select(heads.c.id))).order_by(runs.c.position))
    found = first.all()
    if not found:
        return Blocked(keys=0, since=None, waiting=Waiting(), heads=())
    later = (
        select(runs.c.money_currency, *_columns())
        .join(
            heads,
            (runs.c.flow == heads.c.flow) & (runs.c.key == heads.c.key) & (runs.c.position > heads.c.position),
        )
        .where(runs.c.environment == environment, runs.c.blocking == true())
        .group_by(runs.c.money_currency)
    )
    summed = _summed(connection.execute(later).all())
    return Blocked(
        keys=len(found),
        since=of_micros(min(head.created_at for head in found)),
        waiting=summed,
        heads=tuple(
            BlockedKey(head=run_row(head._mapping), waiting=behind_row(connection, head._mapping).waiting)
            for head in found[:limit]
        ),
    )


def _heads(environment: str) -> CTE:
    """Give the first run of each key that others wait behind, where it stands still."""
    behind = (
        select(runs.c.flow, runs.c.key)
        .where(runs.c.environment == environment, runs.c.wait_kind == literal_column("'order'"))
        .distinct()
        .subquery()
    )
    first = (
        select(func.min(runs.c.position))
        .where(
            runs.c.environment == environment,
            runs.c.flow == behind.c.flow,
            runs.c.key == behind.c.key,
            runs.c.blocking == true(),
        )
        .correlate(behind)
        .scalar_subquery()
    )
    return (
        select(runs.c.id, runs.c.flow, runs.c.key, runs.c.position)
        .join(behind, (runs.c.flow == behind.c.flow) & (runs.c.key == behind.c.key) & (runs.c.position == first))
        .where(
            runs.c.environment == environment,
            runs.c.blocking == true(),
            runs.c.state.in_([RunState.PARKED.value, RunState.WAITING.value]),
        )
        .cte("heads")
    )


def _columns() -> tuple[ColumnElement[Any], ...]:
    return (
        func.count().label("number"),
        func.count(runs.c.money_minor).label("known"),
        func.sum(runs.c.money_minor // _HALF).label("high"),
        func.sum(runs.c.money_minor % _HALF).label("low"),
        func.min(runs.c.created_at).label("oldest"),
    )


def _summed(parts: Sequence[Row[Any]]) -> Waiting:
    counted = sum(part.number for part in parts)
    return Waiting(
        runs=counted,
        money=sums((int(part.high) * _HALF + int(part.low), part.money_currency) for part in parts if part.known),
        without_amount=counted - sum(part.known for part in parts),
        oldest=of_micros(min(part.oldest for part in parts)) if parts else None,
    )
