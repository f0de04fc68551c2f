"""Wake-ups: tiny messages that no stream keeps and that may be lost, doubled or late without harm."""

from __future__ import annotations

import asyncio

from hub.backbone.line import Line
from hub.backbone.names import bell_of


class Bell:
    """Gathers that something is to be told, and tells it while there is a connection."""

    def __init__(self, environment: str, what: str, *, apart: float) -> None:
        """Ring for the processes of an environment.

        The first message goes out at once; however often it is rung, the next one goes so many seconds later.
        """
        self.subject = bell_of(environment, what)
        self._apart = apart
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Tell all others; nothing is waited for."""
        self._rung.set()

    async def carry(self, line: Line) -> None:
        """Send what is rung over a connection, until it is over (`Away`)."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            await line.tell(self.subject)
            await asyncio.sleep(self._apart)
