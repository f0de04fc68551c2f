"""A clock that leaps over waiting: what a trial waits for comes at once, and everything else takes its time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class LeapingClock:
    """The machine's time, moved ahead whenever nothing is going on; `told` is called with the seconds of each leap."""

    def __init__(self, *, ahead: float = 0.0, told: Callable[[float], None] = lambda _seconds: None) -> None:
        """Begin so many seconds ahead of the machine."""
        self._ahead = timedelta(seconds=ahead)
        self._told = told
        self._sleepers: dict[asyncio.Future[None], datetime] = {}

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return datetime.now(UTC) + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Wait that long, or until the clock has leapt over it."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers[sleeper] = self.now() + timedelta(seconds=seconds)
        timer = loop.call_later(max(seconds, 0.0), _wake, sleeper)
        try:
            await sleeper
        finally:
            timer.cancel()
            del self._sleepers[sleeper]

    def leap(self, seconds: float) -> None:
        """Move ahead by so much, and wake who slept no longer than that."""
        self._ahead += timedelta(seconds=seconds)
        self._told(seconds)
        now = self.now()
        for sleeper, due in list(self._sleepers.items()):
            if due <= now:
                _wake(sleeper)

    def put_right(self, seconds: float) -> None:
        """Take back by how much the clock was ahead from the beginning."""
        self._ahead -= timedelta(seconds=seconds)

    def until_next(self) -> float | None:
        """Give the seconds until the first sleeper wakes; None when nobody sleeps."""
        due = min(self._sleepers.values(), default=None)
        return None if due is None else max((due - self.now()) / timedelta(seconds=1), 0.0)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
