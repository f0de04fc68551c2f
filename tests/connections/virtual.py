"""A loop whose time passes at once when nothing is left to do, and a vendor that counts requests when they arrive."""

from __future__ import annotations

import asyncio
import math
import random
import selectors
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from hub.connections.limiter import Limiter
from hub.errors import LimitReached
from hub.model.ambient import Ambient
from hub.model.limits import Asker

Result = TypeVar("Result")
ZERO = datetime(2026, 1, 1, tzinfo=UTC)


class _Leaping(selectors.SelectSelector):
    """Instead of waiting, it lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found:
            if timeout is None:
                raise RuntimeError("everybody waits for somebody else")
            # Not a little too early by rounding, which would be so again and again.
            self.time = math.nextafter(self.time + max(timeout, 0.0), math.inf)
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        """Give the virtual time in seconds."""
        return self._leaping.time


class VirtualClock:
    """The running loop's time as a clock; who sleeps wakes up to `late` seconds late, and it can be set anew."""

    def __init__(self, late: Callable[[], float] = lambda: 0.0) -> None:
        """Take how late sleepers wake."""
        self._late = late
        self.ahead = timedelta()

    def now(self) -> datetime:
        """Give the moment."""
        return ZERO + self.ahead + timedelta(microseconds=round(asyncio.get_running_loop().time() * 1_000_000))

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds + self._late())


def ambient(seed: int = 1, clock: VirtualClock | None = None) -> Ambient:
    """Give virtual time and seeded chance."""
    return Ambient(clock=clock or VirtualClock(), random=random.Random(seed))


def run(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run something to its end on virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(work())
    finally:
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def now() -> float:
    """Give the virtual time in seconds."""
    return asyncio.get_running_loop().time()


def most_within(arrivals: Sequence[float], seconds: float) -> int:
    """Count the most arrivals in any window that long; its beginning belongs to it, its end does not."""
    ordered = sorted(round(arrival * 1_000_000) for arrival in arrivals)
    micros = round(seconds * 1_000_000)
    return max((place - bisect_right(ordered, at - micros) + 1 for place, at in enumerate(ordered)), default=0)


@dataclass(slots=True, kw_only=True)
class Vendor:
    """Counts what arrives and what is in flight; `refuses` may name an error for the n-th request.

    A request arrives `transit` seconds after it was sent and is answered `seconds` after that.
    """

    limiter: Limiter
    transit: Callable[[], float] = lambda: 0.0
    seconds: Callable[[], float] = lambda: 0.01
    refuses: Callable[[int], LimitReached | None] = lambda _number: None
    arrivals: list[float] = field(default_factory=list)
    askers: list[Asker] = field(default_factory=list)
    in_flight: int = 0
    highest: int = 0

    async def ask(self, asker: Asker, *, patient: bool = False, prepare: float = 0.0) -> None:
        """Make one request as the engine does: a permit, what must be durable first, and the sending."""
        async with self.limiter.permit(asker, patient=patient):
            await asyncio.sleep(prepare)
            async with self.limiter.sending() as start:
                await asyncio.sleep(self.transit())
                self.arrivals.append(now())
                self.askers.append(asker)
                refusal = self.refuses(len(self.arrivals))
                self.in_flight += 1
                self.highest = max(self.highest, self.in_flight)
                try:
                    await asyncio.sleep(self.seconds())
                finally:
                    self.in_flight -= 1
                if refusal is None:
                    self.limiter.served(start)
                    return
                self.limiter.refused(start, refusal)
        raise refusal

    async def keep_asking(self, asker: Asker, until: float, *, prepare: float = 0.0) -> None:
        """Ask again and again until a time, coming back when told to."""
        while now() < until:
            try:
                await self.ask(asker, prepare=prepare)
            except LimitReached as error:
                await asyncio.sleep(error.after or 1.0)
