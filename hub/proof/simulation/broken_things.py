"""Ways in which a hub may be wrong about what is one: keys, aliases, merges, splits, and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, delete, select

from hub.engine.journal import Journal
from hub.errors import HubError, PossibleDuplicate
from hub.model.thing import What
from hub.store import matches, things
from hub.store.committer import Transaction, Work, whole
from hub.store.matches import Match, Matched
from hub.store.statements import Formed
from hub.store.tables import crossrefs
from hub.store.things import By, Tie

# What the hub itself does, which a wrong way goes on with.
_match, _compare, _move_ids, _keep = Journal.match, matches.compare, things.move_ids, things.keep
_here, _there = crossrefs.alias("here"), crossrefs.alias("there")


class _Seen(HubError):
    """Carries what a look has found out of the transaction in which it changed nothing."""

    code = "seen"

    def __init__(self, found: Matched | PossibleDuplicate) -> None:
        super().__init__("")
        self.found = found


async def compared_before(self: Journal, match: Match) -> Matched:
    """Look first whether there is another one, and write the keys down in a transaction after that."""

    def look(transaction: Transaction) -> None:
        with whole(transaction):
            raise _Seen(_compare(transaction, match)[0])

    def write(transaction: Transaction) -> Matched:
        of = {"environment": match.by.environment, "entity": match.by.entity}
        thing = things.named(transaction.connection, **of, system=match.system, id=match.id)
        if thing is None:
            thing = match.thing
            matches.introduce(transaction, match.by, match.system, match.id, thing)
        matches._write(transaction, match)
        return Matched(thing=thing, known=True)

    try:
        await self._committer.commit(Work(look))
    except _Seen as seen:
        if isinstance(seen.found, Matched) and not seen.found.merged:
            matched: Matched = await self._committer.commit(Work(write))
            return matched
    return await _match(self, match)


#: Asks for the thing by its primary ids alone.
BY_PRIMARY_IDS = Formed(
    select(_there.c.id).where(
        _here.c.environment == bindparam("environment"),
        _here.c.entity == bindparam("entity"),
        _here.c.system == bindparam("system"),
        _here.c.id == bindparam("id"),
        _here.c.rank == 0,
        _there.c.environment == _here.c.environment,
        _there.c.entity == _here.c.entity,
        _there.c.thing == _here.c.thing,
        _there.c.system == bindparam("want"),
        _there.c.rank == 0,
    )
)


def without_the_last(
    transaction: Transaction, by: By, ties: Sequence[Tie], into: str, what: What, *, standing: Sequence[Tie] = ()
) -> list[Tie]:
    """Forget the last id of what is merged."""
    found = _move_ids(transaction, by, ties, into, what, standing=standing)
    if what is What.MERGED:
        transaction.connection.execute(delete(crossrefs).where(*things.at(found.pop())))
    return found


def words_forgotten(transaction: Transaction, by: By, rows: Sequence[Any]) -> None:
    """Write down of a merge only what came first."""
    _keep(transaction, by, rows[:1] if rows and rows[0]["what"] == What.MERGED else rows)


def said_of_things(transaction: Transaction, match: Match) -> tuple[Matched | PossibleDuplicate, list[str]]:
    """Take what agrees in any key for the same, and ask nobody."""
    return _compare(transaction, replace(match, keys=[replace(key, same=True) for key in match.keys]))
