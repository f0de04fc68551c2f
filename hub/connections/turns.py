"""A turn at an account as a context: taken on the way in, given back on the way out, however that ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from hub.connections.pace import Start
from hub.model.limits import Asker

if TYPE_CHECKING:
    from hub.connections.limiter import Limiter


class Permit:
    """A turn in the row, as a context."""

    __slots__ = ("_asker", "_limiter", "_look", "_patient")

    def __init__(self, limiter: Limiter, asker: Asker, *, patient: bool, look: Callable[[], None]) -> None:
        """Take who asks, and what says whether the account takes work at all."""
        self._limiter = limiter
        self._asker = asker
        self._patient = patient
        self._look = look

    async def __aenter__(self) -> None:
        """Wait for the turn."""
        self._look()
        await self._limiter.enter(self._asker, patient=self._patient)
        try:
            self._look()
        except BaseException:
            self._limiter.leave(patient=self._patient)
            raise

    async def __aexit__(self, *_exc: object) -> None:
        """Give the place back."""
        self._limiter.leave(patient=self._patient)


class Sending:
    """One request on its way, as a context."""

    __slots__ = ("_leave", "_limiter", "_probe", "_start")

    def __init__(self, limiter: Limiter, *, probe: bool, leave: Callable[[], Awaitable[None]] | None) -> None:
        """Take the limiter, and what is awaited last before the request leaves."""
        self._limiter = limiter
        self._probe = probe
        self._leave = leave

    async def __aenter__(self) -> Start:
        """Wait for the moment; who is held up then until it has passed waits for another one."""
        while True:
            start = await self._limiter.begin(probe=self._probe)
            if self._leave is None:
                break
            try:
                await self._leave()
            except BaseException:
                self._limiter.undo(start)
                raise
            if self._limiter.leaves(start):
                break
            self._limiter.undo(start)
        self._start = start
        return start

    async def __aexit__(self, kind: type[BaseException] | None, *_exc: object) -> None:
        """Say that it is over, or that nobody waits for its end."""
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._limiter.break_off(self._start)
        else:
            self._limiter.end(self._start)
