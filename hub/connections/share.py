"""What one process has of an account that several share: places and permits from the ledger, on a lease.

What was given is used without asking. It is asked for again before it is used up, and given back where nobody here
needs it. While the ledger cannot be reached, what is in hand is used until the lease is over, and no more. The times
of the database are told in the account's own clock by what every answer shows of the difference, always on the safe
side.

All of it is pure and is told the time; times are microseconds of the account's clock unless they are said to be the
database's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from hub.connections.bounds import Lowest
from hub.connections.ledger import HORIZON, Answer, Ask, News, Told
from hub.connections.pace import Arrivals, Start

#: Nobody asks again sooner than this, whatever happens.
_HURRY = 25_000
#: Where something can wait, it does so for at least, and for at most, this long.
_OFTEN, _SELDOM = 250_000, 500_000
#: Of windows longer than this it is known long enough before when places become free.
_LONG = 2_000_000
#: Who holds something says so at least so often, and hears what the others have learned.
_BEAT = 1_000_000
#: Who has used nothing for so long keeps nothing.
_IDLE = 2_000_000
#: Clocks are taken to differ by no more than this part of the time between two looks at them.
_DRIFT = 5_000
#: After an asking that failed, the next try.
_AGAIN = 200_000


class Difference:
    """By how much the database's clock is ahead of this one: bounds that each answer narrows."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.least = self.most = 0
        self._known = False
        self._at = 0

    def saw(self, shown: int, *, sent: int, received: int) -> None:
        """Learn that the database's clock showed that at some time in between."""
        least, most = shown - received, shown - sent
        if self._known:
            drift = (received - self._at) // _DRIFT
            least, most = max(least, self.least - drift), min(most, self.most + drift)
        if least > most or not self._known:
            # A clock was set, or this is the first look.
            least, most = shown - received, shown - sent
        self.least, self.most, self._known, self._at = least, most, True, received

    def here(self, theirs: int) -> int:
        """Give when the database's clock surely shows at least that."""
        return theirs - self.least

    def there(self, ours: int) -> int:
        """Give what the database's clock shows then, at the most."""
        return ours + self.most


class Share:
    """The part of one account that one process holds; what is asked for is given by `ask`, what comes to `answered`."""

    def __init__(self) -> None:
        """Begin with nothing."""
        #: How long a request may be under way at the most.
        self.lasts = 0
        self.parties, self.others_rate, self.others_in_flight = 1, 0, 0
        self.news = News()
        self._difference = Difference()
        self._windows: tuple[tuple[int, int], ...] = ()
        self._every: int | None = None
        self._burst = self._concurrency = 1
        self._begin()
        self._number = 0
        #: How many requests were said to be under way for which there is no permit.
        self._over = 0
        self._asked: tuple[Ask, int] | None = None
        self._asked_at = self._again = -_BEAT
        self._under_way = False
        self._used_at = 0
        self._rushed = False
        self._peak = self._used = 0
        self._pace_then = 0.0

    def _begin(self) -> None:
        self._even: deque[tuple[int, int]] = deque()
        self._free: dict[int, deque[int]] = {micros: deque() for _, micros in self._windows}
        self._arrivals: dict[int, Arrivals] = {micros: Arrivals(micros) for _, micros in self._windows}
        self._counted: dict[int, list[int]] = {micros: [] for _, micros in self._windows}
        self._back: list[int] = []
        self._permits = self._part = 0
        self._left_short = False
        self._ends = 0

    def bind(self, found: Lowest, every: int | None, burst: int) -> None:
        """Take over other limits: windows of a rate, even spacing, and what may be in flight."""
        windows = tuple({window.micros: (window.count, window.micros) for window in found.windows}.values())
        if self._is_other(windows) or (every is None) != (self._every is None):
            # What is in hand was given for other windows; what is under way counts in those that are new, too.
            self._give_back()
            longest = max(self._arrivals, default=None)
            arrivals, counted = self._arrivals, self._counted
            unheard = [] if longest is None else counted[longest]
            like = [] if longest is None else list(arrivals[longest])
            self._arrivals = {
                micros: arrivals[micros] if micros in arrivals else Arrivals(micros, like) for _, micros in windows
            }
            self._counted = {micros: list(counted.get(micros, unheard)) for _, micros in windows}
            self._free = {micros: deque() for _, micros in windows}
        self._windows, self._every, self._burst = windows, every, burst
        self._concurrency = found.limits.concurrency

    def _is_other(self, windows: tuple[tuple[int, int], ...]) -> bool:
        return [micros for _, micros in windows] != [micros for _, micros in self._windows]

    def _give_back(self) -> None:
        self._back += [theirs for theirs, _ in self._even]
        self._even.clear()
        for free in self._free.values():
            free.clear()

    @property
    def paced(self) -> bool:
        """Tell whether places are needed."""
        return self._every is not None

    @property
    def permits(self) -> int:
        """Give how many requests may be in flight here, as long as the lease lasts."""
        return min(self._permits, self._part)

    def left_short(self, now: int) -> bool:
        """Tell whether the ledger had fewer permits than were asked for the last time, as far as that still holds."""
        return self._left_short and now < self._ends

    @property
    def busy(self) -> bool:
        """Tell whether there is anything that the ledger is to hear of."""
        held = self._asked or self._permits or self._over or self._even or self._back or any(self._counted.values())
        return bool(held) or any(map(len, self._arrivals.values()))

    def ready(self, now: int, ahead: int) -> int | None:
        """Give from when one more may start after `ahead` others; None when that is not in hand."""
        if now >= self._ends:
            return None
        if self._every is None:
            return now
        if len(self._even) <= ahead:
            return None
        return max(self._even[ahead][1], *(free[ahead] for free in self._free.values()), now)

    @property
    def _pause(self) -> int:
        """Give how long what can wait does so: for less where it decides how much goes out."""
        shortest = min((micros for _, micros in self._windows), default=_LONG)
        return _SELDOM if shortest >= _LONG or self._every is None else min(max(self._every, _OFTEN), _SELDOM)

    def pace(self, now: int) -> int:
        """Give how many places are used here, as of late, in the time for which places are given."""
        return int(self._pace_then * HORIZON / 1_000_000) if now - self._used_at <= _OFTEN else 0

    def take(self, start: Start, now: int) -> None:
        """Use a place."""
        self._used_at = now
        self._used += 1
        if self._even:
            self._even.popleft()
            for micros, free in self._free.items():
                free.popleft()
                self._arrivals[micros].start(start)

    def ended(self, start: Start, now: int) -> None:
        """Learn that a request was answered, or will not be."""
        self._used_at = now
        for micros, arrivals in self._arrivals.items():
            self._counted[micros] += [self._difference.there(at) for at in arrivals.answered(start, now)]

    def undo(self, start: Start) -> None:
        """Learn that a request did not leave."""
        for arrivals in self._arrivals.values():
            arrivals.undo(start)

    def due(self, now: int, *, places: int, permits: int, in_flight: int, tells: bool, listens: bool) -> int | None:
        """Give when to ask: for places and permits, to give back, to be heard of, or to hear; None for not at all."""
        if self._under_way:
            return None
        if self._asked is not None:
            return self._again
        soon, later = self._asked_at + _HURRY, self._asked_at + self._pause
        found: list[int] = [soon] if tells else []
        lives = now < self._ends
        held = self.permits if lives else 0
        short = permits > held or (self.paced and places > (len(self._even) if lives else 0))
        empty = not lives or (self.paced and places > 0 and not self._even) or held <= in_flight
        if short:
            late = self._asked_at + _OFTEN if permits > held else max(later, self._again)
            found.append(soon if empty and not self._rushed else late)
        if (self._permits > self._part and in_flight < self._permits) or in_flight < self._over:
            found.append(soon)
        if self._back or any(self._counted.values()) or (self._even and not places):
            found.append(later)
        if listens or self._permits or self._even or any(map(len, self._arrivals.values())):
            found.append(self._asked_at + _BEAT)
        return min(found, default=None)

    def ask(
        self, now: int, *, places: int, permits: int, in_flight: int, rate: int, took: int, told: Callable[[], Told]
    ) -> Ask:
        """Form what is asked now, or what was asked and not answered; nothing of it is used meanwhile.

        `told` gives what others are to hear; it is asked for only where it goes with this.
        """
        self._under_way = True
        if self._asked is not None:
            # The lease begins anew, and is to end with what is known now.
            self._asked = (replace(self._asked[0], took=took), now)
            return self._asked[0]
        for micros, arrivals in self._arrivals.items():
            self._counted[micros] += [self._difference.there(at) for at in arrivals.settled(now)]
        if not places and now - self._used_at > _OFTEN:
            self._give_back()
        idle = not permits and not in_flight and now - self._used_at > _IDLE
        # What was wanted a moment ago is wanted again in a moment.
        self._peak = max(permits, in_flight, self._peak * 3 // 4)
        keep = 0 if idle else max(min(self._part, self._peak + 1), in_flight)
        self._permits = min(self._permits, keep)
        since = now - self._asked_at
        if since >= _OFTEN:
            self._pace_then = max(self._used * 1e6 / since, self._pace_then / 2)
            self._used = 0
        self._number += 1
        ask = Ask(
            number=self._number,
            windows=self._windows,
            every=self._every,
            burst=self._burst,
            concurrency=self._concurrency,
            unused=tuple(self._back),
            counted=tuple(tuple(self._counted[micros]) for _, micros in self._windows),
            keeps=tuple(len(self._even) + len(self._arrivals[micros]) for _, micros in self._windows),
            in_hand=len(self._even),
            places=places,
            permits=self._permits,
            wanted=max(permits, in_flight),
            lasts=self.lasts,
            took=took,
            rate=rate,
            in_flight=in_flight,
            told=told(),
        )
        self._counted, self._back = {micros: [] for _, micros in self._windows}, []
        self._over = max(in_flight - self._permits, 0)
        self._rushed = places > 0 or permits > 0
        self._asked, self._asked_at = (ask, now), now
        return ask

    def answered(self, answer: Answer, now: int) -> None:
        """Take what was given."""
        asked, self._asked, self._under_way = self._asked, None, False
        assert asked is not None
        ask, sent = asked
        self._difference.saw(answer.now, sent=sent, received=now)
        self.news = answer.news
        if answer.lost:
            self._begin()
            self._again, self._rushed = now, False
            return
        here = self._difference.here
        # Counted from before the database counts it.
        self._ends = sent + answer.lease
        self._permits, self._part = answer.permits, answer.part
        self._left_short = answer.permits < ask.wanted
        if self._is_other(ask.windows) or self._every is None:
            # Other limits apply than those for which it was asked.
            self._back += answer.even
        else:
            self._even.extend((even, here(even)) for even in answer.even)
            for (_, micros), free in zip(ask.windows, answer.places, strict=True):
                self._free[micros].extend(map(here, free))
        if answer.even or answer.permits > ask.permits:
            self._rushed = False
        self._again = here(answer.again) if answer.again else now + _SELDOM
        self.parties, self.others_rate, self.others_in_flight = answer.parties, answer.rate, answer.in_flight

    def let_go(self, now: int, in_flight: int) -> None:
        """Keep nothing but the permits of what is under way: that is not waited for, and the vendor goes on with it.

        It counts from now on; what has just been sent is held until the lease is over.
        """
        self._give_back()
        for micros, arrivals in self._arrivals.items():
            self._counted[micros] += [self._difference.there(at) for at in arrivals.let_go(now)]
        self._permits = min(self._permits, in_flight)
        self._used_at = now - _IDLE - 1

    def failed(self, now: int) -> None:
        """Learn that nobody knows whether what was asked has arrived: it is asked again, and nothing else is."""
        self._under_way = False
        self._again = now + _AGAIN

    def there(self, ours: int) -> int:
        """Give a moment in the database's time."""
        return self._difference.there(ours)

    def here(self, theirs: int) -> int:
        """Give a moment of the database's in this account's time."""
        return self._difference.here(theirs)
