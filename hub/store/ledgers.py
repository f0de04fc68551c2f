"""Ledgers of accounts that several processes use: one mark for each, changed under its row's lock, and by nobody else.

They are written beside the committer and not by it: nothing of them is audited or joined with other changes, and
whoever waits for a place must not wait for a group, nor make it wait. What an exchange did is known from its number, so
that a commit that nobody confirmed is asked about by sending the same again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from hub.store.control_tables import marks
from hub.store.process_tables import CLOCK

_NOW = select(literal_column(CLOCK, BigInteger))


def lock(connection: Connection, *, environment: str, name: str) -> bytes | None:
    """Give an account's ledger as it was kept, and let nobody else have it before the transaction's end."""
    mark = _name(environment, name)
    standing = select(marks.c.value).where(marks.c.name == mark).with_for_update()
    found = connection.execute(standing).scalar()
    if found is None:
        connection.execute(insert(marks).values(name=mark, value="", at=0).on_conflict_do_nothing())
        found = connection.execute(standing).scalar()
    return found.encode() if found else None


def now(connection: Connection) -> int:
    """Give the database's time (microseconds); asked after the locks, it is later than that of whoever had them."""
    return int(connection.execute(_NOW).scalar_one())


def put(connection: Connection, *, environment: str, name: str, ledger: bytes, at: int) -> None:
    """Keep a ledger that is locked."""
    of = update(marks).where(marks.c.name == _name(environment, name))
    connection.execute(of.values(value=ledger.decode(), at=at))


def _name(environment: str, name: str) -> str:
    return f"ledger:{environment}:{name}"
