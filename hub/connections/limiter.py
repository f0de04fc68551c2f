"""What one account may be asked for: requests in flight, requests a second, and the pauses it asks for."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.sdk.connector import Limits

#: A pause asked for is never longer than this.
LONGEST_PAUSE = 300.0
#: Who would have to wait longer is turned away and comes back by a durable timer, so that it holds up nobody else.
LONGEST_WAIT = 10.0
#: So far ahead turns are given; for a later one a run comes back by a durable timer too.
LONGEST_TURN = 60.0
#: So long somebody sleeps whose turn is later, where limits may change meanwhile.
LONGEST_SLEEP = 5.0
#: How far starts may lag behind their rate and still be made up for.
LATENESS = timedelta(seconds=0.1)


class Limiter:
    """Shared by everything that speaks to one account, so that no two flows overrun it together."""

    def __init__(self, limits: Limits | Callable[[datetime], Limits], ambient: Ambient) -> None:
        """Take the lowest of the limits that apply, or what tells it for the present moment."""
        self._asked = limits if callable(limits) else None
        self._ambient = ambient
        self.limits = limits(ambient.now()) if callable(limits) else limits
        self._entered = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._round = 0
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
        self._look()
        await self._enter()
        try:
            await self._wait()
            self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1
        finally:
            self._leave()

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

    def _look(self) -> None:
        """Take over other limits when they have changed: more may enter at once, and turns are taken anew."""
        if self._asked is None:
            return
        limits = self._asked(self._ambient.now())
        if limits == self.limits:
            return
        if limits.rate != self.limits.rate:
            self._round += 1
            self._next_start = self._ambient.now()
        self.limits = limits
        self._admit()

    async def _enter(self) -> None:
        """Wait in the row until one more may enter."""
        if self._entered < self.limits.concurrency and not self._queue:
            self._entered += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                with contextlib.suppress(ValueError):
                    self._queue.remove(place)
            else:
                # It was let in at the very moment it was cancelled.
                self._leave()
            raise

    def _leave(self) -> None:
        self._entered -= 1
        self._admit()

    def _admit(self) -> None:
        while self._queue and self._entered < self.limits.concurrency:
            place = self._queue.popleft()
            if not place.done():
                self._entered += 1
                place.set_result(None)

    async def _wait(self) -> None:
        # Nobody takes a turn only to be turned away.
        self._assert_short(self._ambient.now())
        round, turn = self._round, self._turn()
        while (start := max(self._paused_until, turn)) > (now := self._ambient.now()):
            self._assert_short(now)
            # Who sleeps long looks up in between: by then the limits may be others.
            seconds = (start - now).total_seconds()
            await self._ambient.clock.sleep(seconds if self._asked is None else min(seconds, LONGEST_SLEEP))
            self._look()
            if round != self._round:
                round, turn = self._round, self._turn()

    def _assert_short(self, now: datetime) -> None:
        seconds = (self._paused_until - now).total_seconds()
        if seconds > LONGEST_WAIT:
            raise LimitReached("The account has asked for a pause.", after=seconds)

    def _turn(self) -> datetime:
        """Take the next place in the row of starts, so that each sleeper wakes once and for its own."""
        now = self._ambient.now()
        if self.limits.rate is None:
            return now
        ahead = (self._next_start - now).total_seconds()
        if ahead > LONGEST_TURN:
            raise LimitReached("The account's pace leaves no turn for a while.", after=ahead)
        # Whoever wakes a little late must not slow down all who come after.
        turn = max(self._next_start, now - LATENESS)
        self._next_start = turn + timedelta(seconds=1.0 / self.limits.rate)
        return turn
