"""A sandbox's clock: the machine's time, which a test may move ahead."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the sandbox's time; only `advance` makes it differ from the machine's."""

    def __init__(self) -> None:
        """Start at the machine's time."""
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Give the time as an aware UTC datetime."""
        return datetime.now(UTC) + self._ahead

    def timestamp(self) -> int:
        """Give the time in whole seconds since 1970."""
        return int(time.time() + self._ahead.total_seconds())

    def monotonic(self) -> float:
        """Give seconds that never run backwards, moved ahead like the rest."""
        return time.monotonic() + self._ahead.total_seconds()

    def advance(self, seconds: float) -> None:
        """Move the clock ahead, so that tokens end and windows open without waiting."""
        self._ahead += timedelta(seconds=seconds)
