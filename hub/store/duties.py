"""Duties: what one process at a time does for all that share a database, held by a lease that is prolonged in time.

The lease is a mark, taken and prolonged in a transaction that is alone, as every write is that does not say otherwise,
and it is over by the time of the transaction, which is the database's. So two never hold it, whatever clocks show.
What is done under it is harmless when it is done twice: who finds too late that it has lost the duty spoils nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete

from hub.store import marks
from hub.store.control_tables import marks as table
from hub.store.writes import Transaction

#: The duty of whoever does what must happen once: schedules, streams, sealing, pruning, alarms.
SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who holds a duty, and until when (microseconds, by the database's clock)."""

    holder: str
    until: int


def take(transaction: Transaction, *, environment: str, duty: str, holder: str, seconds: float) -> Duty:
    """Take a duty that nobody holds, or prolong one's own; gives who holds it from here on."""
    standing = find(transaction.connection, environment=environment, duty=duty)
    if standing is not None and standing.holder != holder and standing.until > transaction.now:
        return standing
    taken = Duty(holder=holder, until=transaction.now + round(seconds * 1_000_000))
    marks.put(transaction, _name(environment, duty), {"holder": taken.holder, "until": taken.until})
    return taken


def give_up(transaction: Transaction, *, environment: str, duty: str, holder: str) -> None:
    """Let others take a duty at once; nothing where another one holds it by now."""
    standing = find(transaction.connection, environment=environment, duty=duty)
    if standing is not None and standing.holder == holder:
        transaction.connection.execute(delete(table).where(table.c.name == _name(environment, duty)))


def find(connection: Connection, *, environment: str, duty: str) -> Duty | None:
    """Give who holds a duty, or held it last; None where nobody ever did, or it was given up."""
    found = marks.get(connection, _name(environment, duty))
    return None if found is None else Duty(holder=str(found[0]["holder"]), until=int(found[0]["until"]))


def _name(environment: str, duty: str) -> str:
    return f"duty:{environment}:{duty}"
