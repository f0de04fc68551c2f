"""Crossrefs: ids of several systems that name one thing, and the look-ups over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select, update

from hub.audit.kinds import AuditKind
from hub.errors import FixData
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.statements import Formed, upsert
from hub.store.tables import crossrefs


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Ids of one thing: system → id; `thing` names a new one, `replace` lets a person change a system's id."""

    environment: str
    entity: str
    ids: Mapping[str, str]
    thing: str
    actor: str
    replace: bool = False


_here, _there = crossrefs.alias("here"), crossrefs.alias("there")
#: Made once: it is asked for every document.
_FIND = Formed(
    select(_there.c.id).where(
        _here.c.environment == bindparam("environment"),
        _here.c.entity == bindparam("entity"),
        _here.c.system == bindparam("system"),
        _here.c.id == bindparam("id"),
        _there.c.environment == _here.c.environment,
        _there.c.entity == _here.c.entity,
        _there.c.thing == _here.c.thing,
        _there.c.system == bindparam("want"),
    )
)


def topic(*, environment: str, entity: str, system: str, id: str, want: str) -> str:
    """Name what a run waits for when a crossref is missing."""
    return f"crossref:{environment}:{entity}:{system}:{id}:{want}"


def find(connection: Connection, *, environment: str, entity: str, system: str, id: str, want: str) -> str | None:
    """Give the id in the system `want` of what `system` calls `id`."""
    found: str | None = _FIND.scalar(
        connection, environment=environment, entity=entity, system=system, id=id, want=want
    )
    return found


def put(transaction: Transaction, link: Link) -> list[str]:
    """Tie the ids together; gives the topics of what can now be found.

    An id that already names another thing, or a system whose id of this thing is another one, is refused as FixData
    unless the link says `replace`.
    """
    connection = transaction.connection
    rows = connection.execute(
        select(crossrefs).where(
            crossrefs.c.environment == link.environment,
            crossrefs.c.entity == link.entity,
            crossrefs.c.system.in_(list(link.ids)),
            crossrefs.c.id.in_(list(link.ids.values())),
        )
    ).all()
    things = {row.thing for row in rows if link.ids.get(row.system) == row.id}
    if len(things) > 1 and not link.replace:
        raise FixData("The ids already name different things.", code="crossref-conflict", **dict(link.ids))
    thing = min(things) if things else link.thing
    known = {
        row.system: row.id
        for row in connection.execute(
            select(crossrefs.c.system, crossrefs.c.id).where(
                crossrefs.c.environment == link.environment,
                crossrefs.c.entity == link.entity,
                crossrefs.c.thing == thing,
            )
        )
    }
    other = {system: id for system, id in link.ids.items() if system in known and known[system] != id}
    if other and not link.replace:
        raise FixData("The thing has another id in this system.", code="crossref-conflict", **other)
    for system, id in other.items():
        connection.execute(
            update(crossrefs)
            .where(
                crossrefs.c.environment == link.environment,
                crossrefs.c.entity == link.entity,
                crossrefs.c.thing == thing,
                crossrefs.c.system == system,
            )
            .values(id=id, updated_at=transaction.now)
        )
    new = {system: id for system, id in link.ids.items() if system not in known}
    upsert(
        connection,
        crossrefs,
        [
            {
                "environment": link.environment,
                "entity": link.entity,
                "system": system,
                "id": id,
                "thing": thing,
                "updated_at": transaction.now,
            }
            for system, id in new.items()
        ],
        keys=("environment", "entity", "system", "id"),
        change=("thing", "updated_at") if link.replace else (),
    )
    if new or other:
        transaction.entries.append(
            Note(
                kind=AuditKind.CROSSREF_LINKED,
                actor=link.actor,
                subjects={"thing": thing},
                facts={"entity": link.entity, "systems": ",".join(sorted({*new, *other}))},
            )
        )
    every = {**known, **link.ids}
    return [
        topic(environment=link.environment, entity=link.entity, system=system, id=id, want=want)
        for system, id in every.items()
        for want in every
        if want != system and (want in new or system in new or want in other)
    ]
