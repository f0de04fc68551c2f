"""Drift: how payloads differ from the schemas they claim, counted where it is seen, and listed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from hub.store.account_tables import drift
from hub.store.committer import Transaction, Write

_KEYS = ("environment", "connection", "schema", "kind", "path", "detail")
#: So many different findings are told apart for one schema of one connection; names made of data would be endless.
MOST_FINDINGS = 500
#: What stands in place of the path of all that are too many.
MANY = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One finding in one payload: where, of which kind, what was done about it, and an example without secrets."""

    environment: str
    connection: str
    schema: str
    kind: str
    path: str
    detail: str
    example: str | None
    event_id: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDrift(Write):
    """Count what was seen outside of the acceptance of an event; the result is None."""

    seen: Sequence[Sighting]

    rank = 70

    @classmethod
    def apply(cls, batch: Sequence[CountDrift], transaction: Transaction) -> list[None]:
        """Count all of them together."""
        count(transaction, (sighting for write in batch for sighting in write.seen))
        return [None] * len(batch)


def count(transaction: Transaction, seen: Iterable[Sighting]) -> None:
    """Add sightings to their counts; each different finding of a group is written once, with the latest example."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for sighting in seen:
        key = tuple(getattr(sighting, name) for name in _KEYS)
        earlier = rows.get(key)
        rows[key] = {
            **dict(zip(_KEYS, key, strict=True)),
            "count": 1 if earlier is None else earlier["count"] + 1,
            "first_seen": transaction.now,
            "last_seen": transaction.now,
            "example": sighting.example,
            "event_id": sighting.event_id,
            "action": sighting.action,
        }
    if rows:
        _add(transaction.connection, list(_bounded(transaction.connection, rows).values()))


def _bounded(
    connection: Connection, rows: Mapping[tuple[str, ...], dict[str, Any]]
) -> dict[tuple[str, ...], dict[str, Any]]:
    """Give the rows, those that are new to a schema with too many findings summed by kind."""
    names = {key[:3] for key in rows}
    columns = [drift.c[name] for name in _KEYS]
    where = tuple_(*columns[:3])
    counted: dict[tuple[Any, ...], int] = {
        tuple(row[:3]): row[3]
        for row in connection.execute(
            select(*columns[:3], func.count()).where(where.in_(sorted(names))).group_by(*columns[:3])
        )
    }
    fresh = {name: sum(1 for key in rows if key[:3] == name) for name in names}
    full = {name for name in names if counted.get(name, 0) + fresh[name] > MOST_FINDINGS}
    if not full:
        return dict(rows)
    known = {tuple(row) for row in connection.execute(select(*columns).where(where.in_(sorted(full))))}
    bounded: dict[tuple[str, ...], dict[str, Any]] = {}
    room = {name: MOST_FINDINGS - counted.get(name, 0) for name in full}
    for key, row in rows.items():
        name = key[:3]
        if name not in full or key in known:
            bounded[key] = row
        elif room[name] > 0:
            room[name] -= 1
            bounded[key] = row
        else:
            summed = (*key[:4], MANY, "")
            so_far = bounded.get(summed, {"count": 0})["count"]
            bounded[summed] = {**row, "path": MANY, "detail": "", "count": so_far + row["count"]}
    return bounded


def _add(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    module = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = module.insert(drift)
    latest = ("last_seen", "example", "event_id", "action")
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_KEYS),
            set_={
                "count": drift.c.count + statement.excluded.count,
                **{name: statement.excluded[name] for name in latest},
            },
        ),
        list(rows),
    )


def listing(connection: Connection, *, environment: str) -> list[Mapping[str, Any]]:
    """List every finding of an environment, what was seen last at first."""
    statement = select(drift).where(drift.c.environment == environment)
    rows = connection.execute(statement.order_by(drift.c.last_seen.desc(), drift.c.schema, drift.c.path))
    return [dict(row._mapping) for row in rows]
