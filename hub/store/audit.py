"""The audit log in the database: appended in the transaction of the change it tells of, read back for verifying."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping, Sequence
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Self

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from hub.audit.chain import ChainHead, Link, chain_hash
from hub.audit.entry import Fact, assert_plain, leaf, shown
from hub.audit.kinds import AuditKind
from hub.audit.merkle import leaf_hash
from hub.model.ambient import of_micros
from hub.store import statements
from hub.store.statements import Formed
from hub.store.tables import audit, audit_heads


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What a change wants to have audited; the committer gives it its place and time in the log."""

    kind: AuditKind
    actor: str
    subjects: Mapping[str, str] = msgspec.field(default_factory=dict)
    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse, where the note is made, what must not stand in a log that is never erased."""
        assert_plain(self.kind, self.actor, self.subjects, self.facts)


def bound(text: str) -> str | None:
    """Bind what a person wrote to the log without telling it (SHA-256); the text itself stands in a row.

    People name people in it, and the log is never erased. None of an empty text.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else None


class ChainWriter:
    """Appends to one committer's log; a new value is used only when its transaction was committed."""

    def __init__(self, head: ChainHead) -> None:
        """Continue after this head."""
        self.head = head

    @classmethod
    def load(cls, connection: Connection, log: str) -> Self:
        """Find where the log ends, or begin it."""
        row = connection.execute(select(audit_heads).where(audit_heads.c.chain == log)).one_or_none()
        if row is None:
            connection.execute(insert(audit_heads), {"chain": log, "size": 0, "chain_hash": ChainHead(log=log).chain})
            return cls(ChainHead(log=log))
        return cls(ChainHead(log=log, size=row.size, chain=row.chain_hash))

    def append(self, connection: Connection, notes: Sequence[Note], now: int) -> ChainWriter:
        """Write the notes as entries, and the log's new end."""
        after = self.entered(connection, notes, now)
        if notes:
            head = after.head
            _MOVE_HEAD(connection, log=head.log, size=head.size, chain_hash=head.chain)
        return after

    def entered(self, connection: Connection, notes: Sequence[Note], now: int) -> ChainWriter:
        """Write the notes as entries, and leave the log's new end to the caller, who writes it with the commit."""
        if not notes:
            return self
        log, sequence, chain, at = self.head.log, self.head.size, self.head.chain, shown(of_micros(now))
        rows = []
        for note in notes:
            sequence += 1
            entry = leaf(log, sequence, at, note.kind, note.actor, note.subjects, note.facts)
            chain = chain_hash(chain, leaf_hash(entry))
            rows.append(
                {
                    "chain": log,
                    "sequence": sequence,
                    "kind": note.kind.value,
                    "at": now,
                    "entry": entry,
                    "chain_hash": chain,
                }
            )
        statements.insert(connection, audit, rows)
        return ChainWriter(ChainHead(log=log, size=sequence, chain=chain))


_MOVE_HEAD = Formed(
    update(audit_heads)
    .where(audit_heads.c.chain == bindparam("log"))
    .values(size=bindparam("size"), chain_hash=bindparam("chain_hash"))
)


def logs(connection: Connection) -> list[ChainHead]:
    """Give the end of every log."""
    rows = connection.execute(select(audit_heads).order_by(audit_heads.c.chain))
    return [ChainHead(log=row.chain, size=row.size, chain=row.chain_hash) for row in rows]


def entries(connection: Connection, log: str) -> Generator[Link]:
    """Give a log's entries in the order of their numbers, as they are stored."""
    return entries_after(connection, log, 0)


def entries_after(connection: Connection, log: str, sequence: int) -> Generator[Link]:
    """Give the entries whose number is above `sequence`, in order; who does not take all of them closes it."""
    statement = select(audit).where(audit.c.chain == log, audit.c.sequence > sequence).order_by(audit.c.sequence)
    with connection.execute(statement.execution_options(yield_per=1000)) as rows:
        for row in rows:
            yield Link(sequence=row.sequence, leaf=row.entry, chain=row.chain_hash)


def recent(
    connection: Connection, *, limit: int, before: Mapping[str, int] | None = None
) -> list[Mapping[str, object]]:
    """List the newest entries of all logs, newest first; of each log from before the number that `before` says.

    In one log they stand in their order, whatever a clock has shown.
    """
    columns = (audit.c.chain, audit.c.sequence, audit.c.kind, audit.c.at, audit.c.entry)
    of_logs = []
    for head in logs(connection):
        end = (before or {}).get(head.log, head.size + 1)
        statement = select(*columns).where(audit.c.chain == head.log, audit.c.sequence < end)
        rows = connection.execute(statement.order_by(audit.c.sequence.desc()).limit(limit))
        of_logs.append([dict(row._mapping) for row in rows])
    return list(islice(merge(*of_logs, key=itemgetter("at"), reverse=True), limit))
