"""The part of quotas that this process has in hand: taken from the store in blocks, durable before it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from hub.connections.bounds import Quota
from hub.connections.quota import Term, block, term
from hub.connections.standing import QuotaUse
from hub.errors import Fatal, NotDurable
from hub.model.ambient import to_micros
from hub.model.limits import Portion, QuotaPer
from hub.model.turns import Turns


class BudgetStore(Protocol):
    """What outlives a process of an account's budget, and what processes that use it together must share."""

    def reserve(self, budget: str, wanted: Sequence[Portion]) -> Awaitable[Sequence[tuple[int, int]]]:
        """Take of each quota up to as many as are wanted of what is left; durable when it is given.

        Gives how many were taken, and how many are taken in all, of each.
        """
        ...

    def give_back(self, budget: str, unused: Sequence[Portion]) -> None:
        """Return what was taken and not used."""
        ...

    def keep(self, budget: str, learned: Mapping[str, Any] | None) -> None:
        """Keep what was learned of the account."""
        ...

    def wake(self, topic: str, count: int, turns: Turns) -> Awaitable[int]:
        """Let up to `count` runs go on that wait for a topic; gives how many there were."""
        ...


class _Share:
    """What is in hand of one quota in its present time."""

    __slots__ = ("in_hand", "over", "owed", "quota", "taken", "term")

    def __init__(self, quota: Quota) -> None:
        self.quota = quota
        self.term: Term | None = None
        self.in_hand = self.owed = self.taken = 0
        self.over = False

    def turn(self, now: datetime, under_way: int) -> None:
        """Begin anew where another time of the quota has come; what is under way may count in both."""
        if self.term is None or not self.term.begins <= now < self.term.ends:
            self.term = term(now, self.quota.per, self.quota.zone)
            self.in_hand, self.taken, self.owed, self.over = 0, 0, under_way, False

    def low(self, ahead: int) -> bool:
        """Tell whether more is to be asked for."""
        return not self.over and self.in_hand <= max(ahead, block(self.quota.count) // 4)

    def wish(self, begins: datetime) -> Portion:
        """Give what to ask the store for."""
        return self.portion(begins, block(max(self.quota.count - self.taken, 1)))

    def portion(self, begins: datetime, count: int) -> Portion:
        """Give so many requests of a time of the quota."""
        quota = self.quota
        return Portion(per=quota.per, zone=quota.zone, begins=to_micros(begins), quota=quota.count, count=count)

    def took(self, wanted: int, given: int, taken: int) -> None:
        """Learn what the store gave."""
        self.taken = taken
        owed = min(self.owed, given)
        self.owed -= owed
        self.in_hand += given - owed
        self.over = given < wanted

    def release(self) -> Portion | None:
        """Give what is in hand, which is no longer used here."""
        unused = max(self.in_hand, 0)
        self.taken -= unused
        self.in_hand -= unused
        return self.portion(self.term.begins, unused) if unused and self.term is not None else None


class Allotment:
    """Gives one request of all quotas after the other; `told` is called when there is something new to give.

    Without a store the quotas are this process's own.
    """

    def __init__(self, budget: str, store: BudgetStore | None, told: Callable[[], None]) -> None:
        """Begin without a quota."""
        self._budget = budget
        self._store = store
        self._told = told
        self._shares: tuple[_Share, ...] = ()
        self._known: dict[tuple[QuotaPer, str], _Share] = {}
        self._asking: asyncio.Task[None] | None = None

    @property
    def uses(self) -> Sequence[QuotaUse]:
        """Give each quota that applies, with what is gone of it as far as this process knows."""
        return tuple(
            QuotaUse(
                quota=share.quota,
                used=None if share.term is None else share.taken - share.in_hand,
                ends=None if share.term is None else share.term.ends,
            )
            for share in self._shares
        )

    def bind(self, quotas: Sequence[Quota]) -> None:
        """Take over other quotas; what is in hand of those that no longer apply as they did is given back.

        Of one that applies again in the same time, what was used before still counts.
        """
        shares = []
        for quota in quotas:
            share = self._known.setdefault((quota.per, quota.zone), _Share(quota))
            if share not in self._shares or quota != share.quota:
                self._release([share])
                share.over = False
            share.quota = quota
            shares.append(share)
        self._release([share for share in self._shares if share not in shares])
        self._shares = tuple(shares)

    def ready(self, now: datetime, ahead: int = 0, *, under_way: int = 0) -> bool:
        """Tell whether there is one more for `ahead` others and the asker; asks the store when one runs low.

        `under_way` requests were sent and not answered: at the turn of a time they may count in the new one.
        """
        enough, low = True, False
        for share in self._shares:
            share.turn(now, under_way)
            low = low or share.low(ahead)
        if low and self._asking is None:
            self._ask([share for share in self._shares if share.low(ahead)])
        for share in self._shares:
            enough = enough and share.in_hand > ahead
        return enough

    def over(self, now: datetime) -> datetime | None:
        """Give when there is something of every quota again, once one is used up."""
        ends = [
            share.term.ends
            for share in self._shares
            if share.over
            and share.in_hand <= 0
            and share.term is not None
            and share.term.begins <= now < share.term.ends
        ]
        return max(ends, default=None)

    def take(self) -> None:
        """Use one of each."""
        for share in self._shares:
            share.in_hand -= 1

    def give_back(self) -> None:
        """Return what is in hand."""
        self._release(self._shares)

    def _release(self, shares: Sequence[_Share]) -> None:
        unused = [portion for share in shares if (portion := share.release()) is not None]
        if unused and self._store is not None:
            self._store.give_back(self._budget, unused)

    def _ask(self, shares: Sequence[_Share]) -> None:
        if self._store is None:
            for share in shares:
                left = share.quota.count - share.taken
                share.took(max(left, 1), max(left, 0), max(share.quota.count, share.taken))
            return
        terms = [(share, share.quota, share.term) for share in shares]
        wanted = [share.wish(share.term.begins) for share in shares if share.term is not None]
        self._asking = asyncio.get_running_loop().create_task(self._reserve(self._store, terms, wanted))

    async def _reserve(
        self, store: BudgetStore, asked: Sequence[tuple[_Share, Quota, Term | None]], wanted: Sequence[Portion]
    ) -> None:
        try:
            answers = await store.reserve(self._budget, wanted)
        except (Fatal, NotDurable):
            # Nothing can be made durable any more, so nothing more may be used; the process stops.
            return
        finally:
            self._asking = None
        unused = []
        for (share, quota, time), portion, (given, taken) in zip(asked, wanted, answers, strict=True):
            if share in self._shares and (quota, time) == (share.quota, share.term):
                share.took(portion.count, given, taken)
            elif given:
                # Meanwhile another time or another quota has begun.
                unused.append(replace(portion, count=given))
        if unused:
            store.give_back(self._budget, unused)
        self._told()
