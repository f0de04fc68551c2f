"""Several workers on one account in virtual time: a ledger in memory, and a way to it that is slow and loses things."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import msgspec

from hub.connections.ledger import Answer, Ask, Ledger, exchange
from hub.connections.limiter import Limiter
from hub.errors import DatabaseAway, LimitReached
from hub.model.limits import Asker
from hub.sdk.connector import Limits
from tests.connections.virtual import Vendor, VirtualClock, ambient, now

#: The database's clock is another one than the workers'.
AHEAD = 123_456_789_000_000


@dataclass(kw_only=True)
class Database:
    """Keeps one ledger as the store does; `away` says that nobody reaches it, `loses` what part of all ways is lost."""

    seconds: float = 0.004
    loses: float = 0.0
    away: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    stored: bytes = b"{}"
    exchanges: int = 0

    def ledger(self) -> Ledger:
        """Give what is stored."""
        return msgspec.json.decode(self.stored, type=Ledger)


class Line:
    """The way of one worker; a worker that has crashed asks nothing more."""

    def __init__(self, database: Database, name: str) -> None:
        """Take the database, and the worker's name."""
        self.database = database
        self.name = name
        self.crashed = False

    async def exchange(self, _budget: str, ask: Ask) -> Answer:
        """Ask the ledger, and lose it on the way there or back."""
        database = self.database
        await asyncio.sleep(database.chance.uniform(0.2, 1.0) * database.seconds)
        if database.away or self.crashed or database.chance.random() < database.loses:
            raise DatabaseAway
        answer = self._apply(ask)
        await asyncio.sleep(database.chance.uniform(0.2, 1.0) * database.seconds)
        if database.chance.random() < database.loses:
            raise DatabaseAway
        return answer

    def leave(self, _budget: str, ask: Ask) -> None:
        """Tell the ledger without waiting."""
        if not self.database.away:
            self._apply(ask)

    def _apply(self, ask: Ask) -> Answer:
        database = self.database
        ledger = database.ledger()
        ask = msgspec.json.decode(msgspec.json.encode(ask), type=Ask)
        answer = exchange(ledger, self.name, ask, AHEAD + round(now() * 1_000_000))
        database.stored, database.exchanges = msgspec.json.encode(ledger), database.exchanges + 1
        return msgspec.json.decode(msgspec.json.encode(answer), type=Answer)


class Worker:
    """One process with its own limiter of the account."""

    def __init__(
        self, database: Database, limits: Limits, name: str, *, clock: VirtualClock | None = None, lasts: float = 2.0
    ) -> None:
        """Begin; a request takes two seconds at the most, or as long as it is said."""
        self.line = Line(database, name)
        self.limiter = Limiter(
            limits, ambient(sum(name.encode()), clock), name="erp", topic="limit:erp", line=self.line
        )
        self.limiter.lasts(lasts)
        self.tasks: list[asyncio.Task[None]] = []

    def work(self, vendor: Vendor, until: float, *, many: int = 8) -> None:
        """Keep asking with so many at a time."""
        mine = Vendor(
            limiter=self.limiter, transit=vendor.transit, seconds=vendor.seconds, arrivals=vendor.arrivals,
            askers=vendor.askers, refuses=vendor.refuses,
        )  # fmt: skip
        self.tasks += [
            asyncio.create_task(_keep_asking(mine, Asker(flow=self.line.name, key=str(each)), until))
            for each in range(many)
        ]

    def crash(self) -> None:
        """End as a killed process does."""
        self.line.crashed = True
        for task in self.tasks:
            task.cancel()


async def _keep_asking(vendor: Vendor, asker: Asker, until: float) -> None:
    while now() < until:
        try:
            await vendor.ask(asker)
        except LimitReached as error:
            await asyncio.sleep(error.after or 1.0)
