"""The machine that the hub runs on: it starts the process again when it has died, and meets what befalls machines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from random import Random

from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.committing import AtCommit
from hub.proof.simulation.loop import VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.process import LOOKS_EVERY, READS_EVERY, Premises, Process
from hub.proof.simulation.story import Story
from hub.proof.simulation.troubles import AtProcess, CommitTrouble, ProcessTrouble, Trouble
from hub.runtime.composition import Composition

#: How long a dead process stays away, in seconds.
_DOWN = (0.0, 0.5, 5.0, 90.0)
#: So far a clock may leap ahead: vendors' settling times leave room for it. Back it may go by an hour.
_AHEAD, _BACK = 12.0, -5.0
#: A full disk has room again after so many seconds at most.
_FULL = 40.0
#: So long an old process sleeps while a new one takes its work over.
_SLEEPS = (5.0, 60.0, 150.0, 400.0)


class Host:
    """Keeps one process running; `current` is the one that serves now, also while it is dead or starting."""

    def __init__(
        self,
        *,
        loop: VirtualLoop,
        clock: VirtualClock,
        database: MemoryDatabase,
        premises: Premises,
        is_clear: Callable[[], bool],
        story: Story,
        chance: Random,
        troubles: Sequence[Trouble],
        composition: Composition,
        befalls: Callable[[], AtCommit] | None = None,
    ) -> None:
        """Start the first process; `befalls` says what befalls a commit in the place of drawn troubles."""
        self._loop = loop
        self._clock = clock
        self._database = database
        self._premises = premises
        self._is_clear = is_clear
        self._story = story
        self._chance = chance
        self._composition = composition
        self._at_commit = {trouble.group: trouble for trouble in troubles if isinstance(trouble, CommitTrouble)}
        self._befalls = befalls or self._at_next_commit
        self._commits = 0
        self._overslept = False
        #: When the last of those that sleep wakes, in virtual seconds.
        self.awake_at = 0.0
        self.lives: list[Process] = []
        #: Writes that nobody can know the outcome of, because a process died while they were under way; business keys.
        self.cut_off: set[str] = set()
        self.current = self._new()

    @property
    def commits(self) -> int:
        """Count the commits so far."""
        return self._commits

    async def serving(self) -> Process:
        """Give the process that takes work, as soon as there is one."""
        while True:
            process = self.current
            if not process.life.ended:
                done, _ = await asyncio.wait({process.ready}, timeout=30.0)
                if done and not process.life.ended:
                    return process
            else:
                await asyncio.sleep(0.1)

    def befall(self, trouble: ProcessTrouble) -> None:
        """Let something happen to the machine now."""
        process = self.current
        match trouble.kind:
            case AtProcess.KILLED:
                if not process.life.ended:
                    self._story.strike(trouble.kind, process.life.name, "")
                    process.kill()
            case AtProcess.OVERSLEPT:
                if not process.life.ended and process.ready.done():
                    self._story.strike(trouble.kind, process.life.name, "")
                    self._oversleep(process, trouble.amount)
            case AtProcess.CLOCK:
                seconds = trouble.amount * _AHEAD if trouble.amount > 0.5 else trouble.amount * 2 * _BACK
                self._story.strike(trouble.kind, "machine", f"by {seconds:.1f} seconds")
                self._clock.leap(seconds)

    def _oversleep(self, process: Process, amount: float) -> None:
        """Let a process sleep, and another one take over from it; without a successor yet it only sleeps."""
        seconds = _SLEEPS[int(amount * len(_SLEEPS))]
        self._loop.send_to_sleep(process.life, seconds)
        self.awake_at = max(self.awake_at, self._loop.time() + seconds)
        if process is self.current:
            self._overslept = True
            self._note_cut_off()
            self.current = self._new()

    def leave_one(self) -> None:
        """End processes that others have taken over from; a new one recovers what they had taken up meanwhile."""
        if not self._overslept:
            return
        for process in self.lives:
            if not process.life.ended:
                process.kill()

    def _new(self) -> Process:
        process = Process(
            f"hub{len(self.lives) + 1}",
            loop=self._loop,
            clock=self._clock,
            database=self._database,
            premises=self._premises,
            reads_every=lambda: LOOKS_EVERY if self._is_clear() else READS_EVERY,
            story=self._story,
            chance=self._chance,
            befalls=self._befalls,
            struck=self._struck,
            died=self._died,
            recovered=self._note_cut_off,
            sleeps=lambda process: self._oversleep(process, self._at_commit[self._commits].amount),
            composition=self._composition,
        )
        self.lives.append(process)
        process.start()
        return process

    def _died(self, process: Process) -> None:
        self._note_cut_off()
        if process is self.current:
            # In no process's context: this one's has ended.
            self._loop.call_later(self._chance.choice(_DOWN), self._restart, context=Context())

    def _restart(self) -> None:
        if self.current.life.ended:
            self.current = self._new()

    def _note_cut_off(self) -> None:
        if self._database.file.in_transaction:
            # A process dies between two statements; what it had not committed is gone.
            self._database.file.rollback()
        rows = self._database.file.execute("SELECT business_key FROM effects WHERE state = 'intent'")
        self.cut_off.update(key for (key,) in rows)

    def _at_next_commit(self) -> AtCommit:
        self._commits += 1
        if self._is_clear():
            return AtCommit.NOTHING
        trouble = self._at_commit.get(self._commits)
        if trouble is None:
            return AtCommit.NOTHING
        if trouble.kind is AtCommit.DISK_FULL:
            # It hurts whatever needs room while it lasts.
            self._database.fill()
            self._loop.call_later(trouble.amount * _FULL, self._database.make_room, context=Context())
        return trouble.kind

    def _struck(self, kind: AtCommit) -> None:
        self._story.strike(kind, "machine", f"commit {self._commits}")
