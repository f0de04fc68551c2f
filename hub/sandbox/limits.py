"""Limits that really refuse: requests a second in a sliding window, and requests in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from hub.sandbox.clock import Clock
from hub.sandbox.problem import Problem


class LimitExceeded(Exception):
    """The request comes over a limit; `problem` says which."""

    def __init__(self, problem: Problem) -> None:
        """Take the problem to be put into the vendor's words."""
        super().__init__(problem.detail)
        self.problem = problem


class Limiter:
    """Counts one account's requests; `rate` is a second, `concurrency` is in flight, None is no limit.

    Both may be changed while running; `refused` counts what was turned away.
    """

    def __init__(self, *, clock: Clock, rate: int | None = None, concurrency: int | None = None) -> None:
        """Start with nothing in flight."""
        self.rate = rate
        self.concurrency = concurrency
        self.refused = 0
        self.in_flight = 0
        self.highest = 0
        self._clock = clock
        self._recent: deque[float] = deque()

    @property
    def left(self) -> int | None:
        """Give how many more requests may come in the present second; None without a rate."""
        if self.rate is None:
            return None
        self._forget(self._clock.monotonic())
        return max(self.rate - len(self._recent), 0)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Take a place for as long as the request runs; raises `LimitExceeded` when there is none."""
        if self.concurrency is not None and self.in_flight >= self.concurrency:
            self._refuse("concurrency", f"At most {self.concurrency} requests may run at once.")
        if self.rate is not None:
            self._count(self.rate)
        self.in_flight += 1
        self.highest = max(self.highest, self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1

    def _count(self, rate: int) -> None:
        now = self._clock.monotonic()
        self._forget(now)
        if len(self._recent) >= rate:
            self._refuse("rate", f"At most {rate} requests a second are allowed.")
        self._recent.append(now)

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()

    def _refuse(self, reason: str, detail: str) -> None:
        self.refused += 1
        raise LimitExceeded(Problem(status=429, reason=reason, detail=detail))


def limited(limiter: Limiter, render: Callable[[Problem], web.Response]) -> Any:
    """Make a middleware that refuses what comes over the limits, in the vendor's words."""

    @web.middleware
    async def stand(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            with limiter.hold():
                return await handler(request)
        except LimitExceeded as exceeded:
            return render(exceeded.problem)

    return stand
