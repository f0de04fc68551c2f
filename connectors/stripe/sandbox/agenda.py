"""What will happen when the sandbox's clock gets there: money becomes available, payouts arrive, refunds fail."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Agenda:
    """Actions by the time they are due; those of one second happen in the order they were planned."""

    def __init__(self) -> None:
        """Start with nothing planned."""
        self._heap: list[tuple[int, int, Action]] = []
        self._count = 0

    def __len__(self) -> int:
        """Count what is still to happen."""
        return len(self._heap)

    @property
    def next(self) -> int | None:
        """Give when the next action is due; None when nothing is planned."""
        return self._heap[0][0] if self._heap else None

    def plan(self, due: int, action: Action) -> None:
        """Plan an action for a time in seconds since 1970."""
        heapq.heappush(self._heap, (due, self._count, action))
        self._count += 1

    def run(self, now: int) -> None:
        """Do everything that is due by now, also what is planned meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            heapq.heappop(self._heap)[2]()
