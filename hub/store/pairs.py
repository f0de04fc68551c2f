"""Pairs of records that may be about one thing, and what people have said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, select, update

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.model.thing import PairState
from hub.sdk import exact_json
from hub.store import things
from hub.store.audit import Note, bound
from hub.store.committer import Transaction
from hub.store.statements import insert
from hub.store.tables import crossrefs
from hub.store.thing_tables import match_pairs
from hub.store.things import By

Row = Mapping[str, Any]


def name_of(by: By, record: tuple[str, str], other: tuple[str, str]) -> str:
    """Name a pair of records (each by its system and id): the same, whichever of them comes first."""
    one, two = sorted((record, other))
    named = exact_json.dumps([by.environment, by.entity, *one, *two])
    return f"pair_{hashlib.sha256(named).hexdigest()[:24]}"


def find(connection: Connection, environment: str, pair: str) -> Row | None:
    """Give a pair's row."""
    row = connection.execute(
        select(match_pairs).where(match_pairs.c.environment == environment, match_pairs.c.pair == pair)
    ).one_or_none()
    return None if row is None else dict(row._mapping)


_ones, _others = crossrefs.alias("ones"), crossrefs.alias("others")


def _same_record(tie: Any, system: Any, id: Any) -> ColumnElement[bool]:
    here = and_(tie.c.environment == match_pairs.c.environment, tie.c.entity == match_pairs.c.entity)
    return and_(here, tie.c.system == system, tie.c.id == id)


#: The pairs of a thing with another one, by what their records name now.
_BETWEEN = (
    select(match_pairs, _ones.c.thing.label("thing"), _others.c.thing.label("other_thing"))
    .join(_ones, _same_record(_ones, match_pairs.c.system, match_pairs.c.id))
    .join(_others, _same_record(_others, match_pairs.c.other_system, match_pairs.c.other_id))
    .where(
        *(
            condition
            for table in (match_pairs, _ones, _others)
            for condition in (table.c.environment == bindparam("environment"), table.c.entity == bindparam("entity"))
        )
    )
)


def between(connection: Connection, *, environment: str, entity: str, thing: str, others: Iterable[str]) -> list[Row]:
    """Give the pairs of records of which one names a thing, and one any of the others; with the things they name."""
    some = sorted(set(others))
    if not some:
        return []
    one = and_(_ones.c.thing == thing, _others.c.thing.in_(some))
    two = and_(_others.c.thing == thing, _ones.c.thing.in_(some))
    given = {"environment": environment, "entity": entity}
    # Either way begins with the ids of the one thing; one statement for both would read all pairs.
    found = [dict(row._mapping) for each in (one, two) for row in connection.execute(_BETWEEN.where(each), given)]
    return list({row["pair"]: row for row in found}.values())


def of_thing(connection: Connection, *, environment: str, entity: str, thing: str) -> list[Row]:
    """Give all pairs of which one record names a thing, with the things they name now."""
    given = {"environment": environment, "entity": entity}
    found = [
        dict(row._mapping)
        for each in (_ones.c.thing == thing, _others.c.thing == thing)
        for row in connection.execute(_BETWEEN.where(each), given)
    ]
    return sorted({row["pair"]: row for row in found}.values(), key=lambda row: (row["found_at"], row["pair"]))


def open_pair(
    transaction: Transaction,
    by: By,
    *,
    policy: str,
    record: tuple[str, str],
    other: tuple[str, str],
    keys: Sequence[str],
) -> str:
    """Write down that two records may be about one thing; gives the pair's name. The first one waits for a person."""
    pair = name_of(by, record, other)
    known = transaction.connection.execute(
        select(match_pairs.c.pair).where(match_pairs.c.pair == pair)
    ).scalar_one_or_none()
    said = exact_json.dumps(list(keys)).decode()
    if known is not None:
        # It was asked before of ids that have named one thing since, or none; now it is asked anew.
        fresh = {"state": PairState.OPEN.value, "keys": said, "policy": policy, "found_at": transaction.now}
        fresh |= {"run_id": by.run_id, "path": by.path, "change": None}
        fresh |= {"decided_at": None, "decided_by": None, "reason": None}
        fresh |= {"system": record[0], "id": record[1], "other_system": other[0], "other_id": other[1]}
        transaction.connection.execute(update(match_pairs).where(match_pairs.c.pair == pair).values(**fresh))
        _note_found(transaction, by, pair, policy, keys)
        return pair
    row = {
        "pair": pair,
        "environment": by.environment,
        "entity": by.entity,
        "policy": policy,
        "system": record[0],
        "id": record[1],
        "other_system": other[0],
        "other_id": other[1],
        "keys": said,
        "state": PairState.OPEN.value,
        "run_id": by.run_id,
        "path": by.path,
        "found_at": transaction.now,
    }
    insert(transaction.connection, match_pairs, [row])
    _note_found(transaction, by, pair, policy, keys)
    return pair


def _note_found(transaction: Transaction, by: By, pair: str, policy: str, keys: Sequence[str]) -> None:
    subjects = {"pair": pair} if by.run_id is None else {"pair": pair, "run": by.run_id}
    facts: dict[str, Fact] = {"entity": by.entity, "policy": policy, "keys": len(keys)}
    note = Note(kind=AuditKind.DUPLICATE_FOUND, actor=by.actor, subjects=subjects, facts=facts)
    transaction.entries.append(note)


def agree(transaction: Transaction, by: By, thing: str, other: str) -> None:
    """Settle every pair between two things that become one."""
    _decide(transaction, by, _names(transaction, by, thing, other), PairState.SAME)


def disagree(transaction: Transaction, by: By, thing: str, other: str) -> None:
    """Say of every pair between two things, and of those that a merge has settled, that they are different."""
    settled: Iterable[str] = ()
    if by.change is not None:
        settled = transaction.connection.execute(
            select(match_pairs.c.pair).where(match_pairs.c.change == by.change)
        ).scalars()
    _decide(transaction, by, {*_names(transaction, by, thing, other), *settled}, PairState.DIFFERENT)


def _names(transaction: Transaction, by: By, thing: str, other: str) -> set[str]:
    of = {"environment": by.environment, "entity": by.entity}
    return {row["pair"] for row in between(transaction.connection, **of, thing=thing, others=[other])}


def _decide(transaction: Transaction, by: By, names: Iterable[str], state: PairState) -> None:
    for pair in sorted(set(names)):
        said = {"state": state.value, "decided_at": transaction.now, "decided_by": by.actor, "reason": by.reason}
        change = by.change if state is PairState.SAME else None
        changed = transaction.connection.execute(
            update(match_pairs).where(match_pairs.c.pair == pair).values(**said, change=change)
        )
        if changed.rowcount:
            facts = {"entity": by.entity, "said": state.value, "reason": bound(by.reason or "")}
            note = Note(kind=AuditKind.DUPLICATE_DECIDED, actor=by.actor, subjects={"pair": pair}, facts=facts)
            transaction.entries.append(note)


def waiting(connection: Connection, environment: str, *, entity: str | None, state: PairState, limit: int) -> list[Row]:
    """List pairs in a state, the oldest first, of what is open; of what is decided the newest first."""
    statement = select(match_pairs).where(match_pairs.c.environment == environment, match_pairs.c.state == state.value)
    if entity is not None:
        statement = statement.where(match_pairs.c.entity == entity)
    order = match_pairs.c.found_at if state is PairState.OPEN else match_pairs.c.decided_at.desc()
    rows = connection.execute(statement.order_by(order, match_pairs.c.pair).limit(limit))
    return [dict(row._mapping) for row in rows]


def count(connection: Connection, environment: str, state: PairState, *, entity: str | None = None) -> int:
    """Count the pairs in a state, of all kinds or of one."""
    here = [match_pairs.c.environment == environment, match_pairs.c.state == state.value]
    if entity is not None:
        here.append(match_pairs.c.entity == entity)
    return connection.execute(select(func.count()).select_from(match_pairs).where(*here)).scalar_one()


def of_ids(pair: Row) -> tuple[tuple[str, str], tuple[str, str]]:
    """Give the two records of a pair by their system and id: the one that waits, and the one that was there."""
    return (pair["system"], pair["id"]), (pair["other_system"], pair["other_id"])


def things_of(connection: Connection, pair: Row) -> tuple[str | None, str | None]:
    """Give the things that the records of a pair name now; None for one that is tied to nothing any more."""
    of = {"environment": pair["environment"], "entity": pair["entity"]}
    one, other = (things.named(connection, **of, system=system, id=id) for system, id in of_ids(pair))
    return one, other
