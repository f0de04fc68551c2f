"""A clock that stands still until a test moves it, in any direction."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class StandingClock:
    """Shows the same moment until it is put to another one."""

    def __init__(self, moment: str) -> None:
        """Begin at a moment in UTC (ISO 8601)."""
        self.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Give the moment."""
        return self.moment

    def put(self, moment: str) -> None:
        """Show another moment, later or earlier."""
        self.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    def leap(self, time: timedelta) -> None:
        """Show a moment that is later by so much."""
        self.moment += time

    async def sleep(self, seconds: float) -> None:
        """Let others work; no time passes."""
        await asyncio.sleep(0)
