"""A worker: claims runs as long as it has hands free, and gives each a task of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import structlog

from hub.engine.parts import Parts
from hub.engine.runner import Runner
from hub.errors import Fatal, NotDurable
from hub.model.ambient import of_micros
from hub.store.claims import Claim, Claimed
from hub.store.committer import Work
from hub.store.runs import hand_back

log = structlog.get_logger(__name__)

#: The longest it takes to notice a run that nobody announced.
POLL_SECONDS = 1.0
#: The same while other processes tell of what they have announced: such a message may be lost.
SAFETY_SECONDS = 5.0
#: How long runs in hand may go on when the process stops; what is then left is handed back.
DRAIN_SECONDS = 5.0


class Worker:
    """Runs flows until it is stopped; `wake` tells it that there may be something to do."""

    runner: type[Runner] = Runner
    poll_seconds: float = POLL_SECONDS

    def __init__(self, parts: Parts) -> None:
        """Take the collaborators."""
        self._parts = parts
        self._tasks: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._stopping = False
        self._stop = asyncio.Event()
        self._hurried = asyncio.Event()
        self._handed_back = 0
        self._full = False
        self._died: asyncio.Future[None] | None = None

    @property
    def in_flight(self) -> int:
        """Give how many runs are in hand."""
        return len(self._tasks)

    def wake(self) -> None:
        """Look for work now."""
        self._awake.set()

    async def run(self) -> None:
        """Claim and run until stopped; raises `Fatal` when durability is gone."""
        self._died = asyncio.get_running_loop().create_future()
        self._stopped = asyncio.ensure_future(self._stop.wait())
        wait: float | None = None
        while not self._stopping:
            free = self._parts.capacity - len(self._tasks)
            if free <= 0:
                self._full = True
                # What was announced by now is found when a hand is free.
                self._awake.clear()
                await self._rest(self.poll_seconds)
                wait = None
                continue
            self._full = False
            claiming = await self._claiming(free, wait)
            either: set[asyncio.Future[Any]] = {claiming, self._stopped}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not claiming.done():
                break
            claimed: Claimed = claiming.result()
            for item in claimed.runs:
                task = asyncio.create_task(self.runner(self._parts, item).run())
                self._tasks.add(task)
                task.add_done_callback(self._finished)
            wait = None if len(claimed.runs) == free else self._until(claimed.next_at)
        self._parts.committer.withdraw()
        self._stopped.cancel()
        await self._drain()

    async def _claiming(self, free: int, wait: float | None) -> asyncio.Future[Claimed]:
        """Claim at once, or (`wait` seconds, and until something is announced) with the first change that makes work.

        A run is then claimed in the transaction that makes it ready.
        """
        committer = self._parts.committer
        if wait is None:
            self._awake.clear()
            return committer.submit(self.claim(free))
        claiming = committer.stand(self.claim(free))
        await self._rest(wait, claiming)
        if not claiming.done():
            self._awake.clear()
            committer.call()
        return claiming

    def _until(self, next_at: int | None) -> float:
        if next_at is None:
            return self.poll_seconds
        until = of_micros(next_at) - self._parts.ambient.now()
        return min(self.poll_seconds, max(until / timedelta(seconds=1), 0.0))

    @property
    def handed_back(self) -> int:
        """Give how many runs this worker gave back at its end, unfinished."""
        return self._handed_back

    def claim(self, limit: int) -> Claim:
        """Say what to claim."""
        refused = frozenset(self._parts.refused)
        return Claim(environment=self._parts.environment, owner=self._parts.worker, limit=limit, refused=refused)

    def relies(self, *, on_others: bool) -> None:
        """Poll rarely while others tell of new work, and often while nobody does."""
        self.poll_seconds = SAFETY_SECONDS if on_others else POLL_SECONDS
        self.wake()

    def stop(self) -> None:
        """Claim nothing more; what is in hand is finished, or handed back when it takes too long."""
        self._stopping = True
        self._stop.set()
        self.wake()

    def hurry(self) -> None:
        """Hand back what is in hand now."""
        self._hurried.set()

    async def _rest(self, seconds: float, claiming: asyncio.Future[Claimed] | None = None) -> None:
        """Wait so long, or until something is announced, or the claim is made."""
        woken: asyncio.Future[object] = asyncio.ensure_future(self._awake.wait())
        slept: asyncio.Future[object] = asyncio.ensure_future(self._parts.ambient.clock.sleep(seconds))
        assert self._died is not None
        waited: set[asyncio.Future[object]] = {woken, slept, self._died}  # type: ignore[arg-type]
        if claiming is not None:
            waited.add(claiming)  # type: ignore[arg-type]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()
        if self._died.done():
            self._died.result()

    async def _drain(self) -> None:
        """Let what is in hand come to its end or to its next wait, for a while; give back the rest."""
        if self._tasks:
            waits: list[asyncio.Future[object]] = [
                asyncio.ensure_future(asyncio.wait(self._tasks)),
                asyncio.ensure_future(self._hurried.wait()),
                asyncio.ensure_future(self._parts.ambient.clock.sleep(DRAIN_SECONDS)),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        environment, owner = self._parts.environment, self._parts.worker
        try:
            # What they handed to the committer before is recorded first; a call that nobody waits for any more is
            # unknown to whoever goes on.
            self._handed_back = await self._parts.committer.commit(
                Work(lambda transaction: hand_back(transaction, environment=environment, owner=owner))
            )
        except NotDurable as error:
            # The next start takes them up, as after a crash.
            log.warning("worker.not_handed_back", reason=str(error))

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._full:
            self.wake()
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self._died is None or self._died.done():
            return
        log.critical("worker.died", error=str(error))
        self._died.set_exception(error if isinstance(error, Fatal) else Fatal(reason=str(error)))
