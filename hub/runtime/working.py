"""The worker of a process: it begins, ends in order, and is replaced when its lease is over."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from hub.engine.parts import Parts
from hub.engine.worker import Worker
from hub.errors import Fatal, NotDurable
from hub.runtime.heartbeat import Heartbeat
from hub.store import leases, runs
from hub.store.committer import Transaction, Work

log = structlog.get_logger(__name__)


class Working:
    """The one worker that a process has at a time; where several processes share the data, it has a lease.

    What belongs to a worker whose lease is over is anybody's. So one that finds its own taken back lets go of
    everything, and another one begins, under another name.
    """

    def __init__(self, parts: Parts, worker: Worker, *, heartbeat: Heartbeat | None = None) -> None:
        """Take the first worker with what it works with; nothing runs yet."""
        self.worker = worker
        self._parts = parts
        self._heartbeat = heartbeat
        self._task: asyncio.Task[None] | None = None
        self._replacing: asyncio.Task[None] | None = None
        self._stopping = False
        self.on_death: Callable[[BaseException], None] = lambda _error: None

    @property
    def name(self) -> str:
        """Give what the present worker is called."""
        return self._parts.worker

    @property
    def working(self) -> bool:
        """Tell whether work was begun, and not only for what is there to be taken back."""
        return self._task is not None

    async def lease(self) -> None:
        """Take a lease, where there are any, and keep it from here on; before anything is claimed."""
        self._parts.committer.on_wake = self.worker.wake
        if self._heartbeat is not None:
            self._heartbeat.on_over = self._take_back
            self._heartbeat.on_lost = self._replace
            await asyncio.to_thread(self._heartbeat.begin, self.name)
            self._heartbeat.start()

    def recover(self, transaction: Transaction) -> int:
        """Take back what nobody works on any more, at a start; gives the number of runs.

        Where this process alone has the data that is everything, and else what belongs to workers whose lease is over.
        """
        if self._heartbeat is None:
            return runs.recover(transaction, environment=self._parts.environment, actor=self.name)
        return leases.take_back(transaction, environment=self._parts.environment, actor=self.name)

    def begin(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self.worker.run())
        self._task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Claim nothing more, let what is in hand come to its rest, and hand back what does not in time."""
        self._stopping = True
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.wait({self._replacing})
        if self._task is None:
            return
        began, in_hand = time.monotonic(), self.worker.in_flight
        self.worker.stop()
        await asyncio.wait({self._task})
        seconds, back = round(time.monotonic() - began, 2), self.worker.handed_back
        log.info("hub.drained", seconds=seconds, in_hand=in_hand, handed_back=back)

    def end(self, transaction: Transaction) -> None:
        """Take note that the worker has ended: it holds nothing any more."""
        if self._heartbeat is not None:
            leases.end(transaction, self.name)

    async def close(self) -> None:
        """Let the heartbeat end."""
        if self._heartbeat is not None:
            await asyncio.to_thread(self._heartbeat.stop)

    def _take_back(self) -> None:
        """Take back what others have left, whose lease is over."""
        if self._stopping or self._task is None:
            return
        environment, actor = self._parts.environment, self.name

        def work(transaction: Transaction) -> None:
            taken = leases.take_back(transaction, environment=environment, actor=actor)
            log.warning("worker.taken_back", runs=taken)

        self._parts.committer.leave(Work(work))

    def _replace(self) -> None:
        if not self._stopping and (self._replacing is None or self._replacing.done()):
            self._replacing = asyncio.create_task(self._begin_anew())
            self._replacing.add_done_callback(self._ended)

    async def _begin_anew(self) -> None:
        assert self._heartbeat is not None
        lost, task = self.worker, self._task
        log.error("worker.lease_lost", worker=self.name, in_hand=lost.in_flight)
        if task is not None:
            # What it has in hand is in other hands: it neither sends nor records any more.
            lost.stop()
            lost.hurry()
            await asyncio.wait({task})
        name = self._parts.ambient.new_id("worker")
        while True:
            with contextlib.suppress(NotDurable):
                await asyncio.to_thread(self._heartbeat.begin, name)
                break
            await self._parts.ambient.clock.sleep(1.0)
        self._parts = replace(self._parts, worker=name)
        self.worker = type(lost)(self._parts)
        self._parts.committer.on_wake = self.worker.wake
        if task is not None:
            self.begin()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.on_death(error if isinstance(error, Fatal) else Fatal(reason=str(error)))
