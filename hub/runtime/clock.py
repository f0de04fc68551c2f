"""The real clock and real chance, for a process that serves."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from hub.model.ambient import Ambient


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        await asyncio.sleep(seconds)


def system_ambient(seed: int | None = None) -> Ambient:
    """Give the real clock with chance that begins anywhere, or with a seed.

    Names and waits are drawn from it and nothing that must not be guessed, so the system is asked only once.
    """
    return Ambient(clock=SystemClock(), random=random.Random(seed), of_the_machine=True)
