"""The scheduler's duty: of all processes that could do what must happen once, one does it, as long as it lives.

Where a process is alone with its data it has the duty from the start, and nothing is written about it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import structlog

from hub.errors import Fatal, HubError
from hub.model.ambient import Ambient
from hub.store import duties
from hub.store.committer import Committer, Transaction, Work

log = structlog.get_logger(__name__)

#: A duty is prolonged so often within its lease that two tries may fail.
_TRIES = 4


async def _nothing() -> None:
    return


class Leading:
    """Takes the scheduler's duty when it is free, and keeps it; `leads` says whether it is this process's just now."""

    def __init__(
        self,
        *,
        environment: str,
        committer: Committer,
        ambient: Ambient,
        holder: str,
        seconds: float,
        shared: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the collaborators; `holder` names the process, and `shared` says that others have the same data.

        A duty that was not prolonged for so many `seconds` is anybody's.
        """
        self._environment = environment
        self._committer = committer
        self._ambient = ambient
        self._holder = holder
        self._seconds = seconds
        self._shared = shared
        self._monotonic = monotonic
        #: Until when it is surely held, on the monotonic clock.
        self._until = 0.0
        self._led = False
        self.on_taken: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], Awaitable[None]] = _nothing

    @property
    def leads(self) -> bool:
        """Tell whether the duty is this process's now."""
        return not self._shared or self._monotonic() < self._until

    async def run(self) -> None:
        """Try to take the duty and prolong it, until cancelled; nothing to do where the process is alone."""
        while self._shared:
            await self.try_once()
            await self._ambient.clock.sleep(self._seconds / _TRIES)

    async def try_once(self) -> None:
        """Take the duty or prolong it, and tell where that has changed something."""
        # Its lease is counted from here, which is before the database counts it from.
        began = self._monotonic()
        try:
            held = await self._committer.commit(Work(self._take))
        except Fatal:
            raise
        except HubError as error:
            log.warning("duty.not_asked", reason=str(error))
        else:
            self._until = began + self._seconds if held.holder == self._holder else 0.0
        if self.leads == self._led:
            return
        self._led = self.leads
        if self._led:
            log.info("duty.taken", duty=duties.SCHEDULER, holder=self._holder)
            self.on_taken()
        else:
            log.warning("duty.lost", duty=duties.SCHEDULER, holder=self._holder)
            await self.on_lost()

    async def give_up(self) -> None:
        """Let another process take the duty at once, where this one has it."""
        if not self._shared or not self._led:
            return
        self._until, self._led = 0.0, False
        try:
            await self._committer.commit(Work(self._give_up))
        except HubError as error:
            # The others take it when its lease is over.
            log.warning("duty.not_given_up", reason=str(error))

    def _take(self, transaction: Transaction) -> duties.Duty:
        return duties.take(
            transaction,
            environment=self._environment,
            duty=duties.SCHEDULER,
            holder=self._holder,
            seconds=self._seconds,
        )

    def _give_up(self, transaction: Transaction) -> None:
        duties.give_up(transaction, environment=self._environment, duty=duties.SCHEDULER, holder=self._holder)
