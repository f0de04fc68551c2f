"""The one account of what several processes may send: who holds which places, by the clock of their database.

A rate is a number of *places*: so many in each window. A process takes places in blocks, each with the moment from
which it is free, and gives it back with the moment from which the vendor counts it; a window later it is anybody's.
So no window of the vendor's ever holds more than is allowed, whatever the clocks of the processes, their pauses and
their ends, and none of a rate lies idle: when a place becomes free is known one window ahead, so that blocks are taken
before their time. A row advanced by blocks (GCRA alone) would have to guess when what it has let go arrives, and
shares of a rate for each process would be idle where the work is not. What GCRA does here is only the even spacing.

What is in flight is a number of *permits* that a process keeps and uses again and again, because each use is short: to
ask for each would cost as much as the call. Who has more than its part gives back what is not in use when another one
waits.

Everything is held on a lease. Who is silent for so long uses nothing any more, by its own reckoning, which began
earlier. But a request that it began in its last moment may be under way for longer, by up to the connection's
`timeout`, after which it would have been given up. Its places count from that end: a rate stays exact.

Its permits are free earlier, so that work goes on soon after a crash: when the lease is over and then twice the time
that its longest request of late took, no less than a second and no more than the `timeout`. Each process tells that
time: of the longest that ended within a minute or two, or the age of the oldest under way, so that a vendor that
becomes slow is noticed before it answers; a request that was given up took as long as its `timeout`. Who has not been
served of late cannot tell, and its permits are free after the `timeout`. All this is a guess. Where requests take
longer still, more are in flight than the vendor allows, by as many as who is gone had under way, if the vendor became
slow just then. It refuses what is too many, which has done nothing and is sent again, and the account goes slower for a
while, as after any refusal. Mostly there is more time than that: who was killed sent nothing in what was left of its
lease, and only who is cut off goes on until its end. Who is heard again counts with what it has under way, also where
its permits are others' by then; they give them back. Who ends in order gives back at once all but the permits of what
it breaks off.

Where nobody at all was heard for longer than a lease, the database was away or everybody stood still, and that a lease
is over says nothing of who held it. So it ends later: by a moment, in which who lives is heard, and by a lease where
somebody is heard who should have asked before, because then others are likely to come as well.

All of it is pure: a ledger, what a process asks, the time. An asking has a number, and the answer to the last one is
kept, so that an answer that was lost is given again and nothing is given twice. Times are microseconds.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

MICROS = 1_000_000
#: So long what was given may be used without asking again, where nobody says otherwise.
LEASE = 5 * MICROS
#: Places are given that become free within this time from now, and so long work goes on while nobody can be asked. What
#: becomes free so soon everybody has told of: the shortest window is a second, and all ask several times in it.
HORIZON = 600_000
#: So long those who are silent are waited for where nobody at all was heard for a lease: who lives tries five times in
#: a second.
_A_MOMENT = 3 * MICROS // 4
#: So long, at the least, a request of who is gone is taken to keep its permit: quick ones may take many times as long
#: as others, but hardly a second.
_OUTLASTS = MICROS
#: Who has asked within this time counts as one who shares.
_RECENT = 1_300_000
#: So long who holds one of too few permits keeps it while others wait for it: to hand one over takes a moment in which
#: nobody uses it.
_TURN = 10 * MICROS
#: Moments of a window are told apart to this part of it where there are more; rounded up.
_GRAIN = 1024
#: At the soonest, and at the latest, it is worth while to ask again.
_SOONEST, _LATEST = MICROS // 4, MICROS


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one process has learned of the account that all must know; times are the database's.

    `paused_until` is for how long the vendor, or a refusal, lets nothing out. `down_until` is when the target is probed
    next, of a breaker that is open; `served_at` when it was found to serve again. `lowered` is what is left of the
    limits after a refusal.
    """

    paused_until: int = 0
    down_until: int = 0
    served_at: int = 0
    lowered: dict[str, Any] | None = None


class News(msgspec.Struct, omit_defaults=True):
    """What applies for everybody; `lowerings` counts how often limits were lowered, and `by` names who did so last."""

    paused_until: int = 0
    down_until: int = 0
    lowerings: int = 0
    lowered: dict[str, Any] | None = None
    by: str = ""


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process tells and wants of one account; each with a higher number.

    - `windows` are those that apply, as count and microseconds; `every` is how many microseconds lie between two starts
      (None: no rate), of which `burst` may come at once; `concurrency` is how many may be in flight.
    - `unused` are the even moments of those places that it has not used and gives back.
    - `counted` has, for each window, the moments from which the vendor counts what was sent.
    - `keeps` is, for each window, how many places it still holds: those in hand, and what is under way.
    - `in_hand` is how many places it has for use, and `places` how many it wants to have in hand.
    - `permits` is how many permits it keeps, and `wanted` how many it could use.
    - `lasts` is how long its longest request may take, and `took` how long the longest of late took, or is under way by
      now (0: nobody knows); `rate` and `in_flight` are what it sends, for the others.
    """

    number: int
    windows: tuple[tuple[int, int], ...] = ()
    every: int | None = None
    burst: int = 1
    concurrency: int = 1
    unused: tuple[int, ...] = ()
    counted: tuple[tuple[int, ...], ...] = ()
    keeps: tuple[int, ...] = ()
    in_hand: int = 0
    places: int = 0
    permits: int = 0
    wanted: int = 0
    lasts: int = 0
    took: int = 0
    rate: int = 0
    in_flight: int = 0
    told: Told = Told()


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a process is given.

    - `now` is the database's time, `number` that of what was asked.
    - `lost`: its lease was over, all that it held is others'; it begins anew.
    - `even` are the even moments of the places given, and `places` for each window the moments from which they are
      free.
    - `permits` is how many permits it has; it gives back what it can of those above `part`, for which others wait.
    - `again` is when to ask again for what was wanted and not given.
    - `parties` is how many share the account now, itself included, `rate` and `in_flight` what the others send.
    - `lease` is for how long after the asking all this may be used.
    """

    number: int
    now: int
    lease: int = LEASE
    lost: bool = False
    even: tuple[int, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    permits: int = 0
    part: int = 0
    again: int = 0
    parties: int = 1
    rate: int = 0
    in_flight: int = 0
    news: News = msgspec.field(default_factory=News)


class Holder(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one process holds: until when, with which places of each window, and with how many permits."""

    until: int
    lasts: int = 0
    took: int = 0
    number: int = 0
    answer: Answer | None = None
    held: dict[int, int] = {}
    permits: int = 0
    wanted: int = 0
    #: How many places it wants to have in hand, how many it has, when it was given the last ones, and whether it has
    #: none; and when it was last given a permit.
    wants: int = 0
    in_hand: int = 0
    given_at: int = 0
    waits: bool = False
    turn: int = 0
    asked_at: int = 0
    rate: int = 0
    in_flight: int = 0

    @property
    def uses(self) -> int:
        """Give how many may be in flight by it: more than its permits where it has lost them meanwhile."""
        return max(self.permits, self.in_flight)


class Ledger(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where an account stands.

    `counted` has, for each window, until when places still count at the vendor, with how many do so. `due` is the even
    moment after all that were given, and `slots` are those that came back. `gone` are permits of processes that are
    gone, with the time from which they are free. Until `awaits` nobody's lease ends: the database was away.
    """

    at: int = 0
    awaits: int = 0
    due: int = 0
    slots: list[int] = []
    counted: dict[int, list[tuple[int, int]]] = {}
    holders: dict[str, Holder] = {}
    gone: list[tuple[int, int]] = []
    news: News = msgspec.field(default_factory=News)


def exchange(ledger: Ledger, name: str, ask: Ask, now: int, *, lease: int = LEASE) -> Answer:
    """Take what a process gives back, and give it what it may have for so long; the ledger is changed.

    A clock of the database that was put back stands still until it has caught up.
    """
    now = max(now, ledger.at)
    if now - ledger.at > lease:
        # Whoever was silent while others were heard is gone all the same.
        _bury(ledger, ledger.at)
        ledger.awaits = now + (lease if _lives_and_was_silent(ledger, name) else _A_MOMENT)
    ledger.at = now
    if now >= ledger.awaits:
        _bury(ledger, now)
    _free(ledger, now)
    holder = ledger.holders.get(name)
    if holder is None:
        if ask.permits or any(ask.keeps) or any(ask.counted):
            _hear(ledger, name, ask.told, now)
            return Answer(number=ask.number, now=now, lost=True, news=ledger.news)
        holder = ledger.holders[name] = Holder(until=now)
    elif holder.answer is not None and holder.number == ask.number:
        holder.until, holder.took = now + holder.answer.lease, ask.took
        return msgspec.structs.replace(holder.answer, now=now)
    _bind(ledger, ask, now)
    holder.until, holder.asked_at, holder.number = now + lease, now, ask.number
    holder.lasts, holder.took, holder.rate, holder.in_flight = ask.lasts, ask.took, ask.rate, ask.in_flight
    _take_back(ledger, holder, ask, now)
    given, again = _give(ledger, holder, ask, now)
    _hear(ledger, name, ask.told, now)
    part = _permit(ledger, holder, ask, now)
    others = [other for other in ledger.holders.values() if other is not holder]
    answer = Answer(
        number=ask.number,
        now=now,
        lease=lease,
        even=tuple(place.even for place in given),
        places=tuple(tuple(place.free[window] for place in given) for window in range(len(ask.windows))),
        permits=holder.permits,
        part=part,
        again=again,
        parties=len(ledger.holders),
        rate=sum(other.rate for other in others),
        in_flight=sum(other.in_flight for other in others),
        news=ledger.news,
    )
    holder.answer = answer
    if not (holder.permits or holder.wanted or any(holder.held.values())):
        # Who holds nothing and wants nothing need not be waited for; a repeat of this asking changes nothing.
        holder.until = now + MICROS
    return answer


class _Place(msgspec.Struct, frozen=True):
    """One place to be given: its even moment, when it is free in each window, and how the ledger is after it."""

    even: int
    free: tuple[int, ...]
    due: int
    pooled: bool

    @property
    def at(self) -> int:
        """Give from when it may be used."""
        return max(self.even, *self.free) if self.free else self.even


def _lives_and_was_silent(ledger: Ledger, name: str) -> bool:
    """Tell whether a process asks now that should have asked before, so that the others may live as well."""
    holder = ledger.holders.get(name)
    return holder is not None and bool(holder.permits or any(holder.held.values()))


def _bury(ledger: Ledger, now: int) -> None:
    """Take note of processes whose lease is over."""
    for name in [name for name, holder in ledger.holders.items() if holder.until < now]:
        holder = ledger.holders.pop(name)
        ends = holder.until + holder.lasts
        for micros, count in holder.held.items():
            if count:
                insort(ledger.counted.setdefault(micros, []), (ends + micros, count))
        if holder.uses:
            ledger.gone.append((holder.until + outlasts(holder.lasts, holder.took), holder.uses))


def _free(ledger: Ledger, now: int) -> None:
    """Take note of what has become free."""
    for micros, counted in ledger.counted.items():
        ledger.counted[micros] = [entry for entry in counted if entry[0] > now]
    ledger.gone = [entry for entry in ledger.gone if entry[0] > now]


def outlasts(lasts: int, took: int) -> int:
    """Give for how long its last request may keep a permit of who is gone, by how long its requests took of late."""
    return min(lasts, max(_OUTLASTS, 2 * took)) if took else lasts


def _bind(ledger: Ledger, ask: Ask, now: int) -> None:
    """Begin with windows that were not counted before: what was sent then is taken to fill them."""
    longest = max(ledger.counted, default=None)
    for count, micros in ask.windows:
        if micros in ledger.counted:
            continue
        if longest is None:
            # Nobody knows what was sent before there was a ledger.
            ledger.counted[micros] = [(now + micros * (place + 1) // count, 1) for place in range(count)]
        else:
            ends = [(ends - longest + micros, number) for ends, number in ledger.counted[longest]]
            ledger.counted[micros] = [entry for entry in ends if entry[0] > now]
            for holder in ledger.holders.values():
                holder.held[micros] = holder.held.get(longest, 0)
    known = {micros for _, micros in ask.windows}
    if ask.windows and not any(any(holder.held.values()) for holder in ledger.holders.values()):
        # A window that no longer applies is forgotten once nothing of it is held.
        ledger.counted = {micros: counted for micros, counted in ledger.counted.items() if micros in known}
    if ask.every is not None:
        # Nobody waits for a slower pace's turn: at this one the last place that was given lies no later.
        latest = now + HORIZON + ask.every * ask.burst
        ledger.due = min(ledger.due, latest) if ledger.due else now + ask.every * ask.burst


def _take_back(ledger: Ledger, holder: Holder, ask: Ask, now: int) -> None:
    known = {micros: place for place, (_, micros) in enumerate(ask.windows)}
    longest = known.get(max(known, default=0))
    for micros, counted in ledger.counted.items():
        # Of a window that only others know it tells what it tells of its longest one.
        place = known.get(micros, longest)
        if place is None:
            holder.held[micros] = 0
            continue
        grain = max(micros // _GRAIN, 1) if ask.windows[place][0] > _GRAIN else 1
        for moment in ask.counted[place]:
            # No moment lies after this one: what was sent is sent.
            ends = -(-(min(moment, now) + micros) // grain) * grain
            if ends > now:
                _count(counted, ends)
        holder.held[micros] = ask.keeps[place]
    oldest = now - HORIZON
    ledger.slots = sorted(slot for slot in (*ledger.slots, *ask.unused) if slot > oldest)


def _count(counted: list[tuple[int, int]], ends: int) -> None:
    for place in range(len(counted) - 1, -1, -1):
        if counted[place][0] == ends:
            counted[place] = (ends, counted[place][1] + 1)
            return
        if counted[place][0] < ends:
            break
    insort(counted, (ends, 1))


def _give(ledger: Ledger, holder: Holder, ask: Ask, now: int) -> tuple[list[_Place], int]:
    """Give places that are free soon, so that all who share have evenly many of them in hand."""
    holder.wants, holder.in_hand = ask.places, ask.in_hand
    following = now + _SOONEST
    if ask.every is None:
        return [], now + _LATEST
    found: list[_Place] = []
    for place in islice(_places(ledger, ask, now), -(-HORIZON // ask.every) + ask.burst):
        if place.at > now + HORIZON:
            following = place.at - HORIZON
            break
        found.append(place)
    parties = [other for other in ledger.holders.values() if other.wants and other.asked_at >= now - _RECENT]
    # What others had in hand when they asked they use evenly, as far as can be told.
    hands = [other.in_hand * max(HORIZON - (now - other.asked_at), 0) // HORIZON for other in parties]
    order = sorted(range(len(parties)), key=lambda place: (not parties[place].waits, parties[place].given_at))
    parts = parts_of([other.wants for other in parties], len(found) + sum(hands), order)
    part = next((each for other, each in zip(parties, parts, strict=True) if other is holder), 0)
    given = found[: max(part - ask.in_hand, 0)]
    if given:
        ledger.due = given[-1].due
        del ledger.slots[: sum(place.pooled for place in given)]
        for _, micros in ask.windows:
            holder.held[micros] = holder.held.get(micros, 0) + len(given)
        holder.in_hand, holder.given_at = ask.in_hand + len(given), now
    holder.waits = not holder.in_hand and ask.places > 0
    return given, min(max(following, now + _SOONEST), now + _LATEST)


def _places(ledger: Ledger, ask: Ask, now: int) -> Iterator[_Place]:
    """Go through the places that are not held, the first to be free first."""
    assert ask.every is not None
    due, slots = ledger.due, iter(list(ledger.slots))
    windows = [
        (
            sum(holder.held.get(micros, 0) for holder in ledger.holders.values()) - count,
            [ends for ends, number in ledger.counted[micros] for _ in range(number)],
        )
        for count, micros in ask.windows
    ]
    given = 0
    while True:
        given += 1
        free = []
        for over, counted in windows:
            # So many of those that count now must count no more, for there is to be one more.
            before = len(counted) + over + given
            if before > len(counted):
                return
            free.append(now if before <= 0 else counted[before - 1])
        slot = next(slots, None)
        even = max(now, due - (ask.burst - 1) * ask.every) if slot is None else max(slot, now)
        if slot is None:
            due = max(due, even, *free) + ask.every
        yield _Place(even, tuple(free), due, slot is not None)


def _permit(ledger: Ledger, holder: Holder, ask: Ask, now: int) -> int:
    """Give permits, or tell how many are the process's part; nothing is taken that it has not given back."""
    holder.permits, holder.wanted = min(ask.permits, holder.permits), ask.wanted
    asking = [other for other in ledger.holders.values() if other.wanted and other.asked_at >= now - _RECENT]
    # Of its own what is under way takes no more than the permits that it is given for that.
    others = sum(other.uses for other in ledger.holders.values() if other is not holder)
    held = others + holder.permits + sum(number for _, number in ledger.gone)
    # What is kept by who is silent, or gone, is not there to be divided yet: the others share the rest evenly.
    whole = max(ask.concurrency - held + sum(other.permits for other in asking), 0)
    parts = parts_of([other.wanted for other in asking], whole, _order(asking, whole, now))
    part = next((each for other, each in zip(asking, parts, strict=True) if other is holder), 0)
    more = max(min(part - holder.permits, ask.concurrency - held), 0)
    if more:
        holder.turn = now
    holder.permits += more
    waits = any(other.permits < each for other, each in zip(asking, parts, strict=True) if other is not holder)
    if not waits and held + more <= ask.concurrency:
        return max(part, holder.permits)
    return part


def _order(asking: Sequence[Holder], whole: int, now: int) -> list[int]:
    """Give who is first to have one more than the others: who has it; where there is not one for each, for a while.

    After that it is the one whose turn is longest ago.
    """
    each = whole // max(len(asking), 1)
    current = [other.permits > each and (each > 0 or now - other.turn < _TURN) for other in asking]
    return sorted(range(len(asking)), key=lambda place: (not current[place], asking[place].turn))


def parts_of(wanted: Sequence[int], whole: int, order: Sequence[int]) -> list[int]:
    """Divide a whole number among those who want parts of it: who wants little has it, the others share evenly.

    What cannot be divided evenly goes to the first by `order`.
    """
    parts = [0] * len(wanted)
    left, open_ = whole, [place for place in order if wanted[place]]
    while open_ and left:
        each = left // len(open_)
        if not each:
            for place in open_[:left]:
                parts[place] += 1
            break
        for place in open_:
            more = min(each, wanted[place] - parts[place])
            parts[place] += more
            left -= more
        open_ = [place for place in open_ if parts[place] < wanted[place]]
    return parts


def _hear(ledger: Ledger, name: str, told: Told, now: int) -> None:
    """Take over what a process tells everybody."""
    news = ledger.news
    news.paused_until = max(news.paused_until, told.paused_until) if news.paused_until > now else told.paused_until
    news.down_until = max(news.down_until, told.down_until)
    if told.served_at:
        news.down_until = 0
    if told.lowered is not None:
        news.lowerings, news.lowered, news.by = news.lowerings + 1, told.lowered, name
