"""Writes: changes that share a transaction with others, what they work in, and what is told of them afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from sqlalchemy import Connection, bindparam, update
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import HubError
from hub.store.audit import Note
from hub.store.statements import Formed
from hub.store.tables import counters


class MustBeAlone(Exception):
    """What a group came upon may only be changed by who is alone: the group is made once more, beside nobody."""


@dataclass(slots=True)
class Transaction:
    """What a group's writes work in: the connection, its one point in time, and the audit entries it makes."""

    connection: Connection
    now: int
    entries: list[Note] = field(default_factory=list)
    woken: bool = False
    #: A claim took as many runs as it asked for: there may be more than its worker has hands for.
    left: bool = False
    #: Whether groups of other processes may be made at the same time, which then have the same lock.
    beside: bool = False
    #: Whether an event feed is kept, and what it is told: rows of the outbox, which get their places at the end.
    tells: bool = False
    facts: list[dict[str, Any]] = field(default_factory=list)

    def assert_alone(self) -> None:
        """Raise `MustBeAlone` where others may be changing something too; on SQLite nobody ever is."""
        if self.beside:
            raise MustBeAlone

    def next_values(self, counter: str, count: int) -> range:
        """Take the next `count` values of a named counter; the order is the order of commits.

        So it is also where several groups are made at a time: the counter's row is locked until the commit.
        """
        last = _TAKE.scalar(self.connection, counter=counter, more=count)
        if last is None:
            self.connection.execute(counters.insert(), {"name": counter, "value": count})
            last = count
        return range(last - count + 1, last + 1)

    def kept(self) -> tuple[int, int]:
        """Say how much is to be said at the end, for `forget`."""
        return len(self.entries), len(self.facts)

    def forget(self, kept: tuple[int, int]) -> None:
        """Forget what was to be said since `kept`: what it is about is rolled back."""
        entries, facts = kept
        del self.entries[entries:], self.facts[facts:]


_TAKE = Formed(
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + bindparam("more"))
    .returning(counters.c.value)
)


@contextlib.contextmanager
def whole(transaction: Transaction) -> Iterator[None]:
    """Let what is done inside count whole or, where it raises a HubError, not at all."""
    kept = transaction.kept()
    savepoint = transaction.connection.begin_nested()
    try:
        yield
    except HubError:
        savepoint.rollback()
        transaction.forget(kept)
        raise
    else:
        savepoint.commit()


class Write(ABC):
    """A change that can share a transaction with others of its kind; kinds are applied in the order of `rank`."""

    rank: ClassVar[int] = 50
    #: Whether it waits while nothing can be made durable, as on a full disk. What comes from outside is refused then:
    #: its sender tries again.
    patient: bool = False

    @property
    def beside(self) -> bool:
        """Tell whether it may be made while other processes make theirs, in a database that several share.

        Until that is shown of a kind of writes, each is as alone as if there were one process. What only turns out
        while it is made calls for being alone then (`Transaction.assert_alone`).
        """
        return False

    def prepared(self, dialect: str) -> Self:
        """Give it with all that can be made before its turn, by who hands it over: a group's commit is waited for."""
        del dialect
        return self

    @classmethod
    @abstractmethod
    def apply(cls, batch: Sequence[Self], transaction: Transaction) -> list[Any]:
        """Write the batch; give for each its result, or the HubError that alone it meets."""


class Work(Write):
    """A change of its own kind, as a function of the transaction; it runs in a savepoint."""

    rank = 90

    def __init__(self, work: Callable[[Transaction], Any], *, patient: bool = False, beside: bool = False) -> None:
        """Take the function; a HubError it raises undoes only its own work.

        `beside` says that other processes may make changes meanwhile.
        """
        self.work = work
        self.patient = patient
        self._beside = beside

    @property
    def beside(self) -> bool:
        """Tell whether its maker has said so."""
        return self._beside

    @classmethod
    def apply(cls, batch: Sequence[Self], transaction: Transaction) -> list[Any]:
        """Run each function in its own savepoint."""
        results: list[Any] = []
        for write in batch:
            kept = transaction.kept()
            savepoint = transaction.connection.begin_nested()
            try:
                result = write.work(transaction)
            except (SQLAlchemyError, MustBeAlone):
                raise
            except Exception as error:  # noqa: BLE001 - also a defect of one work must not end the others
                savepoint.rollback()
                transaction.forget(kept)
                results.append(error)
            else:
                savepoint.commit()
                results.append(result)
        return results


@dataclass(slots=True)
class Pending:
    """A write that waits for its group, and the future that is told what came of it.

    One that is `standing` is made only by a group that has woken something, as its last; until then it goes on waiting.
    """

    write: Write
    future: asyncio.Future[Any]
    standing: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What one committed transaction did: each member with its result, and whether there is new work for a worker.

    `left` says that there is work beyond what a worker of this process took, and `told` that an event feed has more.
    """

    results: list[tuple[Pending, Any]]
    woken: bool
    left: bool = False
    told: bool = False


def left_of(group: Sequence[Pending], told: Iterable[Settled]) -> list[Pending]:
    """Give what of a group is not made, without what only stands."""
    made = {id(pending) for settled in told for pending, _ in settled.results}
    return [pending for pending in group if id(pending) not in made and not pending.standing]
