"""The circuit breaker of one account: stops asking a target that does not serve, and finds out when it does again.

It opens when requests fail by transport or by the server's own fault, one after the other or nearly all of the last;
refusals of data and of limits are signs of life. While it is open, one probe is sent at growing intervals. After a
probe that was answered one request of a run goes out alone, and only its success closes the breaker.

Times are microseconds; all of it is pure and is told time and chance.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

#: So many failures one after the other open it,
IN_A_ROW = 10
#: or this part of so many, if they are not older than `RECENT`.
OF_LAST, PART, RECENT = 20, 0.75, 60_000_000
#: The first wait before a probe, its growth, and the longest.
FIRST, LONGEST = 5_000_000, 60_000_000
#: Waits are up to this part longer by chance, so that several hubs do not ask together.
_JITTER = 0.25


class BreakerState(StrEnum):
    """Whether requests go out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class Breaker:
    """Told of each request that failed or was served."""

    def __init__(self) -> None:
        """Begin closed."""
        self.state = BreakerState.CLOSED
        self.opened_at: int | None = None
        self.probe_at = 0
        self.probes = 0
        self._in_a_row = 0
        self._last: deque[tuple[int, bool]] = deque(maxlen=OF_LAST)
        self._wait = FIRST
        self._probing = False
        self._closed_at: int | None = None
        self._since = 0

    def failed(self, now: int, chance: float, sent: int) -> bool:
        """Learn that the target did not serve a request sent at that time; True when that opens the breaker."""
        if sent < self._since:
            # It belongs to the time before the target was found to serve again.
            return False
        self._in_a_row += 1
        self._last.append((now, False))
        match self.state:
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                self._open(now, chance, min(self._wait * 2, LONGEST))
                return True
            case BreakerState.CLOSED:
                if self._in_a_row < IN_A_ROW and not self._mostly(now):
                    return False
                again = self._closed_at is not None and now - self._closed_at < LONGEST
                self._open(now, chance, min(self._wait * 2, LONGEST) if again else FIRST)
                return True

    def served(self, now: int, sent: int) -> bool:
        """Learn that the target served a request sent at that time; True when that closes the breaker."""
        self._in_a_row = 0
        self._last.append((now, True))
        if self.state is not BreakerState.HALF_OPEN or sent < self._since:
            # A late answer to what was sent before the probe says nothing of the time after it.
            return False
        self.state, self.opened_at, self._closed_at, self._since = BreakerState.CLOSED, None, now, now
        self._last.clear()
        return True

    def due(self, now: int) -> bool:
        """Tell whether it is time for a probe."""
        return self.state is BreakerState.OPEN and not self._probing and now >= self.probe_at

    def probe(self) -> None:
        """Begin a probe; there is never a second one meanwhile."""
        self._probing = True
        self.probes += 1

    def probed(self, now: int, chance: float, *, served: bool) -> None:
        """Learn how the probe ended."""
        self._probing = False
        if self.state is not BreakerState.OPEN:
            return
        if served:
            self.state, self._since = BreakerState.HALF_OPEN, now
        else:
            self._open(now, chance, min(self._wait * 2, LONGEST))

    def _mostly(self, now: int) -> bool:
        recent = [served for at, served in self._last if now - at <= RECENT]
        return len(recent) == OF_LAST and recent.count(False) >= PART * OF_LAST

    def _open(self, now: int, chance: float, wait: int) -> None:
        if self.opened_at is None:
            self.opened_at, self.probes = now, 0
        self.state = BreakerState.OPEN
        self._wait = wait
        self.probe_at = now + int(wait * (1 + _JITTER * chance))
