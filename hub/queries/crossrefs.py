"""Crossrefs looked up by a person: which ids, in which systems, name one thing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from hub.model.ambient import of_micros
from hub.queries.view import View
from hub.store.tables import crossrefs


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One thing of an entity (such as `customer`) with its id in each system that knows it.

    `aliases` are further ids that find it, of which none is given to others.
    """

    entity: str
    thing: str
    ids: tuple[tuple[str, str], ...]
    updated_at: datetime
    aliases: tuple[tuple[str, str], ...] = ()


def find(view: View, *, id: str | None = None, entity: str | None = None, limit: int = 50) -> tuple[Thing, ...]:
    """Find things by an exact id in any system, or the latest of an entity, with all of their ids."""
    named = select(crossrefs.c.entity, crossrefs.c.thing, func.max(crossrefs.c.updated_at).label("latest")).where(
        crossrefs.c.environment == view.environment
    )
    if id is not None:
        named = named.where(crossrefs.c.id == id)
    if entity is not None:
        named = named.where(crossrefs.c.entity == entity)
    chosen = (
        named.group_by(crossrefs.c.entity, crossrefs.c.thing)
        .order_by(func.max(crossrefs.c.updated_at).desc())
        .limit(limit)
        .subquery()
    )
    statement = (
        select(crossrefs)
        .join(chosen, (chosen.c.entity == crossrefs.c.entity) & (chosen.c.thing == crossrefs.c.thing))
        .where(crossrefs.c.environment == view.environment)
        .order_by(chosen.c.latest.desc(), crossrefs.c.thing, crossrefs.c.system, crossrefs.c.rank)
    )
    with view.database.reading() as connection:
        rows = connection.execute(statement).all()
    found: dict[tuple[str, str], list[tuple[str, str, int, int]]] = {}
    for row in rows:
        found.setdefault((row.entity, row.thing), []).append((row.system, row.id, row.updated_at, row.rank))
    return tuple(
        Thing(
            entity=name,
            thing=thing,
            ids=tuple((system, id_there) for system, id_there, _, rank in ids if rank == 0),
            updated_at=of_micros(max(at for _, _, at, _ in ids)),
            aliases=tuple((system, id_there) for system, id_there, _, rank in ids if rank > 0),
        )
        for (name, thing), ids in found.items()
    )


def entities(view: View) -> tuple[tuple[str, int], ...]:
    """Give the kinds of things that have crossrefs, with how many things there are of each."""
    statement = (
        select(crossrefs.c.entity, func.count(crossrefs.c.thing.distinct()))
        .where(crossrefs.c.environment == view.environment)
        .group_by(crossrefs.c.entity)
        .order_by(crossrefs.c.entity)
    )
    with view.database.reading() as connection:
        return tuple((name, number) for name, number in connection.execute(statement))
