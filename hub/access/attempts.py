"""Guessing made slow: after a few wrong passwords for one address, the next try has to wait."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

#: So many wrong passwords are free within the window.
FREE = 5
WINDOW = timedelta(minutes=15)
#: How many addresses are remembered; the oldest are forgotten first, so that memory stays bounded.
REMEMBERED = 10_000


class Attempts:
    """Wrong passwords of one process, by address."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wait(self, email: str, now: datetime) -> float:
        """Give the seconds until this address may be tried again, 0.0 for at once."""
        failures = self._failures.get(email)
        if failures is None or len(failures) < FREE:
            return 0.0
        return max(0.0, (failures[0] + WINDOW - now).total_seconds())

    def failed(self, email: str, now: datetime) -> None:
        """Remember a wrong password."""
        self._failures.setdefault(email, deque(maxlen=FREE)).append(now)
        self._failures.move_to_end(email)
        if len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, email: str) -> None:
        """Forget what went wrong before."""
        self._failures.pop(email, None)
