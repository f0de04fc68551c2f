"""What is to happen by itself, by the sandbox's clock, which a test moves ahead."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Due:
    """One thing to happen at `at` (seconds since 1970); of equal times the first planned comes first."""

    at: int
    number: int
    action: Callable[[], None] = field(compare=False)


class Agenda:
    """Keeps what is planned, the earliest first."""

    def __init__(self) -> None:
        """Start with nothing planned; `planned` is called whenever something is."""
        self._heap: list[Due] = []
        self._count = 0
        self.planned: Callable[[], None] = lambda: None

    def __len__(self) -> int:
        """Count what is planned."""
        return len(self._heap)

    @property
    def next_at(self) -> int | None:
        """Give when the next thing is due; None when nothing is planned."""
        return self._heap[0].at if self._heap else None

    def plan(self, at: int, action: Callable[[], None]) -> None:
        """Plan something; it looks for itself whether it still is to happen then."""
        heapq.heappush(self._heap, Due(at=at, number=self._count, action=action))
        self._count += 1
        self.planned()

    def clear(self) -> None:
        """Forget everything planned."""
        self._heap.clear()

    def take(self, now: int) -> Due | None:
        """Give the earliest thing that is due by now, and forget it."""
        return heapq.heappop(self._heap) if self._heap and self._heap[0].at <= now else None
