"""Runs that were turned away wait in the database; they are let go again as the row drains, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hub.connections.allotment import BudgetStore
from hub.errors import Fatal, NotDurable
from hub.model.turns import Turns

#: So long runs that were let go are expected to come (microseconds).
COMING = 2_000_000
#: The same where another process may have taken them and this one has nothing else in hand: what waits would wait for
#: nothing.
COMING_TO_IDLE = 150_000


class Recall:
    """Lets runs of one topic go on; `told` is called when some were.

    After a start some may be waiting from before, so that is taken to be so until the store says otherwise.
    """

    def __init__(
        self, store: BudgetStore | None, topic: str | None, told: Callable[[], None], *, others: bool = False
    ) -> None:
        """Take the store; without one nobody can wait there. `others` says that other processes take runs, too."""
        self._others = others
        self._store = store
        self._topic = topic
        self._told = told
        self._turns = Turns()
        self._pending = store is not None and topic is not None
        self._marks = 0
        self._coming = 0
        self._woken = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Tell whether runs may be waiting."""
        return self._pending

    def waits(self) -> None:
        """Learn that one more run waits durably."""
        self._pending = self._store is not None and self._topic is not None
        self._marks += 1

    def came(self) -> None:
        """Learn that a run asks for a place, which may be one that was let go."""
        self._coming = max(self._coming - 1, 0)

    def let_go(self, now: int, *, room: int, hands: int) -> None:
        """Let as many go as fill the room, once it is half empty and those let go before have come."""
        if not self._pending or self._task is not None or self._store is None or self._topic is None:
            return
        if hands > room // 2 or (self._coming and now - self._woken < self._patience(hands)):
            return
        self._coming, self._woken = room - hands, now
        wake = self._wake(self._store, self._topic, self._coming)
        self._task = asyncio.get_running_loop().create_task(wake)

    def next(self, *, hands: int) -> int | None:
        """Give when to look again whether those who were let go have come; None when nobody waits."""
        return self._woken + self._patience(hands) if self._pending else None

    def _patience(self, hands: int) -> int:
        return COMING_TO_IDLE if self._others and not hands else COMING

    async def _wake(self, store: BudgetStore, topic: str, count: int) -> None:
        marks = self._marks
        try:
            woken = await store.wake(topic, count, self._turns)
        except (Fatal, NotDurable):
            # Nothing can be made durable any more; the process stops.
            return
        finally:
            self._task = None
        self._coming = min(self._coming, woken)
        if woken < count and marks == self._marks:
            self._pending = False
        self._told()
