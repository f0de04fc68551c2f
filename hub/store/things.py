"""Things of master data: their ids with everything that became of them, and two that become one and are split again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from hub.audit.kinds import AuditKind
from hub.model.thing import What
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.statements import Formed, insert
from hub.store.tables import crossrefs
from hub.store.thing_tables import parents, thing_history

#: A thing has no more ids than these in one change; what has more is no one thing.
MOST_IDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who changes things of one entity, in which run and step or for what reason; `change` names a merge."""

    environment: str
    entity: str
    actor: str
    run_id: str | None = None
    path: str | None = None
    reason: str | None = None
    change: str | None = None


class Tie(NamedTuple):
    """A row of the crossrefs: the id of a thing in one system, who has tied it, and its rank (0: the primary one)."""

    environment: str
    entity: str
    system: str
    id: str
    thing: str
    run_id: str | None
    path: str | None
    rank: int


TIES = select(*(crossrefs.c[name] for name in Tie._fields))
_OF = Formed(
    TIES.where(
        crossrefs.c.environment == bindparam("environment"),
        crossrefs.c.entity == bindparam("entity"),
        crossrefs.c.thing == bindparam("thing"),
    )
)
_NAMED = Formed(
    select(crossrefs.c.thing).where(
        crossrefs.c.environment == bindparam("environment"),
        crossrefs.c.entity == bindparam("entity"),
        crossrefs.c.system == bindparam("system"),
        crossrefs.c.id == bindparam("id"),
    )
)


def ids_of(connection: Connection, *, environment: str, entity: str, thing: str) -> list[Tie]:
    """Give every id of a thing, the primary ones first."""
    rows = _OF.rows(connection, environment=environment, entity=entity, thing=thing)
    return sorted((Tie(**row) for row in rows), key=lambda tie: (tie.rank, tie.system, tie.id))


def named(connection: Connection, *, environment: str, entity: str, system: str, id: str) -> str | None:
    """Give the thing that a system calls so, by whichever of its ids."""
    found: str | None = _NAMED.scalar(connection, environment=environment, entity=entity, system=system, id=id)
    return found


def id_topic(*, environment: str, entity: str, system: str, id: str, want: str) -> str:
    """Name what a run waits for when a crossref is missing."""
    return f"crossref:{environment}:{entity}:{system}:{id}:{want}"


def thing_topic(*, environment: str, entity: str, thing: str) -> str:
    """Name what a run waits for when something is missing of a thing that is known: an id, or its parent's."""
    return f"thing:{environment}:{entity}:{thing}"


def topics_of(by: By, ties: Sequence[Tie], *, new: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Give the topics of what can be found since these ids (system and id; without any: all) name one thing."""
    fresh = set(new) or {(tie.system, tie.id) for tie in ties}
    wants = {tie.system for tie in ties}
    wanted = {system for system, _ in fresh}
    at = {"environment": by.environment, "entity": by.entity}
    found = [
        id_topic(**at, system=tie.system, id=tie.id, want=want)
        for tie in ties
        for want in wants
        if (tie.system, tie.id) in fresh or want in wanted
    ]
    return [*found, *(thing_topic(**at, thing=thing) for thing in sorted({tie.thing for tie in ties}))]


def keep(transaction: Transaction, by: By, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write down what became of ids and places, in this order."""
    if not rows:
        return
    fixed = {
        "environment": by.environment,
        "entity": by.entity,
        "change": by.change,
        "at": transaction.now,
        "actor": by.actor,
        "run_id": by.run_id,
        "path": by.path,
        "reason": by.reason,
    }
    empty = dict.fromkeys(("system", "id", "rank", "was_rank", "other", "was"))
    positions = transaction.next_values("thing", len(rows))
    insert(
        transaction.connection,
        thing_history,
        [{"position": position, **fixed, **empty, **row} for position, row in zip(positions, rows, strict=True)],
    )


def tell(
    transaction: Transaction,
    kind: AuditKind,
    by: By,
    thing: str,
    *,
    systems: Iterable[str] = (),
    **facts: str | None,
) -> None:
    """Have it audited; what a person wrote is bound to the log and stands in the history."""
    said: dict[str, Any] = {"entity": by.entity, **{name: fact for name, fact in facts.items() if fact is not None}}
    if listed := sorted(set(systems)):
        said["systems"] = ",".join(listed)[:200]
    if by.reason:
        said["reason"] = bound(by.reason)
    if by.change:
        said["change"] = by.change
    transaction.entries.append(Note(kind=kind, actor=by.actor, subjects={"thing": thing}, facts=said))


def at(tie: Tie) -> list[ColumnElement[bool]]:
    """Name the row of an id."""
    names = ("environment", "entity", "system", "id")
    return [crossrefs.c[name] == getattr(tie, name) for name in names]


def remove(transaction: Transaction, by: By, ties: Sequence[Tie]) -> list[str]:
    """Untie ids; gives what can be found otherwise since, because an alias has taken the place of a primary id."""
    untie_all(transaction, by, ties)
    return [topic for thing in sorted({tie.thing for tie in ties}) for topic in fill(transaction, by, thing)]


def untie_all(transaction: Transaction, by: By, ties: Sequence[Tie]) -> None:
    """Untie ids in whose places others are tied at once."""
    for tie in ties:
        transaction.connection.execute(delete(crossrefs).where(*at(tie)))
    keep(
        transaction,
        by,
        [
            {"thing": tie.thing, "what": What.UNTIED, "system": tie.system, "id": tie.id, "was_rank": tie.rank}
            for tie in ties
        ],
    )
    for thing in sorted({tie.thing for tie in ties}):
        systems = {tie.system for tie in ties if tie.thing == thing}
        tell(transaction, AuditKind.CROSSREF_UNLINKED, by, thing, systems=systems)


def fill(transaction: Transaction, by: By, thing: str) -> list[str]:
    """Let the first alias of each system without a primary id take its place; a thing without ids has none in the tree.

    An alias names the same thing, so that any of them is right, and none at all would let runs wait.
    """
    standing = ids_of(transaction.connection, environment=by.environment, entity=by.entity, thing=thing)
    if not standing:
        _leave_tree(transaction, by, thing)
        return []
    primary = {tie.system for tie in standing if tie.rank == 0}
    first: dict[str, Tie] = {}
    for tie in standing:
        if tie.system not in primary:
            first.setdefault(tie.system, tie)
    rank(transaction, by, [(tie, 0) for tie in first.values()])
    return [] if not first else topics_of(by, standing, new=[(tie.system, tie.id) for tie in first.values()])


def rank(transaction: Transaction, by: By, ranks: Sequence[tuple[Tie, int]]) -> None:
    """Give ids of one thing another rank, one after the other: no two of a system have one at any time."""
    for tie, number in ranks:
        transaction.connection.execute(
            update(crossrefs).where(*at(tie)).values(rank=number, updated_at=transaction.now)
        )
    keep(
        transaction,
        by,
        [
            {
                "thing": tie.thing,
                "what": What.RANKED,
                "system": tie.system,
                "id": tie.id,
                "rank": number,
                "was_rank": tie.rank,
            }
            for tie, number in ranks
        ],
    )


def prefer(transaction: Transaction, by: By, tie: Tie) -> list[str]:
    """Make an alias the id that others are given for its thing; gives the topics of what can be found."""
    if tie.rank == 0:
        return []
    standing = ids_of(transaction.connection, environment=by.environment, entity=by.entity, thing=tie.thing)
    before = next((other for other in standing if other.system == tie.system and other.rank == 0), None)
    # The last one, and then those two change places.
    end = next_rank(standing, tie.system)
    rank(transaction, by, [*([] if before is None else [(before, end)]), (tie, 0)])
    tell(transaction, AuditKind.ID_PREFERRED, by, tie.thing, systems=[tie.system])
    return [thing_topic(environment=by.environment, entity=by.entity, thing=tie.thing)]


def next_rank(standing: Iterable[Tie], system: str) -> int:
    """Give the rank of a further id of a thing in one system."""
    return max((tie.rank + 1 for tie in standing if tie.system == system), default=0)


def move_ids(
    transaction: Transaction, by: By, ties: Sequence[Tie], into: str, what: What, *, standing: Sequence[Tie] = ()
) -> list[Tie]:
    """Let ids name another thing from here on, in this order: the first of a system becomes its primary one there.

    `standing` are the ids that the other thing has, behind which these are aliases. Gives all of its ids.
    """
    found, rows = list(standing), []
    for tie in ties:
        number = next_rank(found, tie.system)
        found.append(tie._replace(thing=into, rank=number, run_id=None, path=None))
        rows.append(
            {
                "thing": into,
                "what": what,
                "system": tie.system,
                "id": tie.id,
                "rank": number,
                "was_rank": tie.rank,
                "other": tie.thing,
            }
        )
        # It is nobody's alone any more: what a run has tied is not taken back behind a person's back.
        values = {"thing": into, "rank": number, "run_id": None, "path": None, "updated_at": transaction.now}
        transaction.connection.execute(update(crossrefs).where(*at(tie)).values(**values))
    keep(transaction, by, rows)
    return found


def parent_of(connection: Connection, *, environment: str, entity: str, thing: str) -> str | None:
    """Give the thing straight above another."""
    found: str | None = _PARENT.scalar(connection, environment=environment, entity=entity, thing=thing)
    return found


_HERE = (parents.c.environment == bindparam("environment"), parents.c.entity == bindparam("entity"))
_PARENT = Formed(select(parents.c.parent).where(*_HERE, parents.c.thing == bindparam("thing")))
_CHILDREN = Formed(
    select(parents.c.thing).where(*_HERE, parents.c.parent == bindparam("thing")).order_by(parents.c.thing)
)


def children_of(connection: Connection, *, environment: str, entity: str, thing: str) -> list[str]:
    """Give the things straight below another."""
    return [row["thing"] for row in _CHILDREN.rows(connection, environment=environment, entity=entity, thing=thing)]


def set_parent(transaction: Transaction, by: By, thing: str, parent: str | None, was: str | None) -> None:
    """Put a thing below another, or below none; whether that may be is the caller's question."""
    here = (parents.c.environment == by.environment, parents.c.entity == by.entity, parents.c.thing == thing)
    connection = transaction.connection
    if parent is None:
        connection.execute(delete(parents).where(*here))
    elif was is not None:
        connection.execute(update(parents).where(*here).values(parent=parent, updated_at=transaction.now))
    else:
        row = {"environment": by.environment, "entity": by.entity, "thing": thing, "parent": parent}
        insert(connection, parents, [row | {"updated_at": transaction.now}])
    keep(transaction, by, [{"thing": thing, "what": What.MOVED, "other": parent, "was": was}])
    tell(transaction, AuditKind.THING_MOVED, by, thing, parent=parent)


def _leave_tree(transaction: Transaction, by: By, thing: str) -> None:
    of = {"environment": by.environment, "entity": by.entity}
    above = parent_of(transaction.connection, **of, thing=thing)
    if above is not None:
        set_parent(transaction, by, thing, None, above)
    for child in children_of(transaction.connection, **of, thing=thing):
        set_parent(transaction, by, child, None, thing)


def history(connection: Connection, environment: str, *conditions: ColumnElement[bool]) -> list[dict[str, Any]]:
    """Give rows of the history in the order in which they were written."""
    statement = select(thing_history).where(thing_history.c.environment == environment, *conditions)
    return [dict(row._mapping) for row in connection.execute(statement.order_by(thing_history.c.position))]
