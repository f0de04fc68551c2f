"""The pulse of the hub's regular works: whether each still goes on, by a clock that is never put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class _Beats:
    """How often a work is to be done, and when it was done last (seconds of the pulse's clock)."""

    every: float
    last: float


class Pulse:
    """Remembers when each regular work was done last; nothing is expected of what was never announced."""

    def __init__(self, *, started_at: datetime, seconds: Callable[[], float]) -> None:
        """Take the moment at which the process began, and a clock that only goes forward."""
        self.started_at = started_at
        self._seconds = seconds
        self._beats: dict[str, _Beats] = {}

    def expect(self, work: str, every: float) -> None:
        """Announce a work that is to be done every so many seconds from now on."""
        self._beats[work] = _Beats(every=every, last=self._seconds())

    def beat(self, work: str) -> None:
        """Say that a work was done."""
        if work in self._beats:
            self._beats[work].last = self._seconds()

    def silent(self, *, at_least: float) -> dict[str, float]:
        """Give for how many seconds each work has not been done that should have been ten times, or `at_least`."""
        now = self._seconds()
        silences = {work: now - beats.last for work, beats in self._beats.items()}
        return {
            work: silence for work, silence in silences.items() if silence > max(10 * self._beats[work].every, at_least)
        }
