"""The committer: one thread makes the changes of all runs in flight durable together, in one transaction a group.

Groups form by themselves: while one transaction is being committed, the next ones gather; nobody waits on purpose.
A caller goes on only when its change is durable. If the thread dies, the process must stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from hub.errors import CommitUnknown, DatabaseAway, Fatal, NotDurable, StorageFull
from hub.model.ambient import Ambient
from hub.store.database import Database
from hub.store.groups import ROOM_SECONDS, Groups
from hub.store.shared_groups import SharedGroups
from hub.store.writes import Pending, Settled, Transaction, Work, Write, left_of, whole

#: What a committer takes is named here too.
__all__ = ["Committer", "Transaction", "Work", "Write", "whole"]

log = structlog.get_logger(__name__)

#: A statement has a limited number of parameters; what is over waits for the next group.
LARGEST_GROUP = 1000
#: Seconds that a sender waits to hear whether what it sent is stored, before it is told that nobody knows yet.
IN_DOUBT_SECONDS = 10.0


class Committer:
    """Gathers writes and has their groups made durable by a thread of its own; used in one event loop."""

    def __init__(self, database: Database, ambient: Ambient, *, chain: str = "main", name: str | None = None) -> None:
        """Prepare, without starting the thread.

        `name` is what it is called in a database that several processes share; without, it makes one up. There it takes
        an audit log of its own, and `chain` says nothing.
        """
        self._database = database
        self._ambient = ambient
        self._chain_name = chain
        self._name = name
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
        #: Since when nothing can be made durable, on the monotonic clock, and why not; None while it can.
        self.full_since: float | None = None
        self.obstacle: NotDurable | None = None
        self._doubtful = False
        #: Those of a group in doubt that were told that nobody knows: they are not made any more.
        self._told_unknown: list[Pending] = []
        self._again_at = 0.0
        self._monotonic: Callable[[], float] = time.monotonic

    @property
    def name(self) -> str:
        """Give what it is called in a database that several processes share."""
        if self._name is None:
            self._name = self._ambient.new_id("committer")
        return self._name

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
        write = write.prepared(self._database.dialect)
        with self._ready:
            if self._loop is None or self._dead is not None or self._stopping:
                raise Fatal("Nothing can be made durable any more.", code="committer-stopped")
            if self.obstacle is not None and not write.patient and self._monotonic() < self._again_at:
                raise type(self.obstacle)(after=ROOM_SECONDS)
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
        with contextlib.suppress(Fatal, NotDurable):
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
            with contextlib.closing(self._open()) as groups:
                while True:
                    with self._ready:
                        while not self._stopping and (wait := self._rest()) != 0:
                            self._ready.wait(wait)
                        group = list(groups.in_doubt) or self._next_group()
                        if not group and self._stopping:
                            return
                    if groups.in_doubt:
                        self._clear_up(groups)
                    else:
                        # One without members asks whether a database is there again that was away.
                        self._make_durable(groups, group)
        except BaseException as error:  # noqa: BLE001 - whatever it was, durability can no longer be promised
            self._die(error, group)

    def _open(self) -> Groups:
        if self._database.dialect == "postgresql":
            return SharedGroups(self._database.writer, self._ambient, name=self.name, tells=self.tells)
        return Groups(self._database.writer.connect(), self._ambient, chain=self._chain_name, tells=self.tells)

    def _rest(self) -> float | None:
        """Say how long to wait for the next group: not at all, some seconds for room, or (None) until one gathers."""
        if not self._pending and not self._doubtful and not isinstance(self.obstacle, DatabaseAway):
            return None
        return max(0.0, self._again_at - self._monotonic())

    def _clear_up(self, groups: Groups) -> None:
        """Find out what became of a group in doubt; what is not stored of it goes first into the next one."""
        group = list(groups.in_doubt)
        try:
            settled = groups.find_out()
        except NotDurable as error:
            with self._ready:
                gathered, self._pending = self._pending, []
            self._held_up(gathered, error)
            assert self.full_since is not None
            if self._monotonic() - self.full_since > IN_DOUBT_SECONDS:
                self._told_unknown = [pending for pending in group if not pending.write.patient]
                unknown = [(pending, CommitUnknown(after=IN_DOUBT_SECONDS)) for pending in self._told_unknown]
                self._tell(lambda: self._resolve(Settled(list(unknown), woken=False)))
            if self._stopping:
                # Whoever asked hears nothing false: the next start knows what is stored.
                raise Fatal(
                    "The process ends before it is known whether this is stored.", code="commit-unknown"
                ) from error
            return
        self._doubtful = False
        told, self._told_unknown = set(map(id, self._told_unknown)), []
        if settled is None:
            with self._ready:
                again = [pending for pending in group if not pending.standing and id(pending) not in told]
                self._pending = [*again, *self._pending]
            self._over(())
        else:
            self._settle(settled)
            self._over((settled,))
        self._free()

    def _make_durable(self, groups: Groups, group: list[Pending]) -> None:
        told: list[Settled] = []
        try:
            for settled in groups.commit(group):
                self._settle(settled)
                told.append(settled)
        except NotDurable as error:
            self._doubtful = bool(groups.in_doubt)
            doubtful = set(map(id, groups.in_doubt))
            self._held_up([each for each in left_of(group, told) if id(each) not in doubtful], error)
            if not self._doubtful:
                self._over(told)
            return
        self._over(told)
        self._free()

    def _settle(self, settled: Settled) -> None:
        self.groups += 1
        self.writes += len(settled.results)
        self._tell(lambda: self._resolve(settled))

    def _free(self) -> None:
        """Take note that changes can be made durable."""
        if self.full_since is not None:
            log.warning("storage.room_again", seconds=round(self._monotonic() - self.full_since, 1))
            self.full_since = self.obstacle = None

    def _held_up(self, left: list[Pending], error: NotDurable) -> None:
        """Let what can wait wait, and refuse the rest; the next try is in a moment."""
        if self.full_since is None:
            self.full_since = self._monotonic()
        if type(self.obstacle) is not type(error):
            full = isinstance(error, StorageFull)
            hint = "make room; the hub then goes on" if full else "the hub goes on once the database is back"
            log.error("storage.full" if full else "database.away", reason=str(error.facts.get("reason")), hint=hint)
        refused = [(pending, error) for pending in left if not pending.write.patient or self._stopping]
        with self._ready:
            self.obstacle = error
            self._again_at = self._monotonic() + (error.after or ROOM_SECONDS)
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


def _heard(done: asyncio.Future[Any]) -> None:
    """Take note of what became of a write that nobody waits for."""
    if not done.cancelled():
        done.exception()
