"""Groups: many writes become durable in one transaction, and each is told what came of it.

What one group does stands apart from who gathers it and drives it, so that a simulation can drive it in one thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from hub.errors import Fatal, HubError, StorageFull
from hub.model.ambient import Ambient, to_micros
from hub.store import statements
from hub.store.audit import ChainWriter
from hub.store.database import is_full
from hub.store.outbox_tables import outbox
from hub.store.writes import Pending, Settled, Transaction, Write

#: How often it is tried whether there is room again on a full disk.
ROOM_SECONDS = 0.5


class TooLong(Exception):
    """A group took longer than a transaction may; its members may each be made alone."""


#: What says that a change cannot be stored (a taken name, a number too large), and nothing of the database's health.
_UNFIT = (
    *(IntegrityError, DataError, InterfaceError, ProgrammingError),
    *(ArithmeticError, TypeError, ValueError, TooLong),
)


class Groups:
    """Makes groups of writes durable over the one connection that a database of this process alone is written by."""

    def __init__(self, connection: Connection, ambient: Ambient, *, chain: str = "main", tells: bool = False) -> None:
        """Find the end of the audit log that these commits go on with; `tells` says that an event feed is kept."""
        self._connection = connection
        self._ambient = ambient
        self._tells = tells
        with connection.begin():
            self._chain = ChainWriter.load(connection, chain)

    def commit(self, group: Sequence[Pending]) -> Iterator[Settled]:
        """Make a group durable in one transaction, and tell what came of it once it is.

        Where one write does not fit what is stored, each is tried alone, so that it harms no other. Raises
        `NotDurable` when nothing can be made durable just now (such as `StorageFull`): of what was not told of nothing
        was changed, but for what is `in_doubt`. Raises `Fatal` when a commit fails in any other way: what is stored is
        then not known, and a commit that failed is never tried again.
        """
        try:
            settled = self._transact(group)
        except _UNFIT as error:
            if len(group) == 1:
                # The write does not fit what is stored; alone it can be told so.
                yield Settled([(group[0], _refusal(error))], woken=False)
                return
            for pending in group:
                yield from self.commit([pending])
            return
        except SQLAlchemyError as error:
            if is_full(error):
                raise StorageFull(after=ROOM_SECONDS, reason=str(error)[:200]) from error
            raise Fatal(
                "A commit failed; the process stops rather than guess what is stored.", reason=str(error)
            ) from error
        yield settled

    @property
    def in_doubt(self) -> Sequence[Pending]:
        """Give the members of a group of which it is not known whether it is stored; `find_out` tells."""
        return ()

    def find_out(self) -> Settled | None:
        """Find out what became of the group in doubt: give its results, or None when nothing of it is stored.

        Raises `NotDurable` while that cannot be found out. Here nothing is ever in doubt: a commit that fails is fatal.
        """
        return None

    def close(self) -> None:
        """Give free what is kept between groups."""
        self._connection.close()

    def _transact(self, group: Sequence[Pending]) -> Settled:
        connection = self._connection
        with connection.begin():
            transaction = Transaction(connection=connection, now=to_micros(self._ambient.now()), tells=self._tells)
            settled = applied(group, transaction)
            chain = self._chain.append(connection, transaction.entries, transaction.now)
            tell(transaction)
        self._chain = chain
        return settled


def applied(group: Sequence[Pending], transaction: Transaction) -> Settled:
    """Make a group's writes in a transaction, kind by kind, and what stands when something was woken; gives results."""
    results: list[tuple[Pending, Any]] = []
    kinds: dict[type[Write], list[Pending]] = {}
    standing: list[Pending] = []
    for pending in group:
        if pending.standing:
            standing.append(pending)
        else:
            kinds.setdefault(type(pending.write), []).append(pending)
    for kind in sorted(kinds, key=lambda kind: kind.rank):
        members = kinds[kind]
        found = kind.apply([pending.write for pending in members], transaction)
        results.extend(zip(members, found, strict=True))
    if transaction.woken:
        for pending in standing:
            results.append((pending, type(pending.write).apply([pending.write], transaction)[0]))
            # What was woken is in its hands.
            transaction.woken = False
    return Settled(results, transaction.woken, left=transaction.left, told=bool(transaction.facts))


def tell(transaction: Transaction) -> None:
    """Write what the feed is told at the end of the outbox, as the group's last change.

    The place is one after the other in the order of commits, so that others wait for theirs until this one's commit:
    nothing that takes time comes in between.
    """
    facts = transaction.facts
    if facts:
        places = transaction.next_values("outbox", len(facts))
        rows = [{**fact, "position": place} for fact, place in zip(facts, places, strict=True)]
        statements.insert(transaction.connection, outbox, rows)


def _refusal(error: BaseException) -> HubError:
    if isinstance(error, TooLong):
        return HubError("The change takes longer than a transaction may.", code="too-long", reason=str(error))
    reason = str(error.orig if isinstance(error, IntegrityError) else error)[:300]
    return HubError("The change does not fit what is stored.", code="integrity", reason=reason)
