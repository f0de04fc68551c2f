"""Keys that more things have than people could be asked about: placeholders, told of once and then passed over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.model.ambient import of_micros
from hub.store import marks
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.control_tables import marks as table
from hub.store.thing_tables import match_keys
from hub.store.things import By

#: A key that more things have tells nothing of itself: it is a placeholder, or nobody could say which of them is meant.
MOST_ALIKE = 20
_MARK = "shared-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedKey:
    """A key (its name in a policy) whose value too many things have; `records` is how many records have it now.

    `system` and `id` name the record with which it became too many: its fields show the value.
    """

    entity: str
    policy: str
    key: str
    system: str
    id: str
    records: int
    found_at: datetime


def tell(transaction: Transaction, by: By, *, policy: str, key: str, hash: str, record: tuple[str, str]) -> None:
    """Write down that too many have a value of a key; who was told of it before is not told again."""
    name = f"{_MARK}:{by.environment}:{by.entity}:{hash}"
    if marks.get(transaction.connection, name) is not None:
        return
    of = {"entity": by.entity, "policy": policy, "key": key, "hash": hash, "system": record[0], "id": record[1]}
    marks.put(transaction, name, of)
    subjects = {} if by.run_id is None else {"run": by.run_id}
    facts: dict[str, Fact] = {"entity": by.entity, "policy": policy}
    transaction.entries.append(
        Note(kind=AuditKind.DUPLICATE_KEY_SHARED, actor=by.actor, subjects=subjects, facts=facts)
    )


def listing(connection: Connection, environment: str) -> tuple[SharedKey, ...]:
    """Give the keys that people were told of, the newest first, with how many records have each by now.

    What few have again is left out: by that nobody is passed over any more.
    """
    named = table.c.name.startswith(f"{_MARK}:{environment}:", autoescape=True)
    found = []
    for name, at in connection.execute(select(table.c.name, table.c.at).where(named).order_by(table.c.at.desc())):
        mark = marks.get(connection, name)
        assert mark is not None
        of = dict(mark[0])
        here = (match_keys.c.environment == environment, match_keys.c.entity == of["entity"])
        having = select(func.count()).select_from(match_keys).where(*here, match_keys.c.hash == of.pop("hash"))
        records = connection.execute(having).scalar_one()
        if records > MOST_ALIKE:
            found.append(SharedKey(**of, records=records, found_at=of_micros(at)))
    return tuple(found)
