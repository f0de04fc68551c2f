"""Which thing stands above which: the way up, moves that make no circle, and look-ups of what is above."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import Connection, select

from hub.errors import Conflict
from hub.store import things
from hub.store.committer import Transaction
from hub.store.thing_tables import parents
from hub.store.things import By

#: So many things may stand above one another; more is no group of companies, but a mistake.
MOST_LEVELS = 32
#: So many names are asked for at once.
_PORTION = 500


class Above(StrEnum):
    """Whose id is wanted: that of the thing straight above, or of the topmost one (the thing itself, if none is)."""

    PARENT = "parent"
    TOP = "top"


def way_up(connection: Connection, *, environment: str, entity: str, thing: str) -> list[str]:
    """Give the things above one, the nearest first."""
    found: list[str] = []
    above = things.parent_of(connection, environment=environment, entity=entity, thing=thing)
    while above is not None and len(found) < 2 * MOST_LEVELS:
        found.append(above)
        above = things.parent_of(connection, environment=environment, entity=entity, thing=above)
    return found


def levels_below(connection: Connection, *, environment: str, entity: str, thing: str) -> int:
    """Count how many things stand below one another under a thing, on the longest way."""
    here = (parents.c.environment == environment, parents.c.entity == entity)
    level, count = [thing], 0
    while level and count <= MOST_LEVELS:
        below: list[str] = []
        for start in range(0, len(level), _PORTION):
            some = parents.c.parent.in_(level[start : start + _PORTION])
            below += connection.execute(select(parents.c.thing).where(*here, some)).scalars()
        level = below
        count += bool(below)
    return count


def move(transaction: Transaction, by: By, thing: str, parent: str | None) -> list[str]:
    """Put a thing, with all that is below it, under another one or (None) under none; gives the topics that changed.

    Raises `Conflict` for a circle, and for a tree that would be too deep. Where it stands so already, nothing changes.
    """
    connection, of = transaction.connection, {"environment": by.environment, "entity": by.entity}
    was = things.parent_of(connection, **of, thing=thing)
    if was == parent:
        return []
    before = way_up(connection, **of, thing=thing)
    if parent is not None:
        above = [parent, *way_up(connection, **of, thing=parent)]
        if thing in above:
            raise Conflict(
                f"It would stand above itself: {_way([thing, *above[: above.index(thing) + 1]])}. "
                "Move the one in between first.",
                code="hierarchy-circle",
                thing=thing,
                parent=parent,
            )
        assert_shallow(len(above) + 1 + levels_below(connection, **of, thing=thing), thing)
    things.set_parent(transaction, by, thing, parent, was)
    # Whoever waits below it waits for what was above it until now, or for itself where that was nothing.
    return [things.thing_topic(**of, thing=each) for each in (thing, *before)]


def assert_shallow(levels: int, thing: str) -> None:
    """Raise `Conflict` where so many things would stand above one another that it must be a mistake."""
    if levels > MOST_LEVELS:
        raise Conflict(
            f"More than {MOST_LEVELS} things would stand above one another.", code="hierarchy-too-deep", thing=thing
        )


def find_above(
    connection: Connection, *, environment: str, entity: str, system: str, id: str, want: str, above: Above
) -> tuple[str | None, str]:
    """Give the id in the system `want` of what stands above what `system` calls `id`, and what it hangs on.

    That is the topic of which to wait where there is no such id (yet).
    """
    of = {"environment": environment, "entity": entity}
    thing = things.named(connection, **of, system=system, id=id)
    if thing is None:
        return None, things.id_topic(**of, system=system, id=id, want=system)
    whose: str | None
    if above is Above.PARENT:
        whose = things.parent_of(connection, **of, thing=thing)
    else:
        whose = [thing, *way_up(connection, **of, thing=thing)][-1]
    if whose is None:
        return None, things.thing_topic(**of, thing=thing)
    found = next((tie.id for tie in things.ids_of(connection, **of, thing=whose) if tie.system == want), None)
    return found, things.thing_topic(**of, thing=whose)


def _way(names: list[str]) -> str:
    return " below ".join(names)
