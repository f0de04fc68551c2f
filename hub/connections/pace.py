"""When the next request may start: sliding windows that are never overrun, and even spacing with a small burst.

A vendor counts a request when it arrives, which nobody here sees; it lies between its sending and its answer. So a
request is counted in a window until one window after its answer, and no window of the vendor's can hold more than is
allowed. Where a vendor takes long to answer, that much caution would cost throughput: there a request is taken to have
arrived within a sixtieth of the window.

Times are microseconds; all of it is pure and is told the time.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from hub.connections.bounds import Window

#: A vendor is quick whose quickest answer of the last takes no more than this part of a window: what takes longer now
#: may have been on its way for long. A slow one's requests are taken to have arrived after as much.
_QUICK = 60
#: Two answers that name times within this of each other mean the same one.
_ABOUT = 1_000_000
#: It is settled in no window so soon, of which the shortest is a second.
_MOMENT = 1_000_000 // _QUICK
#: So many answers tell whether a vendor is quick.
_LAST = 32


class Start:
    """One request: when it was let go, and when it was really sent, which may be a little later."""

    __slots__ = ("at", "sent")

    def __init__(self, at: int) -> None:
        """Take the moment."""
        self.at = self.sent = at

    def leaves(self, now: int) -> bool:
        """Tell whether it is really sent now, as it may be a moment after it was let go."""
        if now - self.sent > _MOMENT:
            return False
        self.sent = now
        return True


class Arrivals:
    """Requests that were sent in one window, until it is settled from which moment the vendor counts each."""

    def __init__(self, micros: int, under_way: Iterable[Start] = ()) -> None:
        """Begin with what is under way already, in the order in which it was sent."""
        self._micros = micros
        self._under_way: dict[Start, None] = dict.fromkeys(under_way)
        self._answers: deque[int] = deque(maxlen=_LAST)
        self._quick = True

    def __len__(self) -> int:
        """Give how many are not settled."""
        return len(self._under_way)

    def __iter__(self) -> Iterator[Start]:
        """Go through those that are not settled."""
        return iter(self._under_way)

    def start(self, start: Start) -> None:
        """Let one more be sent."""
        self._under_way[start] = None

    def answered(self, start: Start, now: int) -> list[int]:
        """Learn that the vendor has surely counted this one; gives the moments that are settled now."""
        moments = self.settled(now)
        self._answers.append(now - start.sent)
        self._quick = min(self._answers) <= self._micros // _QUICK
        if start in self._under_way:
            del self._under_way[start]
            moments.append(now)
        return moments

    def undo(self, start: Start) -> None:
        """Forget one that did not leave."""
        self._under_way.pop(start, None)

    def let_go(self, now: int) -> list[int]:
        """Wait no more for those that the vendor has counted by now, whatever it does with them; gives the moments."""
        counted = [start for start in self._under_way if start.sent + self._micros // _QUICK <= now]
        for start in counted:
            del self._under_way[start]
        return [now] * len(counted)

    def settled(self, now: int) -> list[int]:
        """Give the moments from which those count that have been under way for too long to be waited for."""
        patience, moments = self._patience(), []
        while self._under_way and (oldest := next(iter(self._under_way))).sent + patience <= now:
            del self._under_way[oldest]
            moments.append(oldest.sent + patience)
        return moments

    def at(self, place: int) -> int:
        """Give the latest moment from which the one at that place of the row counts, if none has been answered."""
        return max(start.sent for start in islice(self._under_way, place + 1)) + self._patience()

    def _patience(self) -> int:
        # The answer of a quick one is waited for as long as a whole window.
        return self._micros if self._quick else self._micros // _QUICK


class SlidingWindow:
    """Counts the starts that may still count at the vendor."""

    def __init__(self, window: Window, counted: Sequence[int] = ()) -> None:
        """Begin with the starts that `counted` names by the moments they count from, in order."""
        self.window = window
        self._counted = list(counted)
        self._arrivals = Arrivals(window.micros)

    @property
    def counted(self) -> Sequence[int]:
        """Give the moments from which settled starts count."""
        return self._counted

    def start(self, start: Start) -> None:
        """Count one more."""
        self._arrivals.start(start)

    def answered(self, start: Start, now: int) -> None:
        """Learn that the vendor has surely counted this one."""
        self._settle(self._arrivals.answered(start, now), now)

    def undo(self, start: Start) -> None:
        """Forget one that did not leave."""
        self._arrivals.undo(start)

    def ready(self, now: int, ahead: int) -> int:
        """Give when one more may start after `ahead` others; the past when it may now."""
        self._settle(self._arrivals.settled(now), now)
        count, micros = self.window.count, self.window.micros
        too_many = len(self._arrivals) + len(self._counted) + ahead + 1 - count
        if too_many <= 0:
            return now
        if too_many <= len(self._counted):
            return self._counted[too_many - 1] + micros
        if not self._arrivals:
            return now + micros
        return self._arrivals.at(too_many - len(self._counted) - 1) + micros

    def begin_full(self, now: int) -> None:
        """Take it that starts at full pace came before, which nobody remembers."""
        count, micros = self.window.count, self.window.micros
        self._counted = [now - micros + micros * (place + 1) // count for place in range(count)]

    def _settle(self, moments: Sequence[int], now: int) -> None:
        for moment in moments:
            insort(self._counted, moment)
        if self._counted and self._counted[0] + self.window.micros <= now:
            del self._counted[: bisect_right(self._counted, now - self.window.micros)]


class Pace:
    """Every window of one account, and the spacing between its starts."""

    def __init__(self) -> None:
        """Begin without limits."""
        self._windows: list[SlidingWindow] = []
        self._every: int | None = None
        self._burst = 1
        self._due = 0
        self._left: int | None = None
        self._left_until = self._told = 0

    @property
    def every(self) -> int | None:
        """Give how many microseconds lie between two starts; None for no limit."""
        return self._every

    def bind(self, windows: Sequence[Window]) -> None:
        """Take over other windows; what was started before still counts."""
        known = {sliding.window.micros: sliding for sliding in self._windows}
        longest = max(self._windows, key=lambda sliding: sliding.window.micros, default=None)
        kept: list[SlidingWindow] = []
        for window in windows:
            sliding = known.get(window.micros)
            if sliding is None:
                sliding = SlidingWindow(window, longest.counted if longest is not None else ())
            sliding.window = window
            kept.append(sliding)
        self._windows = kept

    def space(self, every: int | None, burst: int, now: int) -> None:
        """Let so many microseconds lie between two starts, of which `burst` may come at once."""
        if every is not None and self._every is not None and every < self._every:
            # Nobody waits for a slower pace's turn; but who has just sent waits for its share of one, however often the
            # pace rises by a little.
            self._due = min(self._due, now + (self._due - now) * every // self._every)
        self._every, self._burst = every, burst

    def begin_full(self, now: int) -> None:
        """Begin as after starts at full pace: what an earlier process sent is not known."""
        for sliding in self._windows:
            sliding.begin_full(now)
        if self._every is not None:
            self._due = now + self._every * self._burst

    def allow(self, count: int, until: int, *, sent: int) -> None:
        """Let only so many more start until a time: what the vendor said is left, to a request sent then.

        An answer that was overtaken by a later request's may be older news: it raises nothing.
        """
        if sent < self._told and self._left is not None:
            # Whole seconds until then are told, so that the same time may seem to be a second earlier.
            if until >= self._left_until - _ABOUT:
                self._left = min(self._left, max(count, 0))
            return
        self._told, self._left, self._left_until = sent, max(count, 0), until

    @property
    def empty_until(self) -> int | None:
        """Give until when nothing is left by what the vendor said; None where it has left something."""
        return self._left_until if self._left == 0 else None

    def ready(self, now: int, ahead: int = 0) -> int:
        """Give the earliest moment at which a request may start after `ahead` others; `now` when it may at once."""
        found = now
        if self._every is not None:
            found = max(found, self._due - (self._burst - 1 - ahead) * self._every)
        for sliding in self._windows:
            found = max(found, sliding.ready(now, ahead))
        if self._left is not None:
            if now >= self._left_until:
                self._left = None
            elif self._left <= ahead:
                found = max(found, self._left_until)
        return found

    def start(self, now: int) -> Start:
        """Count a request that starts now."""
        start = Start(now)
        if self._every is not None:
            self._due = max(self._due, now) + self._every
        for sliding in self._windows:
            sliding.start(start)
        if self._left is not None:
            self._left = max(self._left - 1, 0)
        return start

    def answered(self, start: Start, now: int) -> None:
        """Learn that its answer came, or that none will."""
        for sliding in self._windows:
            sliding.answered(start, now)

    def undo(self, start: Start) -> None:
        """Learn that it did not leave."""
        self._due -= self._every or 0
        for sliding in self._windows:
            sliding.undo(start)
