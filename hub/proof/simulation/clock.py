"""The clock of a simulation: the loop's virtual time on a date of its own, which may leap as real clocks do."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hub.proof.simulation.loop import VirtualLoop

#: When every trial begins: the last evening of a quarter, so that dates change while it runs.
BEGINNING = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)


class VirtualClock:
    """What a simulated machine shows; timers run by the loop's own time, which never leaps."""

    def __init__(self, loop: VirtualLoop) -> None:
        """Begin at the beginning."""
        self._loop = loop
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return BEGINNING + timedelta(seconds=self._loop.time()) + self._ahead

    async def sleep(self, seconds: float) -> None:
        """Let that much virtual time pass."""
        await asyncio.sleep(seconds)

    def leap(self, seconds: float) -> None:
        """Show a time that is so much later, or earlier, from now on."""
        self._ahead += timedelta(seconds=seconds)
