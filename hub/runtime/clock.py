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
    """Give the real clock with chance from the system, or from a seed."""
    return Ambient(clock=SystemClock(), random=random.SystemRandom() if seed is None else random.Random(seed))
