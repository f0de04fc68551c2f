"""Asking the ledger of a shared account: when there is something to be asked, told or given back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from hub.connections.breaker import BreakerState
from hub.connections.conditions import SECOND, Conditions
from hub.connections.ledger import Answer, Ask, outlasts
from hub.connections.pace import Start
from hub.connections.share import Share
from hub.errors import DatabaseAway


class Line(Protocol):
    """The way to the ledgers of a database that several processes share."""

    def exchange(self, budget: str, ask: Ask) -> Awaitable[Answer]:
        """Ask for an account; `DatabaseAway` when nobody knows whether that has arrived."""
        ...

    def leave(self, budget: str, ask: Ask) -> None:
        """Tell what nobody waits to be answered."""
        ...


@dataclass(frozen=True, slots=True)
class Demand:
    """What there is to do: how many wait to send, and how many requests are under way."""

    waiting: int
    in_flight: int


class Asking:
    """Asks for one limiter; `told` is called with every answer."""

    def __init__(
        self,
        share: Share,
        line: Line,
        conditions: Conditions,
        *,
        now: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]],
        told: Callable[[], None],
    ) -> None:
        """Take what asks, the way, and what learns from the answers."""
        self._share = share
        self._line = line
        self._conditions = conditions
        self._now = now
        self._sleep = sleep
        self._broken_off: set[asyncio.Task[None]] = set()
        self._told = told
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Tell whether the ledger is to hear of something, also where nobody waits."""
        return self._share.busy or self._conditions.tells

    def due(self, now: int, demand: Demand) -> int | None:
        """Give when to ask next; None for not at all."""
        return self._share.due(
            now,
            places=self._conditions.places(now, demand.waiting),
            # Who has more to do than permits asks often, also where no more can be used: so it hears of pauses in time.
            permits=self._permits(demand) if self._conditions.one_alone else demand.waiting + demand.in_flight,
            in_flight=demand.in_flight,
            tells=self._conditions.tells,
            # Whether a target that is down serves again the others may find out.
            listens=self._conditions.breaker.state is BreakerState.OPEN,
        )

    def turn(self, now: int, demand: Demand) -> None:
        """Ask if it is time to."""
        due = self.due(now, demand)
        if due is None or due > now:
            return
        ask = self._form(now, demand)
        self._task = asyncio.get_running_loop().create_task(self._exchange(ask))

    def outlast(self, start: Start, end: Callable[[Start], None]) -> None:
        """Take a request for which nobody waits any more to be under way for as long as the vendor may be at it."""
        task = asyncio.get_running_loop().create_task(self._outlast(start, end))
        self._broken_off.add(task)
        task.add_done_callback(self._broken_off.discard)

    async def _outlast(self, start: Start, end: Callable[[Start], None]) -> None:
        now, lasts = self._now(), self._share.lasts
        likely = min(outlasts(lasts, self._conditions.meter.longest(now)), start.sent + lasts - now)
        await self._sleep(max(likely, 0) / SECOND)
        end(start)

    def close(self, now: int, in_flight: int) -> None:
        """Give back everything but the permits of what is under way, which end with the lease as a dead one's do."""
        if self._task is None and self._share.busy:
            self._share.let_go(now, in_flight)
            self._line.leave(self._conditions.budget, self._form(now, Demand(0, in_flight)))

    def _form(self, now: int, demand: Demand) -> Ask:
        return self._share.ask(
            now,
            places=self._conditions.places(now, demand.waiting),
            permits=self._permits(demand),
            in_flight=demand.in_flight,
            rate=round(self._conditions.meter.rate(now)),
            took=self._conditions.meter.longest(now),
            told=self._conditions.told,
        )

    def _permits(self, demand: Demand) -> int:
        # What cannot be used here would only be missed by the others.
        most = 1 if self._conditions.one_alone else self._conditions.useful_permits
        return min(demand.waiting + demand.in_flight, max(demand.in_flight, most))

    async def _exchange(self, ask: Ask) -> None:
        try:
            answer = await self._line.exchange(self._conditions.budget, ask)
        except DatabaseAway:
            self._share.failed(self._now())
        else:
            now = self._now()
            self._share.answered(answer, now)
            self._conditions.heard(now)
        self._task = None
        self._told()
