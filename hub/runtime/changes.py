"""That something has changed: a number for live pages, which wait for the next one."""

from __future__ import annotations

import asyncio
import contextlib


class Changes:
    """A number that rises with every group of changes, and a way to wait for it; feeds live pages."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.version = 0
        self.closed = False
        self._moved: asyncio.Event = asyncio.Event()
        #: After so many seconds a change is told once more: who is told may look where it is not yet.
        self.again_after: float | None = None
        self._again = False

    def advance(self) -> None:
        """Say that something changed."""
        self._tell()
        if self.again_after is not None and not self._again:
            self._again = True
            asyncio.get_running_loop().call_later(self.again_after, self._tell_again, self.version)

    def _tell_again(self, version: int) -> None:
        self._again = False
        if self.version == version:
            self._tell()
        else:
            # There was more meanwhile, which is told once more in its time.
            self.advance()

    def _tell(self) -> None:
        self.version += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def close(self) -> None:
        """Say that nothing more will be told, so that nobody goes on waiting."""
        self.closed = True
        self._moved.set()

    async def wait(self, after: int, timeout: float) -> int:
        """Give the version once it is above `after`, when the time is over, or at the close."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self.version <= after and not self.closed:
                    await self._moved.wait()
        return self.version
