"""The circuit breaker of one account: stops asking a target that does not serve, and finds out when it does again.

It opens when requests fail by transport or by the server's own fault, one after the other or nearly all of the last;
refusals of data and of limits are signs of life. While it is open, one probe is sent at growing intervals. After a
probe that was answered one request of a run goes out alone, and only its success closes the breaker.

Requests are put in a row by when they were *sent*. What is served is known at once and what is lost only when its time
is over: of twenty that go out together, what is heard last is failures alone, however few they are.

Times are microseconds; all of it is pure and is told time and chance.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from enum import StrEnum

#: So many failures one after the other open it,
IN_A_ROW = 10
#: or this part of so many, if they were sent within `RECENT`.
OF_LAST, PART, RECENT = 20, 0.75, 60_000_000
#: Of so many requests is known how they ended: more than go out while the slowest of a target that hardly serves hangs.
KNOWN = 500
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
        #: When they were sent, and whether they were served, in that order.
        self._ended: list[tuple[int, bool]] = []
        self._wait = FIRST
        self._probing = False
        self._closed_at: int | None = None
        self._since = 0

    def failed(self, now: int, chance: float, sent: int) -> bool:
        """Learn that the target did not serve a request sent at that time; True when that opens the breaker."""
        if sent < self._since:
            # It belongs to the time before the target was found to serve again.
            return False
        self._note(sent, served=False)
        match self.state:
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                self._open(now, chance, min(self._wait * 2, LONGEST))
                return True
            case BreakerState.CLOSED:
                if not self._all_fail() and not self._most_fail(sent):
                    return False
                again = self._closed_at is not None and now - self._closed_at < LONGEST
                self._open(now, chance, min(self._wait * 2, LONGEST) if again else FIRST)
                return True

    def served(self, now: int, sent: int) -> bool:
        """Learn that the target served a request sent at that time; True when that closes the breaker."""
        self._note(sent, served=True)
        if self.state is not BreakerState.HALF_OPEN or sent < self._since:
            # A late answer to what was sent before the probe says nothing of the time after it.
            return False
        self.state, self.opened_at, self._closed_at, self._since = BreakerState.CLOSED, None, now, now
        self._ended.clear()
        return True

    def heard_down(self, now: int, probe_at: int) -> bool:
        """Learn that others find the target down, and when they probe it; True when that opens the breaker.

        The probe here comes after theirs: it is needed only where they are gone by then.
        """
        if self.state is not BreakerState.CLOSED:
            return False
        self._open(now, 0.0, FIRST)
        self.probe_at = max(self.probe_at, probe_at + FIRST)
        return True

    def heard_served(self, now: int) -> bool:
        """Learn that others have found the target to serve again; True when one request may find out here, too."""
        if self.state is not BreakerState.OPEN or self._probing:
            return False
        self.state, self._since = BreakerState.HALF_OPEN, now
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

    def _note(self, sent: int, *, served: bool) -> None:
        insort(self._ended, (sent, served))
        if len(self._ended) > KNOWN:
            del self._ended[0]

    def _all_fail(self) -> bool:
        last = self._ended[-IN_A_ROW:]
        return len(last) == IN_A_ROW and not any(served for _, served in last)

    def _most_fail(self, sent: int) -> bool:
        """Judge the request sent at that time and those before it: what was sent after it may still hang as it did."""
        upto = bisect_right(self._ended, (sent, True))
        recent = [served for at, served in self._ended[max(upto - OF_LAST, 0) : upto] if sent - at <= RECENT]
        return len(recent) == OF_LAST and recent.count(False) >= PART * OF_LAST

    def _open(self, now: int, chance: float, wait: int) -> None:
        if self.opened_at is None:
            self.opened_at, self.probes = now, 0
        self.state = BreakerState.OPEN
        self._wait = wait
        self.probe_at = now + int(wait * (1 + _JITTER * chance))
