"""What an account's refusals teach: its rate and its concurrency rise by little steps and fall by shares.

The two are learned apart. Of the requests that were under way together only the first that is refused lowers a limit,
because the others were sent before anything was learned. Neither falls below one. What was learned is forgotten once it
has come back to the limits that are known anyway.

A rate falls from what really went out of late, not from what happens to go out just then: in a pause that would be
next to nothing. While it rises again, a refusal now and then lowers it no further. Below what went well before, it is
not the rate that is refused; a rate that is too high is refused again at once.

Times are microseconds; all of it is pure and is told the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.errors import LimitKind

MICROS = 1_000_000
#: What is left of a limit after a refusal.
_SHARE = 0.7
#: By which part of its known limit a rate rises in a second in which it is used.
_STEP = 0.02
#: By which part of itself, at least, it rises in a second where it was not refused yet: if it is too high there, the
#: next request says so.
_BEYOND = 0.1
#: A rate that nobody limits is taken to be right again at this multiple of where it was last refused.
_FREE = 2.0
#: A rate below this part of where it was last refused falls again only if more than one of so many is refused.
_BELOW, _SELDOM = 0.95, 3
#: What was learned before a restart holds for so long.
KEPT = 3_600 * MICROS


class Learned:
    """What applies besides the known limits; None where nothing was learned."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.rate: float | None = None
        self.concurrency: float | None = None
        self.refusals = 0
        self._ceiling = 0.0
        #: Where the rate was when it was lowered last, and how many requests were served since the last refusal.
        self._refused_at = 0.0
        self._served = 0
        self._lowered: dict[LimitKind, int] = {}

    @property
    def permits(self) -> int | None:
        """Give how many requests may be in flight by what was learned."""
        return None if self.concurrency is None else max(int(self.concurrency), 1)

    @property
    def anything(self) -> bool:
        """Tell whether anything is learned just now."""
        return self.rate is not None or self.concurrency is not None

    def refused(
        self, kind: LimitKind, *, sent: int, now: int, pace: float | None, measured: float, permits: int, in_flight: int
    ) -> bool:
        """Learn that a request sent at that time was refused; True when a limit has fallen.

        `pace` (requests a second) and `permits` are the known limits; `measured` is the most that went out in a second
        of late, and `in_flight` the most that were under way.
        """
        self.refusals += 1
        if sent < self._lowered.get(kind, 0):
            return False
        self._lowered[kind] = now
        match kind:
            case LimitKind.RATE:
                seldom, self._served = self._served >= _SELDOM, 0
                if self.rate is not None and self.rate < self._refused_at * _BELOW and seldom:
                    return False
                known = self.rate if self.rate is not None else pace
                used = max(measured, 1.0)
                self._refused_at = used if known is None else min(known, used)
                self._ceiling = pace if pace is not None else used * _FREE
                self.rate = max(self._refused_at * _SHARE, min(1.0, self._ceiling))
            case LimitKind.CONCURRENCY:
                known = float(permits) if self.concurrency is None else self.concurrency
                self.concurrency = max(min(known, in_flight) * _SHARE, 1.0)
            case LimitKind.QUOTA | LimitKind.OBJECT:
                return False
        return True

    def served(self, *, pace: float | None, permits: int, in_flight: int, parties: int = 1) -> None:
        """Learn that a request was served; only a limit that is used up rises.

        Where several processes share the account each sees its part of what is served, and goes by it for all.
        """
        self._served += 1
        if self.rate is not None:
            ceiling = self._ceiling if pace is None else pace
            step = ceiling * _STEP / max(self.rate, 1.0) * parties
            self.rate += step if self.rate < self._refused_at else max(step, _BEYOND * parties)
            if self.rate >= ceiling:
                self.rate = None
        if self.concurrency is not None and in_flight >= int(self.concurrency):
            self.concurrency += parties / max(self.concurrency, 1.0)
            if self.concurrency >= permits:
                self.concurrency = None

    def kept(self, now: int) -> dict[str, Any] | None:
        """Give what outlives the process; None when nothing was learned."""
        if not self.anything:
            return None
        return {
            "rate": None if self.rate is None else f"{self.rate:.3f}",
            "concurrency": None if self.concurrency is None else f"{self.concurrency:.3f}",
            "ceiling": f"{self._ceiling:.3f}",
            "refused_at": f"{self._refused_at:.3f}",
            "at": now,
        }

    def heard(self, kept: Mapping[str, Any], shown: int, now: int) -> None:
        """Take over what another process has kept after a refusal; `shown` is the machine's time for how old that is.

        What was sent before `now`, and is refused yet, tells nothing new.
        """
        other = Learned()
        other.restore(kept, shown)
        if other.rate is not None and (self.rate is None or other.rate < self.rate):
            self.rate, self._ceiling, self._refused_at = other.rate, other._ceiling, other._refused_at
            self._served, self._lowered[LimitKind.RATE] = 0, now
        if other.concurrency is not None and (self.concurrency is None or other.concurrency < self.concurrency):
            self.concurrency, self._lowered[LimitKind.CONCURRENCY] = other.concurrency, now

    def restore(self, kept: Mapping[str, Any], now: int) -> None:
        """Go on with what an earlier process learned, unless it is too old, or of a clock that was wrong."""
        if abs(now - int(kept["at"])) > KEPT:
            return
        self.rate = None if kept["rate"] is None else float(kept["rate"])
        self.concurrency = None if kept["concurrency"] is None else float(kept["concurrency"])
        self._ceiling = float(kept["ceiling"])
        self._refused_at = float(kept.get("refused_at", 0.0))
