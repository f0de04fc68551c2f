"""What is to happen by itself, by the sandbox's clock, which a test moves ahead."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from hub.sandbox.world import World

#: The clock may be moved ahead meanwhile, so that nothing is waited for any longer than this.
_LONGEST = 1.0


class Agenda:
    """Keeps what is planned, and does it when it is due."""

    def __init__(self, world: World) -> None:
        """Start with nothing planned."""
        self._world = world
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Count what is planned."""
        return len(self._heap)

    def plan(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen in so many seconds."""
        self._count += 1
        heapq.heappush(self._heap, (self._world.clock.monotonic() + seconds, self._count, action))
        self._arm()

    def catch_up(self) -> None:
        """Do what is due, the earliest first."""
        while self._heap and self._heap[0][0] <= self._world.clock.monotonic():
            heapq.heappop(self._heap)[2]()

    def forget(self) -> None:
        """Forget everything planned."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _arm(self) -> None:
        if self._timer is not None or not self._heap:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # Without a loop somebody else asks from time to time what is due.
        seconds = self._heap[0][0] - self._world.clock.monotonic()
        self._timer = loop.call_later(min(max(seconds, 0.0), _LONGEST), self._fire)

    def _fire(self) -> None:
        self._timer = None
        try:
            self.catch_up()
        finally:
            self._arm()
