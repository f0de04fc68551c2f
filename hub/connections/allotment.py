"""The part of a quota that this process has in hand: taken from the store in blocks, durable before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from hub.connections.bounds import Quota
from hub.connections.quota import Term, block, term
from hub.errors import Fatal, StorageFull
from hub.model.ambient import to_micros
from hub.model.turns import Turns


class BudgetStore(Protocol):
    """What outlives a process of an account's budget, and what processes that use it together must share."""

    def reserve(self, budget: str, *, begins: int, quota: int, count: int) -> Awaitable[tuple[int, int]]:
        """Take up to `count` of what is left of a quota in the time that begins then; durable when it is given.

        Gives how many were taken, and how many are taken in all.
        """
        ...

    def give_back(self, budget: str, *, begins: int, count: int) -> None:
        """Return what was taken and not used."""
        ...

    def keep(self, budget: str, learned: Mapping[str, Any] | None) -> None:
        """Keep what was learned of the account."""
        ...

    def wake(self, topic: str, count: int, turns: Turns) -> Awaitable[int]:
        """Let up to `count` runs go on that wait for a topic; gives how many there were."""
        ...


class Allotment:
    """Gives one request of the quota after the other; `told` is called when there is something new to give.

    Without a store the quota is this process's own.
    """

    def __init__(self, budget: str, store: BudgetStore | None, told: Callable[[], None]) -> None:
        """Begin without a quota."""
        self._budget = budget
        self._store = store
        self._told = told
        self._quota: Quota | None = None
        self._term: Term | None = None
        self._in_hand = 0
        self._over = False
        self._owed = 0
        self._taken = 0
        self._asking: asyncio.Task[None] | None = None

    @property
    def quota(self) -> Quota | None:
        """Give the quota that applies."""
        return self._quota

    @property
    def ends(self) -> datetime | None:
        """Give when the present time of the quota ends."""
        return None if self._term is None else self._term.ends

    @property
    def used(self) -> int | None:
        """Give how many requests of the present time are gone, as far as this process knows; None without a quota."""
        return None if self._quota is None else self._taken - self._in_hand

    def bind(self, quota: Quota | None) -> None:
        """Take over another quota; what is in hand under the old one is given back."""
        if quota == self._quota:
            return
        self.give_back()
        self._quota, self._term, self._over = quota, None, False

    def ready(self, now: datetime, ahead: int = 0, *, under_way: int = 0) -> bool:
        """Tell whether there is one more for `ahead` others and the asker; asks the store when it runs low.

        `under_way` requests were sent and not answered: at the turn of the time they may count in the new one.
        """
        if self._quota is None:
            return True
        if self._term is None or not self._term.begins <= now < self._term.ends:
            self._term = term(now, self._quota.per, self._quota.zone)
            self._in_hand, self._over, self._taken, self._owed = 0, False, 0, under_way
        if self._in_hand <= max(ahead, self._low()) and not self._over and self._asking is None:
            self._ask(self._quota, self._term)
        return self._in_hand > ahead

    def over(self, now: datetime) -> datetime | None:
        """Give when there is a quota again, once the present one is used up."""
        if self._quota is None or self._term is None or not self._over or self._in_hand:
            return None
        return self._term.ends if now < self._term.ends else None

    def take(self) -> None:
        """Use one."""
        if self._quota is not None:
            self._in_hand -= 1

    def give_back(self) -> None:
        """Return what is in hand."""
        if self._term is not None and self._in_hand > 0 and self._store is not None:
            self._store.give_back(self._budget, begins=to_micros(self._term.begins), count=self._in_hand)
        self._taken -= self._in_hand
        self._in_hand = 0

    def _low(self) -> int:
        return 0 if self._quota is None else block(self._quota.count) // 4

    def _ask(self, quota: Quota, asked: Term) -> None:
        left = max(quota.count - self._taken, 1)
        if self._store is None:
            given = quota.count - self._taken
            self._took(quota, asked, left, given, quota.count)
            return
        self._asking = asyncio.get_running_loop().create_task(self._reserve(quota, asked, block(left)))

    async def _reserve(self, quota: Quota, asked: Term, count: int) -> None:
        assert self._store is not None
        try:
            given, taken = await self._store.reserve(
                self._budget, begins=to_micros(asked.begins), quota=quota.count, count=count
            )
        except (Fatal, StorageFull):
            # Nothing can be made durable any more, so nothing more may be used; the process stops.
            return
        finally:
            self._asking = None
        self._took(quota, asked, count, given, taken)
        self._told()

    def _took(self, quota: Quota, asked: Term, wanted: int, given: int, taken: int) -> None:
        if (quota, asked) != (self._quota, self._term):
            # Meanwhile another time or another quota has begun: what was taken of the old one stays unused.
            return
        self._taken = taken
        owed = min(self._owed, given)
        self._owed -= owed
        self._in_hand += given - owed
        self._over = given < wanted
