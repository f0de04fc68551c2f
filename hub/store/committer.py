"""The committer: one thread makes the changes of all runs in flight durable together, in one transaction a group.

Groups form by themselves: while one transaction is being committed, the next ones gather; nobody waits on purpose.
A caller goes on only when its change is durable. If the thread dies, the process must stop. What one group does
(`Groups`) stands apart from who drives it, so that a simulation can drive it in one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import structlog
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from hub.errors import Fatal, HubError, StorageFull
from hub.model.ambient import Ambient, to_micros
from hub.store.audit import ChainWriter, Note
from hub.store.database import Database
from hub.store.statements import Formed
from hub.store.tables import counters

log = structlog.get_logger(__name__)

#: How often it is tried whether there is room again on a full disk.
ROOM_SECONDS = 0.5
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
    #: A claim took as many runs as it asked for: there may be more than its worker has hands for.
    left: bool = False
    #: Whether an event feed is kept, and whether this transaction has told it something.
    tells: bool = False
    told: bool = False

    def next_values(self, counter: str, count: int) -> range:
        """Take the next `count` values of a named counter; the order is the order of commits."""
        last = _TAKE.scalar(self.connection, counter=counter, more=count)
        if last is None:
            self.connection.execute(counters.insert(), {"name": counter, "value": count})
            last = count
        return range(last - count + 1, last + 1)


_TAKE = Formed(
    update(counters)
    .where(counters.c.name == bindparam("counter"))
    .values(value=counters.c.value + bindparam("more"))
    .returning(counters.c.value)
)


@contextlib.contextmanager
def whole(transaction: Transaction) -> Iterator[None]:
    """Let what is done inside count whole or, where it raises a HubError, not at all."""
    kept = len(transaction.entries)
    savepoint = transaction.connection.begin_nested()
    try:
        yield
    except HubError:
        savepoint.rollback()
        del transaction.entries[kept:]
        raise
    else:
        savepoint.commit()


class Write(ABC):
    """A change that can share a transaction with others of its kind; kinds are applied in the order of `rank`."""

    rank: ClassVar[int] = 50
    #: Whether it waits where the disk is full. What comes from outside is refused then: its sender tries again.
    patient: bool = False

    @classmethod
    @abstractmethod
    def apply(cls, batch: Sequence[Self], transaction: Transaction) -> list[Any]:
        """Write the batch; give for each its result, or the HubError that alone it meets."""


class Work(Write):
    """A change of its own kind, as a function of the transaction; it runs in a savepoint."""

    rank = 90

    def __init__(self, work: Callable[[Transaction], Any], *, patient: bool = False) -> None:
        """Take the function; a HubError it raises undoes only its own work."""
        self.work = work
        self.patient = patient

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


def _no_room(error: SQLAlchemyError) -> bool:
    """Tell whether a commit failed because the disk is full: SQLite then rolls it back whole."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF == sqlite3.SQLITE_FULL


class Groups:
    """Makes groups of writes durable over one connection; it knows nothing of who gathers them and who is told."""

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
        `StorageFull` when there is no room: nothing was changed then. Raises `Fatal` when a commit fails in any other
        way: what is stored is then not known, and a commit that failed is never tried again.
        """
        try:
            settled, chain = self._transact(group)
        except _UNFIT as error:
            if len(group) == 1:
                # The write does not fit what is stored; alone it can be told so.
                reason = str(error.orig if isinstance(error, IntegrityError) else error)[:300]
                refused = HubError("The change does not fit what is stored.", code="integrity", reason=reason)
                yield Settled([(group[0], refused)], woken=False)
                return
            for pending in group:
                yield from self.commit([pending])
            return
        except SQLAlchemyError as error:
            if _no_room(error):
                raise StorageFull(after=ROOM_SECONDS, reason=str(error)[:200]) from error
            raise Fatal(
                "A commit failed; the process stops rather than guess what is stored.", reason=str(error)
            ) from error
        self._chain = chain
        yield settled

    def _transact(self, group: Sequence[Pending]) -> tuple[Settled, ChainWriter]:
        connection = self._connection
        results: list[tuple[Pending, Any]] = []
        with connection.begin():
            transaction = Transaction(connection=connection, now=to_micros(self._ambient.now()), tells=self._tells)
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
            chain = self._chain.append(connection, transaction.entries, transaction.now)
        return Settled(results, transaction.woken, left=transaction.left, told=transaction.told), chain


class Committer:
    """Gathers writes and has their groups made durable by a thread of its own; used in one event loop."""

    def __init__(self, database: Database, ambient: Ambient, *, chain: str = "main") -> None:
        """Prepare, without starting the thread."""
        self._database = database
        self._ambient = ambient
        self._chain_name = chain
        self._pending: list[Pending] = []
        #: What stands, what of it a group has in hand just now, and whether that was called meanwhile.
        self._standing: Pending | None = None
        self._asked: Pending | None = None
        self._called = False
        self._ready = threading.Condition()
        self._stopping = False
        self._dead: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        #: Whether an event feed is kept; set it before the start.
        self.tells = False
        self.on_wake: Callable[[], None] = lambda: None
        #: There is work for other processes, and there is something to publish.
        self.on_left: Callable[[], None] = lambda: None
        self.on_told: Callable[[], None] = lambda: None
        self.on_commit: Callable[[], None] = lambda: None
        self.on_death: Callable[[BaseException], None] = lambda _error: None
        self.groups = 0
        self.writes = 0
        #: Since when there was no room, on the monotonic clock; None while there is.
        self.full_since: float | None = None
        self._again_at = 0.0
        self._monotonic: Callable[[], float] = time.monotonic

    def start(self) -> None:
        """Start to commit; results are given to the loop that is running now."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    async def commit(self, write: Write) -> Any:
        """Give the write's result once it is durable; raises the HubError it met."""
        return await self.submit(write)

    def submit(self, write: Write) -> asyncio.Future[Any]:
        """Hand the write over; the future is done when it is durable."""
        with self._ready:
            if self._loop is None or self._dead is not None or self._stopping:
                raise Fatal("Nothing can be made durable any more.", code="committer-stopped")
            if self.full_since is not None and not write.patient and self._monotonic() < self._again_at:
                raise StorageFull(after=ROOM_SECONDS)
            future: asyncio.Future[Any] = self._loop.create_future()
            self._pending.append(Pending(write, future))
            self._gathered()
        return future

    def stand(self, write: Write) -> asyncio.Future[Any]:
        """Have a write made by the first group that wakes something, in its transaction; there is one such at a time.

        So what a group makes ready is taken up without a transaction of its own.
        """
        with self._ready:
            if self._loop is None or self._dead is not None or self._stopping:
                raise Fatal("Nothing can be made durable any more.", code="committer-stopped")
            future: asyncio.Future[Any] = self._loop.create_future()
            self._standing = Pending(write, future, standing=True)
        return future

    def call(self) -> None:
        """Have what stands made now, whether something was woken or not."""
        with self._ready:
            called, self._standing = self._standing, None
            if called is not None:
                self._pending.append(Pending(called.write, called.future))
                self._gathered()
            self._called = self._asked is not None

    def withdraw(self) -> None:
        """Forget what stands; a group that has it in hand may still make it."""
        with self._ready:
            self._standing = None

    def leave(self, write: Write) -> None:
        """Hand over a write that nobody waits for; without room for it, or durability, it is left out."""
        with contextlib.suppress(Fatal, StorageFull):
            self.submit(write).add_done_callback(_heard)

    async def stop(self) -> None:
        """Commit what is pending, then end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _gathered(self) -> None:
        """Say that there is something to commit."""
        self._ready.notify()

    def _next_group(self) -> list[Pending]:
        group, self._pending = self._pending[:LARGEST_GROUP], self._pending[LARGEST_GROUP:]
        if group and self._standing is not None:
            self._asked, self._standing = self._standing, None
            group.append(self._asked)
        return group

    def _over(self, told: Iterable[Settled]) -> None:
        """Let what stands go on standing, unless the group that is over has made it."""
        made = {id(pending) for settled in told for pending, _ in settled.results}
        with self._ready:
            asked, called, self._asked, self._called = self._asked, self._called, None, False
            if asked is None or id(asked) in made:
                return
            if called:
                self._pending.append(Pending(asked.write, asked.future))
                self._gathered()
            else:
                self._standing = asked

    def _run(self) -> None:
        group: list[Pending] = []
        try:
            with self._database.writer.connect() as connection:
                groups = Groups(connection, self._ambient, chain=self._chain_name, tells=self.tells)
                while True:
                    with self._ready:
                        while not self._stopping and (wait := self._rest()) != 0:
                            self._ready.wait(wait)
                        group = self._next_group()
                        if not group and self._stopping:
                            return
                    self._make_durable(groups, group)
        except BaseException as error:  # noqa: BLE001 - whatever it was, durability can no longer be promised
            self._die(error, group)

    def _rest(self) -> float | None:
        """Say how long to wait for the next group: not at all, some seconds for room, or (None) until one gathers."""
        if not self._pending:
            return None
        return max(0.0, self._again_at - self._monotonic())

    def _make_durable(self, groups: Groups, group: list[Pending]) -> None:
        told: list[Settled] = []
        try:
            for settled in groups.commit(group):
                self.groups += 1
                self.writes += len(settled.results)
                told.append(settled)
                self._tell(lambda settled=settled: self._resolve(settled))  # type: ignore[misc]
        except StorageFull as error:
            self._no_room(left_of(group, told), error)
            self._over(told)
            return
        self._over(told)
        if self.full_since is not None:
            log.warning("storage.room_again", seconds=round(self._monotonic() - self.full_since, 1))
            self.full_since = None

    def _no_room(self, left: list[Pending], error: StorageFull) -> None:
        """Let what can wait wait, and refuse the rest; the next try is in a moment."""
        if self.full_since is None:
            log.error("storage.full", reason=str(error.facts.get("reason")), hint="make room; the hub then goes on")
            self.full_since = self._monotonic()
        refused = [(pending, error) for pending in left if not pending.write.patient or self._stopping]
        with self._ready:
            self._again_at = self._monotonic() + ROOM_SECONDS
            if not self._stopping:
                self._pending = [*(pending for pending in left if pending.write.patient), *self._pending]
        self._tell(lambda: self._resolve(Settled(refused, woken=False)))

    def _resolve(self, settled: Settled) -> None:
        for pending, result in settled.results:
            if pending.future.done():
                continue
            if isinstance(result, Exception):
                pending.future.set_exception(result)
            else:
                pending.future.set_result(result)
        if settled.woken:
            self.on_wake()
        if settled.woken or settled.left:
            self.on_left()
        if settled.told:
            self.on_told()
        self.on_commit()

    def _die(self, error: BaseException, group: list[Pending]) -> None:
        log.critical("committer.died", error=str(error))
        with self._ready:
            self._dead = error
            standing = [self._standing] if self._standing is not None else []
            left, self._pending, self._standing = [*group, *self._pending, *standing], [], None
        reason = error if isinstance(error, Fatal) else None
        fatal = reason or Fatal("Nothing can be made durable any more.", code="committer-stopped", reason=str(error))
        self._tell(lambda: self._resolve(Settled([(pending, fatal) for pending in left], woken=False)))
        self._tell(lambda: self.on_death(error))

    def _tell(self, call: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(call)


def left_of(group: Sequence[Pending], told: Iterable[Settled]) -> list[Pending]:
    """Give what of a group is not made, without what only stands."""
    made = {id(pending) for settled in told for pending, _ in settled.results}
    return [pending for pending in group if id(pending) not in made and not pending.standing]


def _heard(done: asyncio.Future[Any]) -> None:
    """Take note of what became of a write that nobody waits for."""
    if not done.cancelled():
        done.exception()


def counter_value(connection: Connection, name: str) -> int:
    """Give how far a counter has come; 0 when it was never used."""
    return connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar() or 0
