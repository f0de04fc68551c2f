"""Measures of one account's traffic: how many requests went out lately, and how long they take."""

from __future__ import annotations

SECOND = 1_000_000
#: Before the first answer, only a request that takes so many seconds tells anything.
_LONG = 1.0
#: The weight of one request in the mean of all.
_WEIGHT = 0.1


class Meter:
    """Counts requests by the second, and tells how long one is under way; times are microseconds."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.started = 0
        self._second = 0
        self._before = self._now = 0
        self._under_way = 0
        self._begun = 0
        self._mean: float | None = None

    def start(self, now: int) -> None:
        """Count a request."""
        self._turn(now)
        self._now += 1
        self.started += 1
        self._under_way += 1
        self._begun += now

    def rate(self, now: int) -> float:
        """Give the requests a second over the last second or two."""
        self._turn(now)
        elapsed = (now % SECOND) / SECOND
        return (self._before + self._now) / (1 + elapsed)

    def end(self, began: int, now: int) -> None:
        """Learn that a request that began then is under way no more."""
        self._under_way -= 1
        self._begun -= began
        seconds = (now - began) / SECOND
        self._mean = seconds if self._mean is None else self._mean + (seconds - self._mean) * _WEIGHT

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

    def _turn(self, now: int) -> None:
        second = now // SECOND
        if second == self._second:
            return
        self._before = self._now if second == self._second + 1 else 0
        self._now = 0
        self._second = second
