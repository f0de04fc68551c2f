"""The real clock and real chance, for a process that serves."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime

from hub.model.ambient import Ambient, of_micros

#: Microseconds by which what is heard may be behind: it was on its way for so long at most, or else the clock that is
#: heard of was put back.
_ON_ITS_WAY = 1_000_000


class SystemClock:
    """The machine's time; or, once it was heard of, that of a database which several machines share.

    A worker whose machine shows another time must not sign a login with it, or reckon a day by it: a vendor would
    refuse the login, and the connection be paused for all because of one machine. What is heard is carried on by what
    no setting of the machine's clock changes.
    """

    def __init__(self) -> None:
        """Begin with the machine's time."""
        self._shared: tuple[int, int] | None = None

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        shared = self._shared
        return machine_time() if shared is None else of_micros(_carried_on(shared))

    def hear(self, micros: int) -> None:
        """Go by the shared clock from here on, which shows so many microseconds since 1970 UTC just now."""
        shared = self._shared
        # Of two the later one was less long on its way. An answer that took longer than that puts the clock back until
        # the next one, as a clock of the database that was put back does for good.
        if shared is None or not 0 <= _carried_on(shared) - micros < _ON_ITS_WAY:
            self._shared = micros, time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)


def system_ambient(seed: int | None = None) -> Ambient:
    """Give the real clock with chance that begins anywhere, or with a seed.

    Names and waits are drawn from it and nothing that must not be guessed, so the system is asked only once.
    """
    clock = SystemClock()
    return Ambient(clock=clock, random=random.Random(seed), hear=clock.hear)


def machine_time() -> datetime:
    """Give what the machine's clock shows, as aware UTC."""
    return datetime.now(UTC)


def _carried_on(shared: tuple[int, int]) -> int:
    micros, heard = shared
    return micros + (time.monotonic_ns() - heard) // 1000
