"""One account's budget in this process: who may send now, who waits in the row, and who comes back later.

A request passes two gates. A *permit* is given in the order of the row, to a few more than may be in flight, so that
what must be durable before a request is made durable while others are under way. Then each sending passes the second
gate, where places in flight, the pace and the quota are exact. A run that would wait long, or that comes when the
account's share of the worker's hands is used up, is turned away: it waits in the database for the account's topic and
is let go in order, as the row drains.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from hub.connections.allotment import BudgetStore
from hub.connections.asking import Asking, Demand, Line
from hub.connections.bounds import Bounds, of_vendor
from hub.connections.breaker import BreakerState
from hub.connections.conditions import SECOND, Conditions, Shut
from hub.connections.gate import Gate
from hub.connections.hands import Hands
from hub.connections.pace import Start
from hub.connections.recall import Recall
from hub.connections.row import Row
from hub.connections.share import Share
from hub.connections.standing import Standing
from hub.connections.steady import SteadyClock
from hub.connections.turns import Permit, Sending
from hub.errors import HubError, LimitKind, LimitReached, NotSent, OutcomeUnknown, RetryLater
from hub.model.ambient import Ambient
from hub.model.limits import Asker
from hub.sdk.connector import Limits
from hub.sdk.limit_headers import Seen

log = structlog.get_logger(__name__)

#: Who would have to wait longer than this in the row comes back later instead.
LONGEST_WAIT = 30 * SECOND
#: So long somebody may wait in the row who is over the account's share of hands.
GRACE = SECOND
#: So long before its turn a request is let in, and made durable.
LEAD = SECOND // 5
#: For so many seconds of work runs are let go at a time.
SUPPLY = 5
#: While somebody waits, limits that change are asked for at least so often.
LOOK_WAITING = 5 * SECOND
ANYBODY = Asker()


@dataclass(slots=True, eq=False)
class _Waiter:
    asker: Asker
    patient: bool
    place: asyncio.Future[None]
    gone: bool = False


class Limiter:
    """Shared by everything that speaks to one account, so that no two flows overrun it together."""

    def __init__(
        self,
        limits: Limits | Bounds,
        ambient: Ambient,
        *,
        name: str = "",
        topic: str | None = None,
        hands: Hands | None = None,
        store: BudgetStore | None = None,
        fresh: bool = True,
        line: Line | None = None,
    ) -> None:
        """Take the limits, or what tells them by source for the present moment.

        `topic` is what turned-away runs wait for, `hands` are the worker's, which all its accounts share. Not `fresh`:
        another process may have used the account a moment ago. With a `line` others use it now, and all keep to what
        its ledger gives them.
        """
        self.name = name
        self.topic = topic
        self._bounds: Bounds = limits if callable(limits) else lambda _now: (of_vendor(limits),)
        self._changing = callable(limits)
        self._ambient = ambient
        self._worker = hands or Hands()
        self._row: Row[_Waiter] = Row()
        self._gate = Gate(self.end)
        self._deadlines: list[tuple[int, int, _Waiter]] = []
        self._joined = self._held = self._hands = self._in_flight = 0
        self._pumping = False
        self._clock = SteadyClock(ambient)
        self._recall = Recall(store, topic, self._pump, others=line is not None)
        self._probing: asyncio.Task[None] | None = None
        self._probe: Callable[[], Awaitable[None]] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._rings = 0
        shared = Share() if line is not None else None
        self._conditions = Conditions(
            self._bounds,
            self._clock,
            budget=name,
            share=self._worker.share,
            random=ambient.random,
            store=store,
            told=self._pump,
            shared=shared,
        )
        self._asking: Asking | None = None
        if shared is not None and line is not None:
            self._asking = Asking(
                shared, line, self._conditions, now=self._now, sleep=ambient.clock.sleep, told=self._pump
            )
        self._conditions.look(self._now())
        if not fresh and shared is None:
            self._conditions.pace.begin_full(self._now())

    @property
    def limits(self) -> Limits:
        """Give the lowest of what every source says, without what was learned."""
        return self._conditions.lowest.limits

    @property
    def in_flight(self) -> int:
        """Give how many requests are under way."""
        return self._in_flight

    @property
    def is_open(self) -> bool:
        """Tell whether the breaker keeps requests from going out."""
        return self._conditions.breaker.state is BreakerState.OPEN

    def permit(
        self, asker: Asker = ANYBODY, *, patient: bool = False, look: Callable[[], None] = lambda: None
    ) -> Permit:
        """Wait for a turn in the row and hold it; `LimitReached` when it is better to come back later.

        Who is `patient` holds none of a worker's hands, or has begun something that it would have to begin again: it
        is turned away only when nothing goes out for long. `look` is called before and after, and may raise.
        """
        return Permit(self, asker, patient=patient, look=look)

    def sending(self, *, probe: bool = False, leave: Callable[[], Awaitable[None]] | None = None) -> Sending:
        """Wait until one request may go out at this moment, and count it; `LimitReached` when nothing does for long.

        A `probe` goes out at once: there is never more than one. `leave` is awaited when the moment has come; where
        that takes long another moment is waited for, and it is awaited again.
        """
        return Sending(self, probe=probe, leave=leave)

    def refused(self, start: Start, error: LimitReached) -> None:
        """Learn that a limit refused a request; the error is told when to try again, and in which row to wait.

        This and the other learning belongs between the start of a request and the end of its `sending`.
        """
        error.after = self._conditions.refused(error, sent=start.at, now=self._now(), in_flight=self._in_flight)
        if error.kind is not LimitKind.OBJECT:
            error.on = self.topic

    def served(self, start: Start) -> None:
        """Learn that the account served a request."""
        self._conditions.served(sent=start.at, now=self._now(), in_flight=self._in_flight)

    def failed(
        self, start: Start, error: HubError, probe: Callable[[], Awaitable[None]], *, after: float | None = None
    ) -> None:
        """Learn that the target did not serve a request; `probe` makes a harmless one to find out when it does.

        `after` is for how many seconds it asked to be left alone.
        """
        self._probe = probe
        now = self._now()
        self._conditions.failed(str(error), sent=start.at, now=now, after=after)
        if isinstance(error, RetryLater | OutcomeUnknown) and self._conditions.shut(now) is not None:
            error.on = self.topic

    def saw(self, start: Start, seen: Seen) -> None:
        """Learn what an answer told of the account's limits."""
        self._conditions.saw(seen, sent=start.at, now=self._now(), in_flight=self._in_flight)

    def waits(self) -> None:
        """Learn that a run that was turned away waits durably now; it is let go when there is room."""
        self._recall.waits()
        self._pump()

    def start(self) -> None:
        """Let go what waits from before, as far as there is room."""
        self._pump()

    def lasts(self, seconds: float) -> None:
        """Learn for how long a request of one of its connections may be under way."""
        if self._conditions.shared is not None:
            self._conditions.shared.lasts = max(self._conditions.shared.lasts, round(seconds * SECOND))

    def restore(self, learned: Mapping[str, Any]) -> None:
        """Go on with what an earlier process learned of the account."""
        self._conditions.restore(learned, self._now())

    def close(self) -> None:
        """Keep what was learned, and give back what was not used of a quota."""
        now = self._now()
        self._conditions.close(now)
        if self._asking is not None:
            self._asking.close(now, self._in_flight)

    def standing(self) -> Standing:
        """Give what is to be seen of the account's budget."""
        return self._conditions.standing(
            self._now(),
            in_flight=self._in_flight,
            preparing=max(self._held - self._in_flight, 0),
            waiting=self._row.by_class(),
        )

    def _now(self) -> int:
        return self._clock.now()

    async def enter(self, asker: Asker, *, patient: bool) -> None:
        """Take a place, as `permit` says; it is given back with `leave`."""
        now = self._now()
        self._conditions.look(now)
        if not patient:
            self._recall.came()
        shut = self._conditions.shut(now)
        if shut is not None:
            raise self._turned_away(shut, now)
        if not self._row and self._may_enter(now):
            self._take(patient=patient)
            self._held += 1
            return
        waiter = self._join(asker, patient=patient, now=now)
        self._pump_soon()
        try:
            await waiter.place
        except asyncio.CancelledError:
            if not waiter.gone:
                self._drop(waiter)
            elif not waiter.place.cancelled() and waiter.place.exception() is None:
                # It was let in at the very moment it was cancelled.
                self.leave(patient=patient)
            raise

    def leave(self, *, patient: bool) -> None:
        """Give a place back."""
        self._held -= 1
        self._give_back(patient=patient)
        self._pump_soon()

    async def begin(self, *, probe: bool) -> Start:
        """Wait for the moment to send, as `sending` says; `end` says that it is over."""
        now = self._now()
        if probe:
            return self._begin(now)
        shut = self._conditions.shut(now)
        if shut is not None:
            raise self._turned_away(shut, now)
        if not self._gate and self._may_send(now):
            return self._begin(now)
        place = self._gate.join()
        self._pump_soon()
        start = await self._gate.passed(place)
        start.sent = self._now()
        return start

    def leaves(self, start: Start) -> bool:
        """Tell whether a request still leaves at its moment, which is this one then."""
        return start.leaves(self._now())

    def end(self, start: Start) -> None:
        """Learn that a request is over, or will not be made."""
        self._in_flight -= 1
        self._conditions.end(start, self._now())
        self._pump_soon()

    def undo(self, start: Start) -> None:
        """Learn that a request did not leave."""
        self._in_flight -= 1
        self._conditions.undo(start)
        self._pump_soon()

    def break_off(self, start: Start) -> None:
        """Learn that nobody waits for the end of a request any more; where others share the account it counts on."""
        if self._asking is None:
            self.end(start)
        else:
            self._asking.outlast(start, self.end)

    def _may_enter(self, now: int) -> bool:
        conditions = self._conditions
        if not conditions.has_room(self._held, now):
            return False
        ahead = max(self._held - self._in_flight, 0)
        return conditions.ready(now, ahead) <= now + LEAD and conditions.allotted(now, ahead, self._in_flight)

    def _take(self, *, patient: bool) -> None:
        if not patient:
            self._hands += 1
            self._worker.used += 1

    def _give_back(self, *, patient: bool) -> None:
        if not patient:
            self._hands -= 1
            self._worker.used -= 1

    def _join(self, asker: Asker, *, patient: bool, now: int) -> _Waiter:
        ends = now + LONGEST_WAIT
        if not patient:
            wait = self._expected(asker, now)
            over = self._hands >= self._worker.most
            if (over and wait > GRACE) or wait > LONGEST_WAIT:
                other = self._row.gives_way(asker)
                if other is None or other.patient:
                    raise self._row_full(now)
                self._turn_away(other, self._row_full(now))
            elif over:
                ends = now + GRACE
        waiter = _Waiter(asker, patient, asyncio.get_running_loop().create_future())
        self._row.join(waiter)
        self._take(patient=patient)
        if not patient:
            self._joined += 1
            heapq.heappush(self._deadlines, (ends, self._joined, waiter))
        return waiter

    def _expected(self, asker: Asker, now: int) -> int:
        """Give how long a newcomer would wait in the row, as far as it can be told."""
        before = sum(number for priority, number in self._row.by_class().items() if priority <= asker.priority)
        before += max(self._held - self._conditions.permits, 0)
        each = self._conditions.hoped(now)
        return 0 if each is None else int((before + 1) / each * SECOND)

    def _drop(self, waiter: _Waiter) -> None:
        waiter.gone = True
        self._row.left(waiter)
        self._give_back(patient=waiter.patient)

    def _turn_away(self, waiter: _Waiter, error: LimitReached) -> None:
        self._drop(waiter)
        if not waiter.place.done():
            waiter.place.set_exception(error)

    def _turned_away(self, shut: Shut, now: int) -> LimitReached:
        after = None if shut.until is None else max(shut.until - now, 0) / SECOND
        error = LimitReached(shut.detail, after=after, code=shut.code, account=self.name)
        error.on = self.topic
        return error

    def _row_full(self, now: int) -> LimitReached:
        detail = "Many others wait for the account; the run makes room and comes back in its turn."
        return self._turned_away(Shut(code="account-busy", detail=detail, until=None), now)

    def _may_send(self, now: int) -> bool:
        conditions = self._conditions
        if self._in_flight >= conditions.permits or conditions.ready(now) > now:
            return False
        return conditions.allotted(now, 0, self._in_flight)

    def _begin(self, now: int) -> Start:
        self._in_flight += 1
        return self._conditions.begin(now)

    def _pump_soon(self) -> None:
        """Pump once for all that happens in the same turn of the event loop."""
        if not self._pumping and self._anybody():
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _anybody(self) -> bool:
        if self._asking is not None and (self._in_flight or self._asking.busy):
            return True
        return bool(self._row or self._gate or self._recall.pending or self.is_open)

    def _pump(self) -> None:
        """Let in whoever may go, turn away whoever has waited too long, and see to what comes next."""
        self._pumping = False
        if not self._anybody():
            return
        conditions, now = self._conditions, self._now()
        conditions.look(now)
        shut = conditions.shut(now)
        if shut is not None:
            self._turn_all_away(shut, now)
            if conditions.probe_due(now, self._in_flight) and self._probe is not None:
                conditions.breaker.probe()
                self._probing = asyncio.get_running_loop().create_task(self._find_out(self._probe))
            else:
                # Whether a quota has room for the probe may have come to light only now.
                shut = conditions.shut(now)
        else:
            while self._gate and self._may_send(now):
                self._gate.let_in(lambda: self._begin(now))
            while self._row and self._may_enter(now):
                waiter = self._row.next()
                assert waiter is not None
                waiter.gone = True
                if waiter.place.done():
                    # It was cancelled, and has not yet come to say so.
                    self._give_back(patient=waiter.patient)
                else:
                    self._held += 1
                    waiter.place.set_result(None)
            self._turn_late_away(now)
            if self._recall.pending:
                room = 1 if conditions.one_alone else self._supply(now)
                self._recall.let_go(now, room=room, hands=self._hands)
        if self._asking is not None:
            self._asking.turn(now, self._demand(now))
        self._set_timer(now, shut)

    def _demand(self, now: int) -> Demand:
        preparing = max(self._held - self._in_flight, len(self._gate))
        # The breaker's probe waits in no row.
        probes = 1 if self._conditions.breaker.due(now) else 0
        return Demand(max(preparing + len(self._row), probes), self._in_flight)

    def _turn_all_away(self, shut: Shut, now: int) -> None:
        for waiter in list(self._row):
            self._turn_away(waiter, self._turned_away(shut, now))
        self._gate.turn_away(lambda: self._turned_away(shut, now))
        self._deadlines.clear()

    def _turn_late_away(self, now: int) -> None:
        while self._deadlines and (self._deadlines[0][2].gone or self._deadlines[0][0] <= now):
            _, _, waiter = heapq.heappop(self._deadlines)
            if not waiter.gone:
                self._turn_away(waiter, self._row_full(now))

    def _supply(self, now: int) -> int:
        """Give how many runs keep the account busy for some seconds, within its share of hands."""
        each = self._conditions.throughput(now)
        wanted = 2 * self._conditions.permits if each is None else int(each * SUPPLY)
        return min(max(wanted, self._conditions.permits + self._conditions.ahead(now), 2), self._worker.most)

    async def _find_out(self, probe: Callable[[], Awaitable[None]]) -> None:
        served = True
        try:
            await probe()
        except (NotSent, OutcomeUnknown):
            served = False
        except HubError as error:
            served = not _is_down(error)
        except Exception:  # a connector that does not understand its target must not be left without a next probe
            log.exception("breaker.probe_defect", budget=self.name)
            served = False
        finally:
            self._probing = None
        self._conditions.probed(self._now(), served=served)
        self._pump()

    def _set_timer(self, now: int, shut: Shut | None) -> None:
        """Look again when time alone may have changed something."""
        times = self._awaited(now, shut)
        # What could have been already hangs on something else than time.
        at = min((time for time in times if time is not None and time > now), default=None)
        if at is None:
            return
        if self._timer is not None and not self._timer.done():
            if self._rings <= at:
                return
            self._timer.cancel()
        self._rings = at
        self._timer = asyncio.get_running_loop().create_task(self._ring((at - now) / SECOND))

    def _awaited(self, now: int, shut: Shut | None) -> Iterator[int | None]:
        conditions = self._conditions
        if self._asking is not None:
            yield self._asking.due(now, self._demand(now))
        if shut is not None:
            yield shut.until
            return
        if self._gate:
            yield conditions.ready(now)
        if self._row:
            yield conditions.ready(now, max(self._held - self._in_flight, 0)) - LEAD
            if self._deadlines:
                yield self._deadlines[0][0]
        if self._changing and (self._gate or self._row):
            yield now + LOOK_WAITING
        yield self._recall.next(hands=self._hands)

    async def _ring(self, seconds: float) -> None:
        await self._ambient.clock.sleep(seconds)
        self._timer = None
        self._pump()


def _is_down(error: HubError) -> bool:
    return isinstance(error, RetryLater) and not isinstance(error, LimitReached)
