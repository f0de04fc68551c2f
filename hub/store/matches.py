"""Records compared by their keys with those of other things, in the transaction that makes the keys durable."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound, PossibleDuplicate
from hub.model.run import GOING_STATES, RunState
from hub.model.thing import PairState, What
from hub.sdk import exact_json
from hub.store import merges, pairs, shared_keys, things
from hub.store.committer import Transaction
from hub.store.statements import Formed, insert, upsert
from hub.store.tables import crossrefs, runs
from hub.store.thing_tables import match_keys, matched_records
from hub.store.things import By

#: So many records with the same key are looked at; some things have several.
_MOST_RECORDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A value of a key of a record; `same` says that whoever has it too is the same, without a person."""

    name: str
    value: str
    same: bool = False

    @property
    def hash(self) -> str:
        """Give what it is compared by: SHA-256 of its name and value."""
        return hashlib.sha256(exact_json.dumps([self.name, self.value])).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A record of a system (`system`, `id`) with its keys by a version of a policy, to be compared with all others.

    `thing` names a new thing, should nothing be known of the record, and `change` a merge, should it become one.
    """

    by: By
    policy: str
    version: int
    system: str
    id: str
    record: Any
    keys: Sequence[Key]
    thing: str
    change: str
    #: Whether it waits where another may be the same; people are told in any case.
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """The thing that a record is about, whether it was known before, and with what it became one just now."""

    thing: str
    known: bool
    merged: tuple[str, ...] = ()


def compare(transaction: Transaction, match: Match) -> tuple[Matched | PossibleDuplicate, list[str]]:
    """Write the record's keys down and compare them; gives also the topics of what can be found since.

    Where another thing may be the same and nobody has said whether it is, the one that comes second waits: the result
    is then `PossibleDuplicate`, and what was written stands.
    """
    by, connection = match.by, transaction.connection
    of = {"environment": by.environment, "entity": by.entity}
    thing = things.named(connection, **of, system=match.system, id=match.id)
    known, topics = thing is not None, []
    if thing is None:
        thing = match.thing
        topics = introduce(transaction, by, match.system, match.id, thing)
    _write(transaction, match)
    alike = _alike(transaction, match, thing)
    asked = pairs.between(connection, **of, thing=thing, others=alike)
    alike = {other: found for other, found in alike.items() if not _said_different(asked, other)}
    merged: list[str] = []
    sure = [other for other, found in alike.items() if found.sure]
    # Of what is still being written, nobody can look up yet where it is: a person is asked instead.
    rests = len(sure) == 1 and not under_way(transaction, by, sure[0])
    if rests and (woken := _merge(transaction, match, sure[0], thing, alike[sure[0]])) is not None:
        topics += woken
        merged, thing = [thing], sure[0]
        # What it may be beside that is asked of the thing that it is now.
        alike = {other: found for other, found in alike.items() if other != thing}
        asked = pairs.between(connection, **of, thing=thing, others=alike)
        alike = {other: found for other, found in alike.items() if not _said_different(asked, other)}
    waits = {other: found for other, found in alike.items() if not _is_before(asked, thing=thing, other=other)}
    if not waits:
        return Matched(thing=thing, known=known, merged=tuple(merged)), topics
    names = [
        pairs.open_pair(
            transaction,
            by,
            policy=match.policy,
            record=(match.system, match.id),
            other=found.record,
            keys=found.keys,
        )
        for other, found in sorted(waits.items())
        if not _is_asked(asked, thing=thing, other=other)
    ]
    names += [row["pair"] for row in asked if row["state"] == PairState.OPEN and _first(row, thing) in waits]
    if not match.waits:
        return Matched(thing=thing, known=known, merged=tuple(merged)), topics
    return _duplicate(match, thing, waits, sorted(set(names))), topics


def introduce(transaction: Transaction, by: By, system: str, id: str, thing: str) -> list[str]:
    """Write down that a system has such a thing, which no other has an id of yet; gives the topics.

    It is nobody's alone: what a run takes back of its own work, this is no part of.
    """
    row = {"environment": by.environment, "entity": by.entity, "system": system, "id": id, "thing": thing, "rank": 0}
    row |= {"updated_at": transaction.now, "run_id": None, "path": None}
    insert(transaction.connection, crossrefs, [row])
    things.keep(transaction, by, [{"thing": thing, "what": What.TIED, "system": system, "id": id, "rank": 0}])
    things.tell(transaction, AuditKind.CROSSREF_LINKED, by, thing, systems=[system])
    at = {"environment": by.environment, "entity": by.entity, "system": system, "id": id}
    return [things.id_topic(**at, want=system)]


_RECORD = ("environment", "entity", "system", "id")
_HERE = [column == bindparam(column.name) for column in (match_keys.c[name] for name in _RECORD)]
_KEYS = Formed(select(match_keys.c.hash).where(*_HERE))


def _write(transaction: Transaction, match: Match) -> None:
    connection, by = transaction.connection, match.by
    of = dict(zip(_RECORD, (by.environment, by.entity, match.system, match.id), strict=True))
    words: dict[str, list[str]] = {}
    for key in match.keys:
        words.setdefault(key.name, []).append(key.value)
    row = {
        **of,
        "policy": match.policy,
        "version": match.version,
        "record": exact_json.dumps(match.record).decode(),
        "keys": exact_json.dumps(words).decode(),
        "run_id": by.run_id,
        "path": by.path,
        "at": transaction.now,
        "pruned_at": None,
    }
    upsert(connection, matched_records, [row], keys=_RECORD, change=[name for name in row if name not in of])
    before = {row["hash"] for row in _KEYS.rows(connection, **of)}
    now = {key.hash: key for key in match.keys}
    gone = before - set(now)
    if gone:
        here = [match_keys.c[name] == value for name, value in of.items()]
        connection.execute(delete(match_keys).where(*here, match_keys.c.hash.in_(sorted(gone))))
    insert(
        connection,
        match_keys,
        [{**of, "hash": hash, "key": key.name} for hash, key in now.items() if hash not in before],
    )


@dataclass(slots=True, kw_only=True)
class _Alike:
    """Another thing that agrees in some keys: one of its records, the keys, and whether one of them is sure."""

    record: tuple[str, str]
    keys: list[str]
    sure: bool


_ALIKE = (
    select(match_keys.c.hash, match_keys.c.key, match_keys.c.system, match_keys.c.id, crossrefs.c.thing)
    .join(
        crossrefs,
        and_(
            crossrefs.c.environment == match_keys.c.environment,
            crossrefs.c.entity == match_keys.c.entity,
            crossrefs.c.system == match_keys.c.system,
            crossrefs.c.id == match_keys.c.id,
        ),
    )
    .order_by(match_keys.c.hash, match_keys.c.system, match_keys.c.id)
    .limit(_MOST_RECORDS + 1)
)


def _alike(transaction: Transaction, match: Match, thing: str) -> dict[str, _Alike]:
    """Give the other things that have one of the record's keys; one that too many have is told of and passed over."""
    by, sure = match.by, {key.hash for key in match.keys if key.same}
    found: dict[str, _Alike] = {}
    for hash, key in sorted({key.hash: key.name for key in match.keys}.items()):
        at: list[ColumnElement[bool]] = [
            match_keys.c.environment == by.environment,
            match_keys.c.entity == by.entity,
            match_keys.c.hash == hash,
            crossrefs.c.thing != thing,
        ]
        rows = transaction.connection.execute(_ALIKE.where(*at)).all()
        if len(rows) > _MOST_RECORDS or len({row.thing for row in rows}) > shared_keys.MOST_ALIKE:
            shared_keys.tell(transaction, by, policy=match.policy, key=key, hash=hash, record=(match.system, match.id))
            continue
        for row in rows:
            record = (row.system, row.id)
            other = found.setdefault(row.thing, _Alike(record=record, keys=[], sure=False))
            if row.key not in other.keys:
                other.keys.append(row.key)
            other.sure = other.sure or hash in sure
    return found


def _merge(transaction: Transaction, match: Match, into: str, thing: str, found: _Alike) -> list[str] | None:
    """Make the record's thing one with another by a key that is sure; None where a person has to see to it."""
    keys = ", ".join(found.keys)
    by = By(
        environment=match.by.environment,
        entity=match.by.entity,
        actor=match.by.actor,
        run_id=match.by.run_id,
        path=match.by.path,
        reason=f"{match.policy} version {match.version}: {keys}",
        change=match.change,
    )
    try:
        return merges.absorb(transaction, by, into=into, gone=thing)
    except Conflict:
        return None


def _first(row: Mapping[str, Any], thing: str) -> str:
    """Give the other thing of a pair."""
    return str(row["other_thing"] if row["thing"] == thing else row["thing"])


def _said_different(asked: Sequence[Mapping[str, Any]], other: str) -> bool:
    return any(row["state"] == PairState.DIFFERENT and other in (row["thing"], row["other_thing"]) for row in asked)


def _is_before(asked: Sequence[Mapping[str, Any]], *, thing: str, other: str) -> bool:
    """Tell whether it is the other one that came second and waits, so that this one goes on."""
    mine = any(row["state"] == PairState.OPEN and (row["thing"], row["other_thing"]) == (thing, other) for row in asked)
    its = any(row["state"] == PairState.OPEN and (row["thing"], row["other_thing"]) == (other, thing) for row in asked)
    return its and not mine


def _is_asked(asked: Sequence[Mapping[str, Any]], *, thing: str, other: str) -> bool:
    return any(row["state"] == PairState.OPEN and {row["thing"], row["other_thing"]} == {thing, other} for row in asked)


def _duplicate(match: Match, thing: str, waits: Mapping[str, _Alike], names: Sequence[str]) -> PossibleDuplicate:
    other = next(iter(sorted(waits)))
    record, keys = waits[other].record, ", ".join(waits[other].keys)
    more = "" if len(waits) == 1 else f", and {len(waits) - 1} more"
    return PossibleDuplicate(
        f"{match.system} {match.by.entity} {match.id} may be the same as {record[0]} {record[1]} (agree in: {keys})"
        f"{more}. Say whether they are; then replay the run.",
        pairs=", ".join(names[:10]),
        thing=thing,
        other=other,
        policy=match.policy,
    )


def under_way(transaction: Transaction, by: By, thing: str, *, stopped: bool = True) -> bool:
    """Tell whether a run that has compared a record of a thing is not over yet; one that has `stopped` is not either.

    What was made again counts by its newest run. One that waits for a word has made nothing.
    """
    connection = transaction.connection
    seen = (
        select(matched_records.c.run_id)
        .join(crossrefs, and_(*(crossrefs.c[name] == matched_records.c[name] for name in _RECORD)))
        .where(
            *(
                condition
                for table in (matched_records, crossrefs)
                for condition in (table.c.environment == by.environment, table.c.entity == by.entity)
            ),
            crossrefs.c.thing == thing,
            matched_records.c.run_id.is_not(None),
        )
    )
    waiting = over = False
    for run_id in connection.execute(seen).scalars().all():
        newest = run_id
        while (row := connection.execute(_STANDS, {"id": newest}).first()) is not None and row.replaced_by is not None:
            newest = row.replaced_by
        if row is None or newest == by.run_id:
            continue
        if row.state in GOING_STATES:
            return True
        # What a person has settled outside stays parked, and holds nobody up any more.
        if row.state == RunState.PARKED.value and row.blocking:
            if row.reason != PossibleDuplicate.code and stopped:
                return True
            waiting = True
        else:
            over = True
    # Where all of them wait for a word, none has made yet what the others would find.
    return stopped and waiting and not over


_STANDS = select(runs.c.state, runs.c.replaced_by, runs.c.blocking, runs.c.reason).where(runs.c.id == bindparam("id"))


def decide(
    transaction: Transaction,
    by: By,
    pair: str,
    state: PairState,
    *,
    keep: str | None = None,
    primary: Mapping[str, str] | None = None,
) -> tuple[str, list[str]]:
    """Say of two records whether they are about one thing; gives the thing that stays, and the topics.

    `keep` names which of the two things stays (the one that was there first otherwise), `primary` by system the id
    that others are given. `FixData` where that makes no sense, `Conflict` where it is so already, or what the records
    name has become one meanwhile.
    """
    row = pairs.find(transaction.connection, by.environment, pair)
    if row is None:
        raise NotFound("There is no such pair.", pair=pair)
    second, first = pairs.things_of(transaction.connection, row)
    if first is None or second is None:
        raise Conflict("One of the two ids is tied to nothing any more.", code="pair-gone", pair=pair)
    if state is PairState.DIFFERENT:
        if first == second:
            raise Conflict("They are one thing by now; split it first.", code="one-thing", pair=pair, thing=first)
        pairs.disagree(transaction, by, first, second)
        return second, []
    if first == second:
        raise Conflict("They are one thing already.", code="one-thing", pair=pair, thing=first)
    if keep is not None and keep not in (first, second):
        raise FixData("It is one of the two that stays.", code="not-of-the-pair", keep=keep)
    for each, stopped in ((first, True), (second, False)):
        if under_way(transaction, by, each, stopped=stopped):
            raise Conflict(
                "A run of one of them is still under way, or has stopped half-way. Let it come to its end first: then "
                "the other one finds what it has made, and does not make the same again.",
                code="run-under-way",
                thing=each,
            )
    into = keep or first
    gone = second if into == first else first
    return into, merges.absorb(transaction, by, into=into, gone=gone, primary=primary)
