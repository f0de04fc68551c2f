"""The committer: one thread makes the changes of all runs in flight durable together, in one transaction a group.

Groups form by themselves: while one transaction is being committed, the next ones gather; nobody waits on purpose.
A caller goes on only when its change is durable. If the thread dies, the process must stop.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import structlog
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from hub.errors import Fatal, HubError
from hub.model.ambient import Ambient, to_micros
from hub.store.audit import ChainWriter, Note
from hub.store.database import Database
from hub.store.tables import counters

log = structlog.get_logger(__name__)

#: A statement has a limited number of parameters; what is over waits for the next group.
LARGEST_GROUP = 1000
#: What says that a change cannot be stored (a taken name, a number too large), and nothing of the database's health.
_UNFIT = (IntegrityError, DataError, InterfaceError, ProgrammingError, ArithmeticError, TypeError, ValueError)


@dataclass(slots=True)
class Transaction:
    """What a group's writes work in: the connection, its one point in time, and the audit entries it makes."""

    connection: Connection
    now: int
    entries: list[Note] = field(default_factory=list)
    woken: bool = False

    def next_values(self, counter: str, count: int) -> range:
        """Take the next `count` values of a named counter; the order is the order of commits."""
        statement = (
            update(counters)
            .where(counters.c.name == counter)
            .values(value=counters.c.value + count)
            .returning(counters.c.value)
        )
        last = self.connection.execute(statement).scalar()
        if last is None:
            self.connection.execute(counters.insert(), {"name": counter, "value": count})
            last = count
        return range(last - count + 1, last + 1)


class Write(ABC):
    """A change that can share a transaction with others of its kind; kinds are applied in the order of `rank`."""

    rank: ClassVar[int] = 50

    @classmethod
    @abstractmethod
    def apply(cls, batch: Sequence[Self], transaction: Transaction) -> list[Any]:
        """Write the batch; give for each its result, or the HubError that alone it meets."""


class Work(Write):
    """A change of its own kind, as a function of the transaction; it runs in a savepoint."""

    rank = 90

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        """Take the function; a HubError it raises undoes only its own work."""
        self.work = work

    @classmethod
    def apply(cls, batch: Sequence[Self], transaction: Transaction) -> list[Any]:
        """Run each function in its own savepoint."""
        results: list[Any] = []
        for write in batch:
            kept = len(transaction.entries)
            savepoint = transaction.connection.begin_nested()
            try:
                result = write.work(transaction)
            except SQLAlchemyError:
                raise
            except Exception as error:  # noqa: BLE001 - also a defect of one work must not end the others
                savepoint.rollback()
                del transaction.entries[kept:]
                results.append(error)
            else:
                savepoint.commit()
                results.append(result)
        return results


@dataclass(slots=True)
class _Pending:
    write: Write
    future: asyncio.Future[Any]


class Committer:
    """Owns the writing connection; created and awaited in one event loop."""

    def __init__(self, database: Database, ambient: Ambient, *, chain: str = "main") -> None:
        """Prepare, without starting the thread."""
        self._database = database
        self._ambient = ambient
        self._chain_name = chain
        self._pending: list[_Pending] = []
        self._ready = threading.Condition()
        self._stopping = False
        self._dead: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_wake: Callable[[], None] = lambda: None
        self.on_commit: Callable[[], None] = lambda: None
        self.on_death: Callable[[BaseException], None] = lambda _error: None
        self.groups = 0
        self.writes = 0

    def start(self) -> None:
        """Start the thread; results are given to the loop that is running now."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def commit(self, write: Write) -> Any:
        """Give the write's result once it is durable; raises the HubError it met."""
        return await self.submit(write)

    def submit(self, write: Write) -> asyncio.Future[Any]:
        """Hand the write over; the future is done when it is durable."""
        with self._ready:
            if self._loop is None or self._dead is not None or self._stopping:
                raise Fatal("Nothing can be made durable any more.", code="committer-stopped")
            future: asyncio.Future[Any] = self._loop.create_future()
            self._pending.append(_Pending(write, future))
            self._ready.notify()
        return future

    async def stop(self) -> None:
        """Commit what is pending, then end the thread."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        group: list[_Pending] = []
        try:
            with self._database.writer.connect() as connection:
                with connection.begin():
                    chain = ChainWriter.load(connection, self._chain_name)
                while True:
                    with self._ready:
                        while not self._pending and not self._stopping:
                            self._ready.wait()
                        group, self._pending = self._pending[:LARGEST_GROUP], self._pending[LARGEST_GROUP:]
                        if not group and self._stopping:
                            return
                    chain = self._commit_group(connection, chain, group)
        except BaseException as error:  # noqa: BLE001 - whatever it was, durability can no longer be promised
            log.critical("committer.died", error=str(error))
            self._die(error, group)

    def _commit_group(self, connection: Connection, chain: ChainWriter, group: list[_Pending]) -> ChainWriter:
        try:
            settled, chain, woken = self._transact(connection, chain, group)
        except _UNFIT as error:
            if len(group) == 1:
                # The write does not fit what is stored; alone it can be told so.
                reason = str(error.orig if isinstance(error, IntegrityError) else error)[:300]
                refused = HubError("The change does not fit what is stored.", code="integrity", reason=reason)
                self._resolve([(group[0].future, refused)], woken=False)
                return chain
            # One write of the group does not fit; each is tried alone, so that it harms no other.
            for pending in group:
                chain = self._commit_group(connection, chain, [pending])
            return chain
        except SQLAlchemyError as error:
            fatal = Fatal("A commit failed; the process stops rather than guess what is stored.", reason=str(error))
            self._resolve([(pending.future, fatal) for pending in group], woken=False)
            raise fatal from error
        self._resolve(settled, woken=woken)
        return chain

    def _transact(
        self, connection: Connection, chain: ChainWriter, group: list[_Pending]
    ) -> tuple[list[tuple[asyncio.Future[Any], Any]], ChainWriter, bool]:
        settled: list[tuple[asyncio.Future[Any], Any]] = []
        with connection.begin():
            transaction = Transaction(connection=connection, now=to_micros(self._ambient.now()))
            kinds: dict[type[Write], list[_Pending]] = {}
            for pending in group:
                kinds.setdefault(type(pending.write), []).append(pending)
            for kind in sorted(kinds, key=lambda kind: kind.rank):
                members = kinds[kind]
                results = kind.apply([pending.write for pending in members], transaction)
                settled.extend((pending.future, result) for pending, result in zip(members, results, strict=True))
            chain = chain.append(connection, transaction.entries, transaction.now)
        self.groups += 1
        self.writes += len(group)
        return settled, chain, transaction.woken

    def _resolve(self, settled: list[tuple[asyncio.Future[Any], Any]], *, woken: bool) -> None:
        def resolve() -> None:
            for future, result in settled:
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)
            if woken:
                self.on_wake()
            self.on_commit()

        self._tell(resolve)

    def _die(self, error: BaseException, group: list[_Pending]) -> None:
        with self._ready:
            self._dead = error
            left, self._pending = [*group, *self._pending], []
        fatal = Fatal("Nothing can be made durable any more.", code="committer-stopped", reason=str(error))
        self._resolve([(pending.future, fatal) for pending in left], woken=False)
        self._tell(lambda: self.on_death(error))

    def _tell(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call)


def counter_value(connection: Connection, name: str) -> int:
    """Give how far a counter has come; 0 when it was never used."""
    return connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar() or 0
