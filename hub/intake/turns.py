"""Turns: how much may be in hand at once, in the order of asking; what would wait too long is turned away."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from hub.errors import Behind, TooMuchAtOnce

#: When one who was turned away may come again.
AGAIN_SECONDS = 1.0


class Turns:
    """Bounds what requests hold, by their size: so much may be there at all, of one asker, and be worked on."""

    def __init__(self, *, held: int, of_one: int, worked: int) -> None:
        """Take the bounds, all in the same measure."""
        self._most_held = held
        self._most_of_one = of_one
        self._most_worked = worked
        self._held = 0
        self._of_one: Counter[str] = Counter()
        self._worked = 0
        self._row: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextmanager
    def holding(self, asker: str, size: int) -> Iterator[None]:
        """Hold so much; raises `Behind` when all have too much together, and `TooMuchAtOnce` when this one has.

        Who holds nothing is never turned away for itself.
        """
        if self._held and self._held + size > self._most_held:
            raise Behind(after=AGAIN_SECONDS)
        if self._of_one[asker] and self._of_one[asker] + size > self._most_of_one:
            raise TooMuchAtOnce(after=AGAIN_SECONDS)
        self._held += size
        self._of_one[asker] += size
        try:
            yield
        finally:
            self._held -= size
            self._of_one[asker] -= size
            if not self._of_one[asker]:
                del self._of_one[asker]

    @asynccontextmanager
    async def working(self, size: int) -> AsyncIterator[None]:
        """Wait for the turn to work on so much; who comes first has the first turn."""
        if self._row or not self._fits(size):
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._row.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave(size)
                else:
                    self._row = deque(each for each in self._row if each[1] is not turn)
                raise
        else:
            self._worked += size
        try:
            yield
        finally:
            self._leave(size)

    def _fits(self, size: int) -> bool:
        """Tell whether there is room; one that is larger than all the room has its turn alone."""
        return not self._worked or self._worked + size <= self._most_worked

    def _leave(self, size: int) -> None:
        self._worked -= size
        while self._row and self._fits(self._row[0][0]):
            next_size, turn = self._row.popleft()
            if not turn.cancelled():
                self._worked += next_size
                turn.set_result(None)
