"""Wake-ups: tiny messages that no stream keeps and that may be lost, doubled or late without harm."""

from __future__ import annotations

import asyncio

from hub.backbone.line import Line
from hub.backbone.names import bell_of

#: However often something is told, a message goes out once in so many seconds.
_APART = 0.003


class Bell:
    """Gathers what is to be told, and tells it while there is a connection."""

    def __init__(self, environment: str) -> None:
        """Ring for the processes of an environment."""
        self._environment = environment
        self._rung: set[str] = set()
        self._any = asyncio.Event()

    def subject(self, what: str) -> str:
        """Give the subject at which one of the bells is heard."""
        return bell_of(self._environment, what)

    def ring(self, what: str) -> None:
        """Tell all others; nothing is waited for."""
        self._rung.add(what)
        self._any.set()

    async def carry(self, line: Line) -> None:
        """Send what is rung over a connection, until it is over (`Away`)."""
        while True:
            await self._any.wait()
            self._any.clear()
            rung, self._rung = self._rung, set()
            for what in sorted(rung):
                await line.tell(self.subject(what))
            await asyncio.sleep(_APART)
