"""Measures of one account's traffic: how many requests went out lately, and how long they take."""

from __future__ import annotations

from collections import deque

SECOND = 1_000_000
#: Before the first answer, only a request that takes so many seconds tells anything.
_LONG = 1.0
#: The weight of one request in the mean of all.
_WEIGHT = 0.1
#: What was the most in one of so many seconds is the most of late.
_LATELY = 10
#: The longest of late is that of this minute and of the one before it: what is rare and long comes again.
_STRETCH = 60 * SECOND


class Meter:
    """Counts requests by the second, and tells how long one is under way; times are microseconds."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.started = 0
        self._second = 0
        self._now = self._highest = 0
        #: The seconds before this one in which anything was under way, each with its starts and the most in flight.
        self._past: deque[tuple[int, int, int]] = deque(maxlen=_LATELY)
        self._under_way = 0
        self._begun = 0
        self._mean: float | None = None
        #: When those began that are under way, the oldest first, with how many began then.
        self._begins: dict[int, int] = {}
        self._stretch = 0
        #: How long the longest took in this stretch and in the one before it, and whether any was served.
        self._longest = [(0, False), (0, False)]

    def start(self, now: int) -> None:
        """Count a request."""
        self._turn(now)
        self._now += 1
        self.started += 1
        self._under_way += 1
        self._highest = max(self._highest, self._under_way)
        self._begun += now
        self._begins[now] = self._begins.get(now, 0) + 1

    def rate(self, now: int) -> float:
        """Give the most requests that went out in a second of late."""
        self._turn(now)
        return float(max([self._now, *(starts for _, starts, _ in self._past)]))

    def highest(self, now: int) -> int:
        """Give the most requests in flight of late."""
        self._turn(now)
        return max([self._highest, *(highest for _, _, highest in self._past)])

    def undo(self, began: int) -> None:
        """Learn that a request that began then did not leave: how long that took is not the vendor's doing."""
        self._under_way -= 1
        self._begun -= began
        self._begins[began] -= 1
        if not self._begins[began]:
            del self._begins[began]

    def end(self, began: int, now: int) -> None:
        """Learn that a request that began then is under way no more."""
        self.undo(began)
        seconds = (now - began) / SECOND
        self._mean = seconds if self._mean is None else self._mean + (seconds - self._mean) * _WEIGHT
        self._lasted(now, now - began, served=False)

    def served(self, now: int) -> None:
        """Learn that one was served: who is refused, or reaches nobody, learns nothing of how long it takes."""
        self._lasted(now, 0, served=True)

    def longest(self, now: int) -> int:
        """Give how many microseconds the longest of late took, or is under way by now; 0 where none was served."""
        self._lasted(now, 0, served=False)
        if not any(served for _, served in self._longest):
            return 0
        age = now - next(iter(self._begins), now)
        # Something that took no time was seen all the same.
        return max(1, age, *(micros for micros, _ in self._longest))

    def lasting(self, now: int) -> float | None:
        """Give for how many seconds a request is under way; None before anything is known.

        Those that have been under way for long tell as well: on the average they are half-way.
        """
        if not self._under_way:
            return self._mean
        age = 2 * (now - self._begun / self._under_way) / SECOND
        if self._mean is None:
            return age if age >= _LONG else None
        return max(age, self._mean)

    def _lasted(self, now: int, micros: int, *, served: bool) -> None:
        stretch = now // _STRETCH
        if stretch != self._stretch:
            before = self._longest[1] if stretch == self._stretch + 1 else (0, False)
            self._stretch, self._longest = stretch, [before, (0, False)]
        longest, any_served = self._longest[1]
        self._longest[1] = max(longest, micros), any_served or served

    def _turn(self, now: int) -> None:
        second = now // SECOND
        if second != self._second:
            if self._highest:
                self._past.append((self._second, self._now, self._highest))
            self._second, self._now, self._highest = second, 0, self._under_way
        while self._past and self._past[0][0] < second - _LATELY:
            self._past.popleft()
