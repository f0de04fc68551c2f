"""Crossrefs: ids of several systems that name one thing, and the look-ups over them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, literal_column, select, update

from hub.audit.kinds import AuditKind
from hub.errors import FixData
from hub.model.thing import PairState, What
from hub.store import hierarchy, matches, merges, pairs, things
from hub.store.committer import Transaction, whole
from hub.store.statements import Formed, upsert
from hub.store.tables import crossrefs
from hub.store.things import TIES, By, Tie, at


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Ids of one thing: system → id; `thing` names a new one, `replace` lets a person change a system's id.

    `line` is the run that ties them and those that it replays, the newest first, and `path` its step: what they have
    tied there, and nobody else has, they may tie otherwise. With `places` the thing stands below that which `parent`
    (system and id) names, or below none; `parent_thing` names that one, should nothing be known of it.
    """

    environment: str
    entity: str
    ids: Mapping[str, str]
    thing: str
    actor: str
    replace: bool = False
    line: Sequence[str] = ()
    path: str | None = None
    places: bool = False
    parent: tuple[str, str] | None = None
    parent_thing: str = ""
    reason: str | None = None

    @property
    def by(self) -> By:
        """Say who ties them, and why."""
        return By(
            environment=self.environment,
            entity=self.entity,
            actor=self.actor,
            run_id=self.line[0] if self.line else None,
            path=self.path,
            reason=self.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlink:
    """Take back what the runs of a line have tied in one step, as far as nobody else has tied it since."""

    line: Sequence[str]
    path: str
    actor: str


_here, _there = crossrefs.alias("here"), crossrefs.alias("there")
_OF_KIND = ("environment", "entity")
#: Made once: it is asked for every document. First the thing, then its id: in a join, PostgreSQL goes through all ids
#: of one system for each of the other's as long as it has not counted the rows.
_FIND = Formed(
    select(_there.c.id).where(
        *(_there.c[name] == bindparam(name) for name in _OF_KIND),
        _there.c.thing
        == select(_here.c.thing)
        .where(
            *(_here.c[name] == bindparam(name) for name in _OF_KIND),
            _here.c.system == bindparam("system"),
            _here.c.id == bindparam("id"),
        )
        .scalar_subquery(),
        _there.c.system == bindparam("want"),
        # Written out: as a parameter it would be bound for every document.
        _there.c.rank == literal_column("0"),
    )
)


def topic(*, environment: str, entity: str, system: str, id: str, want: str) -> str:
    """Name what a run waits for when a crossref is missing."""
    return things.id_topic(environment=environment, entity=entity, system=system, id=id, want=want)


def find(connection: Connection, *, environment: str, entity: str, system: str, id: str, want: str) -> str | None:
    """Give the primary id in the system `want` of what `system` calls `id`, be that an alias or not."""
    found: str | None = _FIND.scalar(
        connection, environment=environment, entity=entity, system=system, id=id, want=want
    )
    return found


def put(transaction: Transaction, link: Link) -> list[str]:
    """Tie the ids together; gives the topics of what can now be found.

    An id that already names another thing, or a system whose id of this thing is another one, is refused as FixData
    unless the link says `replace`, or it is the link's own line that has tied it so. A thing of which nothing is known
    but ids that the link names is no other one: it becomes one with the others.
    """
    if not link.places:
        return _put(transaction, link)
    # Where it cannot stand where the link says, the ids are not tied either.
    with whole(transaction):
        return _put(transaction, link)


def _put(transaction: Transaction, link: Link) -> list[str]:
    connection, by = transaction.connection, link.by
    of = (crossrefs.c.environment == link.environment, crossrefs.c.entity == link.entity)
    ids = (crossrefs.c.system.in_(list(link.ids)), crossrefs.c.id.in_(list(link.ids.values())))
    found = [Tie(*row) for row in connection.execute(TIES.where(*of, *ids))]
    rows = [row for row in found if link.ids[row.system] == row.id]
    several = {row.thing for row in rows}
    bare: list[str] = []
    if len(several) > 1 and not link.replace:
        thing, bare = _one_of(transaction, link, several)
    else:
        thing = min(several) if several else link.thing
    standing = [Tie(*row) for row in connection.execute(TIES.where(*of, crossrefs.c.thing == thing))]
    given = {(row.system, row.id): row for row in standing}
    named = [(system, id) for system, id in link.ids.items() if (system, id) in given]
    others = [
        row
        for row in standing
        if row.rank == 0 and row.system in link.ids and (row.system, link.ids[row.system]) not in given
    ]
    if not link.replace and not all(_is_own(row, link) for row in others):
        other = {row.system: link.ids[row.system] for row in others}
        raise FixData("The thing has another id in this system.", code="crossref-conflict", **other)
    topics: list[str] = []
    with whole(transaction) if bare else contextlib.nullcontext():
        # Other ids take their places at once; what was there before would make aliases of them.
        things.untie_all(transaction, by, others)
        for gone in bare:
            topics += merges.absorb(transaction, by, into=thing, gone=gone)
    joined = {(row.system, row.id) for row in rows if row.thing in bare}
    if others and joined:
        topics += _in_their_places(transaction, by, thing, others, joined)
    elsewhere = [row for row in rows if row.thing != thing and row.thing not in bare]
    topics += things.remove(transaction, by, elsewhere) if elsewhere else []
    _confirm(connection, link, [row for row in rows if row.thing == thing])
    new = {system: id for system, id in link.ids.items() if (system, id) not in given and (system, id) not in joined}
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
                "run_id": by.run_id,
                "path": link.path,
                "rank": 0,
            }
            for system, id in new.items()
        ],
        keys=("environment", "entity", "system", "id"),
        change=(),
    )
    if new:
        told = [{"thing": thing, "what": What.TIED, "system": name, "id": id, "rank": 0} for name, id in new.items()]
        things.keep(transaction, by, told)
        things.tell(transaction, AuditKind.CROSSREF_LINKED, by, thing, systems=new)
        every = [row for row in standing if row not in others]
        every += [Tie(link.environment, link.entity, system, id, thing, None, None, 0) for system, id in new.items()]
        topics += things.topics_of(by, every, new=new.items())
    if link.replace:
        # A person says which id it is: an alias becomes the one that others are given.
        topics += [topic for key in named for topic in things.prefer(transaction, by, given[key])]
    return topics + _placed(transaction, link, thing)


def undo(transaction: Transaction, unlink: Unlink) -> list[str]:
    """Take back what runs have tied; what was there before them, or what others have tied too, stays.

    Gives the topics of what can be found otherwise since.
    """
    of = (crossrefs.c.run_id.in_(unlink.line), crossrefs.c.path == unlink.path)
    rows = [Tie(*row) for row in transaction.connection.execute(TIES.where(*of))]
    topics: list[str] = []
    for environment, entity in sorted({(row.environment, row.entity) for row in rows}):
        by = By(environment=environment, entity=entity, actor=unlink.actor, run_id=unlink.line[0], path=unlink.path)
        own = [row for row in rows if (row.environment, row.entity) == (environment, entity)]
        topics += things.remove(transaction, by, own)
    return topics


def untie(transaction: Transaction, by: By, system: str, id: str) -> list[str]:
    """Untie one id, as a person orders; gives the topics of what can be found otherwise since."""
    of = (crossrefs.c.environment == by.environment, crossrefs.c.entity == by.entity)
    row = transaction.connection.execute(TIES.where(*of, crossrefs.c.system == system, crossrefs.c.id == id)).first()
    if row is None:
        raise FixData("Nothing is tied to this id.", code="not-tied", system=system, id=id)
    return things.remove(transaction, by, [Tie(*row)])


def _one_of(transaction: Transaction, link: Link, several: Iterable[str]) -> tuple[str, list[str]]:
    """Give which of several things the others become one with, and those; `FixData` unless all they are is named."""
    connection, of = transaction.connection, {"environment": link.environment, "entity": link.entity}
    named = {(system, id) for system, id in link.ids.items()}
    more = [
        thing
        for thing in sorted(several)
        if not {(tie.system, tie.id) for tie in things.ids_of(connection, **of, thing=thing)} <= named
    ]
    into = more[0] if more else min(several)
    bare = sorted(set(several) - {into})
    said = [
        row
        for thing in bare
        for row in pairs.between(connection, **of, thing=thing, others=several)
        if row["state"] == PairState.DIFFERENT
    ]
    if len(more) > 1 or said:
        raise FixData("The ids already name different things.", code="crossref-conflict", **dict(link.ids))
    return into, bare


def _in_their_places(
    transaction: Transaction, by: By, thing: str, gone: Sequence[Tie], joined: set[tuple[str, str]]
) -> list[str]:
    """Give ids that came with another thing the places of those that are untied; aliases of these stood before them."""
    empty = {tie.system for tie in gone}
    here = things.ids_of(transaction.connection, environment=by.environment, entity=by.entity, thing=thing)
    return [
        topic
        for tie in here
        if tie.system in empty and (tie.system, tie.id) in joined
        for topic in things.prefer(transaction, by, tie)
    ]


def _placed(transaction: Transaction, link: Link, thing: str) -> list[str]:
    """Put the thing where the link says that it stands in the tree."""
    if not link.places:
        return []
    by = link.by
    if link.parent is None:
        return hierarchy.move(transaction, by, thing, None)
    system, id = link.parent
    of = {"environment": link.environment, "entity": link.entity}
    parent, topics = things.named(transaction.connection, **of, system=system, id=id), list[str]()
    if parent is None:
        parent = link.parent_thing
        topics = matches.introduce(transaction, by, system, id, parent)
    return topics + hierarchy.move(transaction, by, thing, parent)


def _is_own(row: Tie, link: Link) -> bool:
    return row.run_id is not None and row.run_id in link.line and row.path == link.path


def _confirm(connection: Connection, link: Link, rows: Iterable[Tie]) -> None:
    """What somebody else ties too is nobody's alone any more, and is not taken back."""
    for row in rows:
        if row.run_id is not None and row.run_id not in link.line:
            connection.execute(update(crossrefs).where(*at(row)).values(run_id=None, path=None))
