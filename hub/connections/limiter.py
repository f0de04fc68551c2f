"""What one account may be asked for: requests in flight, requests a second, and the pauses it asks for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.sdk.connector import Limits

#: A pause asked for is never longer than this.
LONGEST_PAUSE = 300.0
#: Who would have to wait longer is turned away and comes back by a durable timer, so that it holds up nobody else.
LONGEST_WAIT = 10.0
#: How far starts may lag behind their rate and still be made up for.
LATENESS = timedelta(seconds=0.1)


class Limiter:
    """Shared by everything that speaks to one account, so that no two flows overrun it together."""

    def __init__(self, limits: Limits, ambient: Ambient) -> None:
        """Take the lowest of the limits that apply."""
        self.limits = limits
        self._ambient = ambient
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._in_flight = 0
        self._next_start: datetime = ambient.now()
        self._paused_until: datetime = ambient.now()
        self._refusals = 0

    @property
    def in_flight(self) -> int:
        """Give how many requests are under way."""
        return self._in_flight

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """Wait until one more request may be made, and hold its place; `LimitReached` when that takes too long."""
        async with self._slots:
            await self._wait()
            self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1

    def refused(self, after: float | None) -> float:
        """Learn that the account refused a request; everybody waits. Gives the seconds."""
        self._refusals = min(self._refusals + 1, 8)
        backoff = 0.05 * 2.0**self._refusals * self._ambient.random.uniform(0.5, 1.0)
        seconds = min(max(after if after is not None else backoff, 0.0), LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, self._ambient.now() + timedelta(seconds=seconds))
        return seconds

    def accepted(self) -> None:
        """Learn that the account serves again."""
        self._refusals = 0

    async def _wait(self) -> None:
        # Nobody takes a turn only to be turned away.
        self._assert_short(self._ambient.now())
        turn = self._turn()
        while (start := max(self._paused_until, turn)) > (now := self._ambient.now()):
            self._assert_short(now)
            await self._ambient.clock.sleep((start - now).total_seconds())

    def _assert_short(self, now: datetime) -> None:
        seconds = (self._paused_until - now).total_seconds()
        if seconds > LONGEST_WAIT:
            raise LimitReached("The account has asked for a pause.", after=seconds)

    def _turn(self) -> datetime:
        """Take the next place in the row of starts, so that each sleeper wakes once and for its own."""
        now = self._ambient.now()
        if self.limits.rate is None:
            return now
        # Whoever wakes a little late must not slow down all who come after.
        turn = max(self._next_start, now - LATENESS)
        self._next_start = turn + timedelta(seconds=1.0 / self.limits.rate)
        return turn
