"""The committer without its thread: groups form by chance, and are committed between two steps of everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum
from random import Random

from hub.errors import Fatal, NotDurable, StaleLease
from hub.model.ambient import Ambient
from hub.proof.simulation.memory import MemoryDatabase
from hub.store.committer import Committer
from hub.store.events import Accept
from hub.store.groups import Groups
from hub.store.history import Lease, Record
from hub.store.writes import Pending, Settled, Write, left_of

#: Seconds that a group gathers before it is committed, and that its result is on its way: most often none.
_DELAYS = (0.0, 0.0, 0.0, 0.001, 0.004, 0.02)


class AtCommit(StrEnum):
    """What befalls one commit: its process dies before or after it, or sleeps; the disk is full; nobody hears of it."""

    NOTHING = "nothing"
    KILLED_BEFORE = "killed_before_commit"
    KILLED_AFTER = "killed_after_commit"
    OVERSLEPT = "slept_after_commit"
    DISK_FULL = "disk_full"
    NOT_TOLD = "commit_unknown"


class InlineCommitter(Committer):
    """Commits in the event loop, one group after the other, with whatever befalls each commit.

    `befalls` is asked before each commit, and `struck` hears what has really happened to it; `killed` ends the
    simulated process at once, and `sleeps` lets it sleep for a while.
    """

    def __init__(
        self,
        database: MemoryDatabase,
        ambient: Ambient,
        *,
        chance: Random,
        befalls: Callable[[], AtCommit],
        struck: Callable[[AtCommit], None],
        killed: Callable[[], None],
        sleeps: Callable[[], None],
        chain: str = "main",
    ) -> None:
        """Prepare; nothing is committed before `start`."""
        super().__init__(database, ambient, chain=chain)
        self._memory = database
        self._chance = chance
        self._befalls = befalls
        self._struck = struck
        self._killed = killed
        self._sleeps = sleeps
        self._groups: Groups | None = None
        self._busy = False
        #: What was recorded of runs (their ids) that another worker had: the epoch of the record, and the run's.
        self.trespasses: list[tuple[str, int, int]] = []

    def start(self) -> None:
        """Begin to commit in the running loop."""
        self._loop = asyncio.get_running_loop()
        self._monotonic = self._loop.time
        self._groups = Groups(self._database.writer.connect(), self._ambient, chain=self._chain_name)

    async def stop(self) -> None:
        """Commit what is pending, then end."""
        while (self._pending or self._busy) and self._dead is None:
            await asyncio.sleep(0.001)
        self._stopping = True

    def _gathered(self) -> None:
        if not self._busy:
            self._busy = True
            self._later(self._commit_next, self._rest() or 0.0)

    def _later(self, call: Callable[[], None], at_least: float = 0.0) -> None:
        assert self._loop is not None
        self._loop.call_later(at_least + self._chance.choice(_DELAYS), call)

    def _commit_next(self) -> None:
        assert self._groups is not None
        group = self._next_group()
        befalls = self._befalls()
        if befalls is AtCommit.KILLED_BEFORE:
            self._struck(befalls)
            self._killed()
            return
        epochs, told = self._epochs(group), list[Settled]()
        try:
            told.extend(self._groups.commit(group))
        except NotDurable as error:
            self._struck(AtCommit.DISK_FULL)
            self._held_up(left_of(group, told), error)
        except Fatal as error:
            self._die(error, group)
            return
        else:
            self.full_since = self.obstacle = None
        self._over(told)
        self._witness(epochs, told)
        if befalls is AtCommit.KILLED_AFTER:
            self._struck(befalls)
            self._killed()
        elif befalls is AtCommit.NOT_TOLD:
            self._struck(befalls)
            self._die(Fatal("A commit failed; the process stops.", reason="disk I/O error"), group)
        else:
            self._later(lambda: self._told(told))
            if befalls is AtCommit.OVERSLEPT:
                self._struck(befalls)
                self._sleeps()

    def _epochs(self, group: list[Pending]) -> dict[str, int]:
        """Read the epochs that the runs of a group's writes have now."""
        ids = {lease.run_id for pending in group if (lease := _lease(pending.write)) is not None}
        marks = ", ".join("?" for _ in ids)
        found = self._memory.file.execute(f"SELECT id, epoch FROM runs WHERE id IN ({marks})", sorted(ids))  # noqa: S608
        return dict(found.fetchall())

    def _witness(self, epochs: dict[str, int], told: list[Settled]) -> None:
        for settled in told:
            for pending, result in settled.results:
                lease = _lease(pending.write)
                if lease is not None and not isinstance(result, StaleLease):
                    stood = epochs.get(lease.run_id, lease.epoch)
                    if stood != lease.epoch:
                        self.trespasses.append((*lease, stood))

    def _told(self, told: list[Settled]) -> None:
        self._busy = False
        for settled in told:
            self.groups += 1
            self.writes += len(settled.results)
            self._resolve(settled)
        if self._pending:
            self._gathered()

    def _die(self, error: BaseException, group: list[Pending]) -> None:
        super()._die(error, group)
        self._busy = False

    def _tell(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon(call)


def _lease(write: Write) -> Lease | None:
    """Give the run for which something is written, as whoever writes has it in hand."""
    if isinstance(write, Record):
        return Lease(write.run_id, write.epoch)
    return write.caller if isinstance(write, Accept) else None
