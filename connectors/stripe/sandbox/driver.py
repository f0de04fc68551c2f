"""Lets things happen over time: so many finalisations a second, payments some while after them."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from connectors.stripe.sandbox.account import Account

Action = Callable[[], None]


class Driver:
    """Runs planned actions when they are due; the order of equal times is the order of planning."""

    def __init__(self, account: Account) -> None:
        """Start with nothing planned."""
        self._account = account
        self._heap: list[tuple[float, int, Action]] = []
        self._count = 0
        self._timer: asyncio.TimerHandle | None = None
        self.done = 0

    @property
    def planned(self) -> int:
        """Count what is still to happen."""
        return len(self._heap)

    def plan(self, seconds: float, action: Action) -> None:
        """Plan an action for `seconds` from now."""
        due = asyncio.get_running_loop().time() + seconds
        heapq.heappush(self._heap, (due, self._count, action))
        self._count += 1
        self._arm()

    def stop(self) -> None:
        """Drop everything planned."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._heap.clear()
        self.done = 0

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if self._heap:
            self._timer = asyncio.get_running_loop().call_at(self._heap[0][0], self._run)

    def _run(self) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + 0.02  # A burst makes way for requests now and then.
        try:
            while self._heap and self._heap[0][0] <= loop.time() < ends:
                _, _, action = heapq.heappop(self._heap)
                self.done += 1
                action()
        finally:
            self._arm()
