"""A worker: claims runs as long as it has hands free, and gives each a task of its own."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import structlog

from hub.engine.parts import Parts
from hub.engine.runner import Runner
from hub.errors import Fatal
from hub.model.ambient import of_micros
from hub.store.runs import Claim, Claimed

log = structlog.get_logger(__name__)

#: The longest it takes to notice a run that nobody announced.
POLL_SECONDS = 1.0


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
        while not self._stopping:
            self._awake.clear()
            free = self._parts.capacity - len(self._tasks)
            wait = self.poll_seconds
            if free > 0:
                claimed: Claimed = await self._parts.committer.commit(self.claim(free))
                for item in claimed.runs:
                    task = asyncio.create_task(self.runner(self._parts, item).run())
                    self._tasks.add(task)
                    task.add_done_callback(self._finished)
                if len(claimed.runs) == free:
                    continue
                if claimed.next_at is not None:
                    until = of_micros(claimed.next_at) - self._parts.ambient.now()
                    wait = min(wait, max(until / timedelta(seconds=1), 0.0))
            await self._rest(wait)
        await self._drain()

    def claim(self, limit: int) -> Claim:
        """Say what to claim."""
        return Claim(environment=self._parts.environment, owner=self._parts.worker, limit=limit)

    def stop(self) -> None:
        """Claim nothing more; what is in hand is finished."""
        self._stopping = True
        self.wake()

    async def _rest(self, seconds: float) -> None:
        woken: asyncio.Future[object] = asyncio.ensure_future(self._awake.wait())
        slept: asyncio.Future[object] = asyncio.ensure_future(self._parts.ambient.clock.sleep(seconds))
        assert self._died is not None
        waited: set[asyncio.Future[object]] = {woken, slept, self._died}  # type: ignore[arg-type]
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            slept.cancel()
        if self._died.done():
            self._died.result()

    async def _drain(self, seconds: float = 10.0) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake()
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self._died is None or self._died.done():
            return
        log.critical("worker.died", error=str(error))
        self._died.set_exception(error if isinstance(error, Fatal) else Fatal(reason=str(error)))
