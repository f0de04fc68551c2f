"""What holds for one account at a moment: its limits, what was learned of them, its pauses, breaker and quota.

Times are microseconds of the account's clock, which never goes back; days and policies go by the machine's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog
from msgspec.structs import replace

from hub.connections.allotment import Allotment, BudgetStore
from hub.connections.bounds import Bounds, Lowest, interval, lowest, usual_burst
from hub.connections.breaker import Breaker, BreakerState
from hub.connections.learning import Learned
from hub.connections.ledger import HORIZON, Told
from hub.connections.meter import Meter
from hub.connections.pace import Pace, Start
from hub.connections.share import Share
from hub.connections.standing import Refusal, Standing
from hub.connections.steady import SteadyClock
from hub.errors import LimitKind, LimitReached
from hub.model.ambient import to_micros
from hub.model.limits import LONGEST_PAUSE
from hub.sdk.connector import Limits
from hub.sdk.limit_headers import Seen

log = structlog.get_logger(__name__)

SECOND = 1_000_000
#: So many seconds what is left is heeded for of which the vendor does not say when there is more.
_UNTIL_UNTOLD = 300.0
#: A pause longer than this is not waited for in the row.
SHORT_PAUSE = 10 * SECOND
#: Nothing goes out, and nobody waits in the row, while a vendor has said that nothing is left for longer than this.
_LONG_EMPTY = 30 * SECOND
#: Waits without a wish of the vendor's: the first, and how often they double.
_FIRST, _DOUBLES = 0.05, 9
#: Waits that were asked for are longer by chance: by up to this part, and so many seconds.
_JITTER, _SPREAD = 0.1, 30.0
#: What is made durable while others are under way: seconds of what goes out, or `_USUAL` requests when unknown.
_AHEAD, _USUAL = 0.1, 2
#: Limits are asked for anew after so long, and what was learned is kept at most so often.
_LOOK_EVERY, _KEEP_EVERY = SECOND, 10 * SECOND
#: Pauses that others tell of and that end within so long of each other are the same; and what is so old that nobody
#: probes any more tells nothing of a target.
_SAME, _STALE = SECOND // 10, 120 * SECOND
#: What an account can take is estimated anew after so long.
_ESTIMATE_EVERY = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """Why nothing goes out for longer than the row waits; `until` when, where that is known."""

    code: str
    detail: str
    until: int | None


class Conditions:
    """The decisions of one limiter; `told` is called when something may go out that could not before."""

    def __init__(
        self,
        bounds: Bounds,
        clock: SteadyClock,
        *,
        budget: str,
        share: int,
        random: Random,
        store: BudgetStore | None,
        told: Callable[[], None],
        shared: Share | None = None,
    ) -> None:
        """Begin with nothing learned; `share` is the most that may be in flight, whatever the limits say.

        `shared` is what this process holds of the account where others use it, too.
        """
        self.budget = budget
        self.pace, self.meter, self.breaker, self.learned = Pace(), Meter(), Breaker(), Learned()
        self.allotment = Allotment(budget, store, told)
        self.lowest = Lowest(limits=Limits())
        self.refusal: Refusal | None = None
        self.paused_until = 0
        self.shared = shared
        #: What the others are to be told, and how often limits were lowered as far as is known here.
        self._untold = Told()
        self._lowerings: int | None = None
        self._bounds = bounds
        self._clock = clock
        self._share = share
        self._random = random
        self._store = store
        self._looked: int | None = None
        self._estimated = -_ESTIMATE_EVERY
        self._estimate: float | None = None
        self._kept = 0
        self._backoffs = self._backed_off = 0
        self._alone = False
        self._every: int | None = None

    def look(self, now: int) -> None:
        """Take over what the sources of limits say at this moment."""
        if self._looked is not None and now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        found = lowest(self._bounds(self._clock.shown(now)))
        if found != self.lowest:
            self.lowest = found
            self.allotment.bind(found.quotas)
            if self.shared is None:
                self.pace.bind(found.windows)
            self._space(now)

    @property
    def permits(self) -> int:
        """Give how many requests may be in flight; one alone after a refusal, until one is served again."""
        if self._alone or self.breaker.state is BreakerState.HALF_OPEN:
            return 1
        concurrency = self.lowest.limits.concurrency
        return self._most(concurrency if self.shared is None else min(concurrency, self.shared.permits))

    @property
    def useful_permits(self) -> int:
        """Give how many shared permits can be used here in the next moments; what was learned may grow meanwhile."""
        return self._most(self.lowest.limits.concurrency, grown=2)

    def _most(self, permits: int, grown: int = 1) -> int:
        """Give how many of so many permits are used here, where what was learned has grown so many times."""
        most = min(permits, self._share)
        return most if self.learned.permits is None else min(most, grown * self.learned.permits)

    @property
    def one_alone(self) -> bool:
        """Tell whether one request goes out alone to find out."""
        return self._alone or self.breaker.state is BreakerState.HALF_OPEN

    def has_room(self, held: int, now: int) -> bool:
        """Tell whether one more may have a permit besides so many."""
        permits = self.permits
        if held < permits:
            return True
        return not self.one_alone and held < min(permits + self.ahead(now), self._share)

    def ahead(self, now: int) -> int:
        """Give how many may be made ready while others are in flight, so that no place stays empty meanwhile."""
        each = self.throughput(now)
        return _USUAL if each is None else math.ceil(each * _AHEAD)

    def throughput(self, now: int) -> float | None:
        """Give how many requests a second can go out, as far as it is known; an estimate of the last milliseconds."""
        if not 0 <= now - self._estimated < _ESTIMATE_EVERY:
            self._estimated, self._estimate = now, self._estimate_throughput(now, self.permits)
        return self._estimate

    def hoped(self, now: int) -> float | None:
        """Give the same for when this process has its part of the permits that are shared, until it hears otherwise."""
        if self.shared is None or self.one_alone or self.shared.left_short(now):
            return self.throughput(now)
        part = self._most(self.lowest.limits.concurrency // self._parties)
        return self._estimate_throughput(now, max(self.permits, part))

    def _estimate_throughput(self, now: int, permits: int) -> float | None:
        every, lasting = self._every, self.meter.lasting(now)
        paced = None if every is None else SECOND / every / self._parties
        if lasting is None:
            return paced
        by_places = max(permits, 1) / max(lasting, 0.001)
        return by_places if paced is None else min(paced, by_places)

    def ready(self, now: int, ahead: int = 0) -> int:
        """Give the earliest moment at which the pace and pauses let one go out after `ahead` others."""
        found = max(self.paused_until, self.pace.ready(now, ahead))
        if self.shared is None:
            return found
        return max(found, self.shared.ready(now, ahead) or now)

    def allotted(self, now: int, ahead: int, under_way: int) -> bool:
        """Tell whether every quota, and what is shared with others, has one more after `ahead` others in hand."""
        if self.shared is not None and self.shared.ready(now, ahead) is None:
            return False
        return not self.lowest.quotas or self.allotment.ready(self._clock.shown(now), ahead, under_way=under_way)

    def begin(self, now: int) -> Start:
        """Count a request that goes out now."""
        self.allotment.take()
        self.meter.start(now)
        start = self.pace.start(now)
        if self.shared is not None:
            self.shared.take(start, now)
        return start

    def end(self, start: Start, now: int) -> None:
        """Learn that a request is no longer under way."""
        self.meter.end(start.at, now)
        self.pace.answered(start, now)
        if self.shared is not None:
            self.shared.ended(start, now)

    def undo(self, start: Start) -> None:
        """Learn that a request did not leave; of a quota it stays counted."""
        self.meter.undo(start.at)
        self.pace.undo(start)
        if self.shared is not None:
            self.shared.undo(start)

    def shut(self, now: int) -> Shut | None:
        """Tell whether nothing goes out for long."""
        if self.breaker.state is BreakerState.OPEN:
            return Shut(
                code="target-down",
                detail="The target does not serve; it is asked again at intervals.",
                until=self._probe_at(now),
            )
        if self.paused_until > now + SHORT_PAUSE:
            return Shut(code="paused", detail="The account has asked for a pause.", until=self.paused_until)
        empty = self.pace.empty_until
        if empty is not None and empty > now + _LONG_EMPTY:
            return Shut(
                code="limit-used", detail="The account has said that nothing is left of its limit.", until=empty
            )
        over = self.allotment.over(self._clock.shown(now))
        if over is not None:
            return Shut(code="quota-used", detail="The account's quota is used up.", until=self._clock.at(over))
        return None

    def refused(self, error: LimitReached, *, sent: int, now: int, in_flight: int) -> float:
        """Learn that a limit refused a request; gives the seconds until it may be tried again."""
        self.breaker.served(now, sent)
        self.refusal = Refusal(at=self._clock.shown(now), kind=error.kind, detail=str(error)[:300])
        backoff = _FIRST * 2.0 ** min(self._backoffs + 1, _DOUBLES) * self._random.uniform(0.5, 1.0)
        if error.kind is LimitKind.OBJECT:
            # Another request works on the same thing; the account as a whole has room.
            return self._asked(error.after) or 0.2 + backoff
        if sent >= self._backed_off:
            self._backoffs, self._backed_off = self._backoffs + 1, now
        fell = self.learned.refused(
            error.kind,
            sent=sent,
            now=now,
            pace=self._known_pace,
            measured=self.meter.rate(now) + (0 if self.shared is None else self.shared.others_rate),
            permits=self.lowest.limits.concurrency,
            in_flight=max(self.meter.highest(now), in_flight)
            + (0 if self.shared is None else self.shared.others_in_flight),
        )
        # Never earlier than was asked, and not everybody at the same moment; who asks for little again and again is
        # given as much as who asks for nothing.
        asked = self._spread(self._asked(error.after))
        seconds = asked if error.after is not None and self._backoffs <= 1 else max(asked, backoff)
        self.paused_until = max(self.paused_until, now + math.ceil(seconds * SECOND))
        self._alone = True
        self._tell(now, paused_until=self.paused_until)
        if fell:
            log.info("limit.lowered", budget=self.budget, kind=error.kind.value, reason=self.refusal.detail)
            self._space(now)
            self._keep(now)
            self._tell(now, lowered=self.learned.kept(to_micros(self._clock.shown(now))))
        return (self.paused_until - now) / SECOND

    def served(self, *, sent: int, now: int, in_flight: int) -> None:
        """Learn that the account served a request."""
        self.meter.served(now)
        if self.breaker.served(now, sent):
            log.info("breaker.closed", budget=self.budget)
            self._tell(now, down_until=0, served_at=now)
        if sent >= self._backed_off:
            self._backoffs, self._alone = 0, False
        if not self.learned.anything:
            return
        self.learned.served(
            pace=self._known_pace,
            permits=self.lowest.limits.concurrency,
            in_flight=in_flight + (0 if self.shared is None else self.shared.others_in_flight),
            parties=self._parties,
        )
        self._space(now)
        if now - self._kept > _KEEP_EVERY or not self.learned.anything:
            self._keep(now)

    def failed(self, reason: str, *, sent: int, now: int, after: float | None = None) -> None:
        """Learn that the target did not serve a request, by its own fault or the network's.

        `after` is for how many seconds it asked to be left alone: that holds for all that is sent to it.
        """
        if after is not None:
            self.paused_until = max(self.paused_until, now + math.ceil(self._spread(self._asked(after)) * SECOND))
            self._tell(now, paused_until=self.paused_until)
        if self.breaker.failed(now, self._random.random(), sent):
            log.warning("breaker.opened", budget=self.budget, reason=reason)
            self._tell(now, down_until=self.breaker.probe_at)
            self.refusal = Refusal(at=self._clock.shown(now), kind=None, detail=reason[:300])

    def places(self, now: int, waiting: int) -> int:
        """Give how many places of a shared rate so many who wait can use soon."""
        if self.shared is None or self._every is None or self.paused_until > now + HORIZON:
            return 0
        # Beside those who wait as many come as came a moment ago.
        return min(waiting + self.shared.pace(now), -(-HORIZON // self._every) + 1)

    def probe_due(self, now: int, in_flight: int) -> bool:
        """Tell whether it is time for the breaker's probe; pauses, the pace and quotas hold for it too."""
        return self.breaker.due(now) and self.ready(now) <= now and self.allotted(now, 0, in_flight)

    def probed(self, now: int, *, served: bool) -> None:
        """Learn how the breaker's probe ended."""
        self.breaker.probed(now, self._random.random(), served=served)
        if self.breaker.state is BreakerState.OPEN:
            self._tell(now, down_until=self.breaker.probe_at)
        else:
            self._tell(now, down_until=0, served_at=now)

    @property
    def tells(self) -> bool:
        """Tell whether there is something that others who share the account must hear."""
        return self._untold != Told()

    def told(self) -> Told:
        """Give what others must hear; from here on they are taken to hear it."""
        told, self._untold = self._untold, Told()
        return told

    def heard(self, now: int) -> None:
        """Take over what others who share the account have learned."""
        assert self.shared is not None
        news, here = self.shared.news, self.shared.here
        until = here(news.paused_until) if news.paused_until else 0
        if until > max(self.paused_until + _SAME, now):
            self.paused_until, self._alone, self._backed_off = until, True, now
            self.refusal = Refusal(at=self._clock.shown(now), kind=None, detail="Another process was told to wait.")
        if news.lowered is not None and news.lowerings != self._lowerings:
            self.learned.heard(news.lowered, to_micros(self._clock.shown(now)), now)
        self._lowerings = news.lowerings
        down = here(news.down_until) if news.down_until else 0
        if down > now - _STALE and self.breaker.heard_down(now, down):
            log.warning("breaker.opened", budget=self.budget, reason="another process finds the target down")
            self.refusal = Refusal(
                at=self._clock.shown(now), kind=None, detail="Another process finds that the target does not serve."
            )
        elif not down and not self.tells and self.breaker.heard_served(now):
            log.info("breaker.half_open", budget=self.budget)
        self._space(now)

    def saw(self, seen: Seen, *, sent: int, now: int, in_flight: int) -> None:
        """Learn what the answer to a request sent at that time told of the account's limits."""
        if seen.remaining is not None and seen.resets_in is not None:
            # Of what is under way, nobody knows whether the vendor has counted it yet.
            left = seen.remaining - max(in_flight - 1, 0)
            if self.shared is not None:
                # Nor what the others make of it: each keeps to its part.
                left = (left - self.shared.others_in_flight) // self._parties
            self.pace.allow(left, now + math.ceil(self._asked(seen.resets_in) * SECOND), sent=sent)
        elif seen.quota is not None and seen.used is not None:
            self.pace.allow((seen.quota - seen.used) // self._parties, now + int(_UNTIL_UNTOLD * SECOND), sent=sent)

    def standing(self, now: int, *, in_flight: int, preparing: int, waiting: Mapping[int, int]) -> Standing:
        """Give what is to be seen of the account's budget."""
        self.look(now)
        state, opened = self.breaker.state, self.breaker.opened_at
        return Standing(
            budget=self.budget,
            limits=self.lowest.limits,
            by=self.lowest.by,
            bounds=tuple(self._bounds(self._clock.shown(now))),
            learned_rate=self.learned.rate,
            learned_concurrency=self.learned.permits,
            in_flight=in_flight,
            preparing=preparing,
            waiting=waiting,
            started=self.meter.started,
            quotas=self.allotment.uses,
            paused_until=self._clock.shown(self.paused_until) if self.paused_until > now else None,
            breaker=state,
            opened_at=None if opened is None else self._clock.shown(opened),
            probe_at=self._clock.shown(self._probe_at(now)) if state is BreakerState.OPEN else None,
            probes=self.breaker.probes,
            refusal=self.refusal,
            refusals=self.learned.refusals,
        )

    def restore(self, kept: Mapping[str, Any], now: int) -> None:
        """Go on with what an earlier process learned."""
        self.learned.restore(kept, to_micros(self._clock.shown(now)))
        self._space(now)

    def close(self, now: int) -> None:
        """Keep what was learned, and give back what was not used."""
        self._keep(now)
        self.allotment.give_back()

    def _probe_at(self, now: int) -> int:
        over = self.allotment.over(self._clock.shown(now))
        return max(self.breaker.probe_at, self.ready(now), 0 if over is None else self._clock.at(over))

    def _asked(self, seconds: float | None) -> float:
        """Take a vendor's wish at its word, up to what is sane."""
        if seconds is not None and seconds > LONGEST_PAUSE:
            log.warning("limit.longer_than_half_a_day", budget=self.budget, asked=seconds, taken=LONGEST_PAUSE)
        return min(seconds or 0.0, LONGEST_PAUSE)

    def _spread(self, seconds: float) -> float:
        return seconds + min(seconds * _JITTER, _SPREAD) * self._random.random()

    @property
    def _parties(self) -> int:
        return 1 if self.shared is None else max(self.shared.parties, 1)

    def _tell(self, now: int, *, lowered: Mapping[str, Any] | None = None, **moments: int) -> None:
        """Take note of what others are to hear; moments are told in the database's time when they go out."""
        if self.shared is None:
            return
        there = self.shared.there
        changed: dict[str, Any] = {name: there(moment) if moment else 0 for name, moment in moments.items()}
        if changed.get("down_until"):
            # It served before that.
            changed["served_at"] = 0
        if lowered is not None:
            changed["lowered"] = dict(lowered)
        self._untold = replace(self._untold, **changed)

    @property
    def _known_pace(self) -> float | None:
        return None if self.lowest.every is None else SECOND / self.lowest.every

    def _space(self, now: int) -> None:
        every, burst = self.lowest.every, self.lowest.burst
        if self.learned.rate is not None:
            learned = interval(self.learned.rate)
            if every is None or learned > every:
                every = learned
                burst = min(burst, usual_burst(self.learned.rate)) if self.lowest.every else 1
        if self.shared is None:
            self.pace.space(every, burst, now)
        else:
            # Places are given evenly to all who share; what is left here is how quick they are.
            self.pace.space(None, 1, now)
            self.shared.bind(self.lowest, every, burst)
        self._every = every

    def _keep(self, now: int) -> None:
        self._kept = now
        if self._store is not None:
            self._store.keep(self.budget, self.learned.kept(to_micros(self._clock.shown(now))))
