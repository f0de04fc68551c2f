"""The last gate before a request goes out: first come, first served, each at the moment it may."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from hub.connections.pace import Start
from hub.errors import LimitReached


class Gate:
    """Those who have a permit and wait to send; `undo` takes back a start that nobody makes any more."""

    def __init__(self, undo: Callable[[Start], None]) -> None:
        """Begin with nobody."""
        self._undo = undo
        self._waiting: deque[asyncio.Future[Start]] = deque()

    def __len__(self) -> int:
        """Give how many wait."""
        return len(self._waiting)

    def __bool__(self) -> bool:
        """Tell whether anybody waits."""
        return bool(self._waiting)

    def join(self) -> asyncio.Future[Start]:
        """Take a place; it is to be awaited with `passed`."""
        place: asyncio.Future[Start] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        return place

    async def passed(self, place: asyncio.Future[Start]) -> Start:
        """Wait for one's turn; raises the error with which one is turned away."""
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled() and place.exception() is None:
                self._undo(place.result())
            raise

    def let_in(self, begin: Callable[[], Start]) -> None:
        """Let the first send."""
        place = self._waiting.popleft()
        if not place.done():
            place.set_result(begin())

    def turn_away(self, error: Callable[[], LimitReached]) -> None:
        """Turn everybody away."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error())
