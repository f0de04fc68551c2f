"""Crossrefs: ids of several systems that name one thing, and the look-ups over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from hub.audit.kinds import AuditKind
from hub.errors import FixData
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.statements import Formed, upsert
from hub.store.tables import crossrefs


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Ids of one thing: system → id; `thing` names a new one, `replace` lets a person change a system's id.

    `line` is the run that ties them and those that it replays, the newest first, and `path` its step: what they have
    tied there, and nobody else has, they may tie otherwise.
    """

    environment: str
    entity: str
    ids: Mapping[str, str]
    thing: str
    actor: str
    replace: bool = False
    line: Sequence[str] = ()
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Take back what the runs of a line have tied in one step, as far as nobody else has tied it since."""

    line: Sequence[str]
    path: str
    actor: str


class _Tie(NamedTuple):
    """A row: the id of a thing in one system, and who has tied it."""

    environment: str
    entity: str
    system: str
    id: str
    thing: str
    run_id: str | None
    path: str | None


_TIE = select(*(crossrefs.c[name] for name in _Tie._fields))
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
    unless the link says `replace`, or it is the link's own line that has tied it so.
    """
    connection = transaction.connection
    of = (crossrefs.c.environment == link.environment, crossrefs.c.entity == link.entity)
    ids = (crossrefs.c.system.in_(list(link.ids)), crossrefs.c.id.in_(list(link.ids.values())))
    named = [_Tie(*row) for row in connection.execute(_TIE.where(*of, *ids))]
    rows = [row for row in named if link.ids[row.system] == row.id]
    things = {row.thing for row in rows}
    if len(things) > 1 and not link.replace:
        raise FixData("The ids already name different things.", code="crossref-conflict", **dict(link.ids))
    thing = min(things) if things else link.thing
    standing = [_Tie(*row) for row in connection.execute(_TIE.where(*of, crossrefs.c.thing == thing))]
    known = {row.system: row.id for row in standing}
    others = [row for row in standing if link.ids.get(row.system, row.id) != row.id]
    if not link.replace and not all(_is_own(row, link) for row in others):
        other = {row.system: link.ids[row.system] for row in others}
        raise FixData("The thing has another id in this system.", code="crossref-conflict", **other)
    elsewhere = [row for row in rows if row.thing != thing]
    _remove(transaction, [*others, *elsewhere], actor=link.actor)
    _confirm(connection, link, [row for row in rows if row.thing == thing])
    new = {row.system: link.ids[row.system] for row in others}
    new.update({system: id for system, id in link.ids.items() if system not in known})
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
                "run_id": link.line[0] if link.line else None,
                "path": link.path,
            }
            for system, id in new.items()
        ],
        keys=("environment", "entity", "system", "id"),
        change=(),
    )
    if new:
        _tell(transaction, AuditKind.CROSSREF_LINKED, link.actor, link.entity, thing, new)
    every = {**known, **link.ids}
    return [
        topic(environment=link.environment, entity=link.entity, system=system, id=id, want=want)
        for system, id in every.items()
        for want in every
        if want != system and (want in new or system in new)
    ]


def undo(transaction: Transaction, unlink: Unlink) -> None:
    """Take back what runs have tied; what was there before them, or what others have tied too, stays."""
    of = (crossrefs.c.run_id.in_(unlink.line), crossrefs.c.path == unlink.path)
    rows = [_Tie(*row) for row in transaction.connection.execute(_TIE.where(*of))]
    _remove(transaction, rows, actor=unlink.actor)


def _is_own(row: _Tie, link: Link) -> bool:
    return row.run_id is not None and row.run_id in link.line and row.path == link.path


def _confirm(connection: Connection, link: Link, rows: Iterable[_Tie]) -> None:
    """What somebody else ties too is nobody's alone any more, and is not taken back."""
    for row in rows:
        if row.run_id is not None and row.run_id not in link.line:
            connection.execute(update(crossrefs).where(*_at(row)).values(run_id=None, path=None))


def _remove(transaction: Transaction, rows: Sequence[_Tie], *, actor: str) -> None:
    for row in rows:
        transaction.connection.execute(delete(crossrefs).where(*_at(row)))
    for entity, thing in sorted({(row.entity, row.thing) for row in rows}):
        systems = [row.system for row in rows if (row.entity, row.thing) == (entity, thing)]
        _tell(transaction, AuditKind.CROSSREF_UNLINKED, actor, entity, thing, systems)


def _at(row: _Tie) -> Sequence[ColumnElement[bool]]:
    names = ("environment", "entity", "system", "id")
    return [crossrefs.c[name] == getattr(row, name) for name in names]


def _tell(
    transaction: Transaction, kind: AuditKind, actor: str, entity: str, thing: str, systems: Iterable[str]
) -> None:
    facts = {"entity": entity, "systems": ",".join(sorted(systems))}
    transaction.entries.append(Note(kind=kind, actor=actor, subjects={"thing": thing}, facts=facts))
