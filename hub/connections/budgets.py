"""The budgets of one process: one for each external account, however many connections lead to it.

They outlive the accounts, which are made anew when a secret or a file has changed: what is in flight and what was
learned stays known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hub.connections.allotment import BudgetStore
from hub.connections.bounds import Bound
from hub.connections.hands import SHARE, Hands
from hub.connections.ledgers import Ledgers
from hub.connections.limiter import Limiter
from hub.model.ambient import Ambient
from hub.model.limits import Portion
from hub.model.turns import Turns
from hub.store import budgets
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database

#: Gives what the sources of one connection's limits say at a moment.
Sources = Callable[[datetime], Sequence[Bound]]


#: So many seconds a request may be under way where nobody says otherwise.
LASTS = 60.0


class Budgets:
    """Gives each account its limiter, with the lowest of what all its connections say."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        store: BudgetStore | None = None,
        share: int = SHARE,
        ledgers: Ledgers | None = None,
    ) -> None:
        """Begin with none; `share` is how many of a worker's runs one account alone may hold.

        `ledgers` are those of a database that several processes share: what they give holds for all together.
        """
        self._ledgers = ledgers
        self._environment = environment
        self._ambient = ambient
        self._store = store
        self._hands = Hands(share)
        self._limiters: dict[str, Limiter] = {}
        self._sources: dict[str, dict[str, Sources]] = {}
        self._learned: Mapping[str, Mapping[str, Any]] = {}

    def remember(self, learned: Mapping[str, Mapping[str, Any]]) -> None:
        """Take what an earlier process learned of each account."""
        self._learned = learned
        for name, limiter in self._limiters.items():
            if name in learned:
                limiter.restore(learned[name])

    def begin(self) -> None:
        """Forget which connections lead to which account; they are told anew."""
        for sources in self._sources.values():
            sources.clear()

    def limiter(self, name: str, connection: str, sources: Sources, *, lasts: float = LASTS) -> Limiter:
        """Give the limiter of an account to one of its connections, whose limits apply to it from now on.

        `lasts` is for how many seconds a request of the connection may be under way.
        """
        known = self._sources.setdefault(name, {})
        known[connection] = sources
        limiter = self._limiters.get(name)
        if limiter is None:
            limiter = self._limiters[name] = Limiter(
                lambda now: [bound for each in known.values() for bound in each(now)],
                self._ambient,
                name=name,
                topic=budgets.topic(environment=self._environment, name=name),
                hands=self._hands,
                store=self._store,
                fresh=self._store is None,
                line=self._ledgers,
            )
            if name in self._learned:
                limiter.restore(self._learned[name])
        limiter.lasts(lasts)
        return limiter

    def start(self) -> None:
        """Let go what waits from before, as far as there is room."""
        for limiter in self._limiters.values():
            limiter.start()

    def waiting(self, names: Iterable[str]) -> None:
        """Learn for which accounts runs wait in the database: whoever has turned them away may be gone."""
        for name in names:
            if name in self._limiters:
                self._limiters[name].waits()

    def close(self) -> None:
        """Keep what was learned, and give back what was not used of quotas."""
        for limiter in self._limiters.values():
            limiter.close()

    async def stop(self) -> None:
        """Let what was given back arrive; nothing is asked for any more."""
        if self._ledgers is not None:
            await asyncio.to_thread(self._ledgers.stop)


class StoredBudgets:
    """The hub's own database as what processes share; see `BudgetStore`."""

    def __init__(self, *, environment: str, committer: Committer) -> None:
        """Take the committer."""
        self._environment = environment
        self._committer = committer

    async def reserve(self, budget: str, wanted: Sequence[Portion]) -> Sequence[tuple[int, int]]:
        """Take a block of each quota; it is durable when it is given."""

        def work(transaction: Transaction) -> list[tuple[int, int]]:
            return budgets.reserve(transaction, environment=self._environment, name=budget, wanted=wanted)

        given: list[tuple[int, int]] = await self._committer.commit(Work(work, patient=True))
        return given

    def give_back(self, budget: str, unused: Sequence[Portion]) -> None:
        """Return what is left of blocks; nobody waits for it."""

        def work(transaction: Transaction) -> None:
            budgets.give_back(transaction, environment=self._environment, name=budget, unused=unused)

        self._submit(work)

    def keep(self, budget: str, learned: Mapping[str, Any] | None) -> None:
        """Keep what was learned; nobody waits for it."""

        def work(transaction: Transaction) -> None:
            budgets.keep_learned(transaction, environment=self._environment, name=budget, learned=learned)

        self._submit(work)

    def wake(self, topic: str, count: int, turns: Turns) -> Awaitable[int]:
        """Let runs go that wait for an account."""
        # Where the disk is full those who wait are let go when there is room: nobody would ask again.
        return self._committer.commit(
            Work(lambda transaction: budgets.wake_some(transaction, topic, count, turns), patient=True)
        )

    def _submit(self, work: Callable[[Transaction], None]) -> None:
        # Whoever sends a request must not fail over what is only remembered.
        self._committer.leave(Work(work))


def remembered(database: Database, *, environment: str) -> Mapping[str, Mapping[str, Any]]:
    """Give what earlier processes learned of the accounts of an environment."""
    with database.reading() as connection:
        return budgets.learned(connection, environment=environment)
