"""The backbone of one process: a connection to NATS that comes back by itself, and what goes over it.

Nothing depends on it. Without it, work is found by polling, and what a feed is to tell waits in the outbox.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from hub.backbone.bell import Bell
from hub.backbone.examining import Remark, examined
from hub.backbone.line import Away, Line, connected
from hub.backbone.publishing import Publisher
from hub.backbone.settings import NatsSettings
from hub.errors import Fatal, HubError

log = structlog.get_logger(__name__)

#: Seconds between tries to connect, at first and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
#: Seconds until a publisher that failed tries again over the same connection.
_AGAIN = 1.0
#: Seconds from a connection to the look at how everything is set.
_EXAMINED_AFTER = 2.0
#: However often something is told, a message goes out once in so many seconds: work waits for it, and a feed that is
#: told of that much gathers it anyway.
_WORK_APART, _FEED_APART = 0.003, 0.1
#: Seconds until a task that was told to end is told once more.
_TOLD_AGAIN = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who is told what the backbone hears.

    `work` is called when another process has work to give away, and `reached` with true and false as the connection
    comes and goes.
    """

    work: Callable[[], None] = lambda: None
    reached: Callable[[bool], None] = lambda _there: None


class Backbone:
    """Runs from `start` to `stop`; whatever goes wrong with NATS is logged once and tried again."""

    def __init__(self, *, environment: str, settings: NatsSettings, publisher: Publisher, name: str) -> None:
        """Take the collaborators; `name` is this process."""
        self.settings = settings
        self.publisher = publisher
        self._environment = environment
        self._name = name
        self._work = Bell(environment, "work", apart=_WORK_APART)
        self._feed = Bell(environment, "feed", apart=_FEED_APART)
        self._task: asyncio.Task[None] | None = None
        self._told = Told()
        #: The connection while there is one, and otherwise why there is none.
        self.line: Line | None = None
        self.away: str | None = "not connected yet"

    def start(self, told: Told) -> None:
        """Begin to connect; returns at once."""
        self._told = told
        self._task = asyncio.create_task(self._run(), name="backbone")

    async def stop(self) -> None:
        """Let go of NATS."""
        if self._task is not None:
            await _end(self._task)

    def work(self) -> None:
        """Tell other processes that there is work which nobody here has taken."""
        self._work.ring()

    def news(self) -> None:
        """Tell whoever publishes, here or in another process, that there is something to publish."""
        self.publisher.wake()
        if not self.publisher.in_turn:
            self._feed.ring()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                async with connected(self.settings, name=f"concord {self._name}") as line:
                    pause = _FIRST_PAUSE
                    await self._use(line)
                raise Away(reason="the connection broke")
            except Away as error:
                reason = str(error.facts["reason"])
                if self.line is not None or self.away != reason:
                    hint = "work is found by polling, and feeds wait, until NATS answers"
                    log.warning("backbone.away", servers=self.settings.places, reason=reason, hint=hint)
                self._lost(reason)
            except Exception:
                log.exception("backbone.defect")
                self._lost("a defect of the hub: see its log")
            await asyncio.sleep(pause * (0.5 + random.random() / 2))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _lost(self, reason: str) -> None:
        there, self.line, self.away = self.line is not None, None, reason
        if there:
            self._told.reached(False)

    async def _use(self, line: Line) -> None:
        """Hear and tell over a connection until it is over."""
        await line.listen(self._work.subject, self._told.work)
        await line.listen(self._feed.subject, self.publisher.wake)
        self.line, self.away = line, None
        log.info("backbone.connected", server=line.place, version=line.version)
        self._told.reached(True)
        # Whatever was told while nobody listened is found now.
        self._told.work()
        all_along = (self._work.carry(line), self._feed.carry(line), self._publish(line))
        going = [asyncio.create_task(each) for each in all_along]
        examining = asyncio.create_task(self._examine())
        over = asyncio.ensure_future(line.over.wait())
        try:
            done, _ = await asyncio.wait([*going, over], return_when=asyncio.FIRST_COMPLETED)
            for task in done & set(going):
                task.result()
        finally:
            await _end(*going, examining, over)

    async def examine(self) -> list[Remark]:
        """Look at the servers and at the stream, as far as they can be seen from here."""
        return await examined(self.line, self.settings, self._environment, away=self.away)

    async def _examine(self) -> None:
        """Tell the log what is not as it should be, once the publisher has seen to the stream."""
        await asyncio.sleep(_EXAMINED_AFTER)
        for remark in await self.examine():
            if remark.severity in ("warn", "fail"):
                log.warning("backbone.setting", of=remark.name, found=remark.found, hint=remark.advice)

    async def _publish(self, line: Line) -> None:
        """Publish over a connection; what keeps the feed from going on does not keep wake-ups from it."""
        while True:
            try:
                await self.publisher.run(line)
            except Fatal:
                # Nothing can be committed any more: the process is about to end.
                self.publisher.stuck = "nothing can be made durable any more"
                await line.over.wait()
            except HubError as error:
                if line.over.is_set():
                    raise
                if self.publisher.stuck != str(error):
                    log.warning("feed.stuck", reason=str(error))
                self.publisher.stuck = str(error)
            except Exception as error:
                log.exception("feed.defect")
                self.publisher.stuck = f"a defect of the hub: {type(error).__name__}"
            await asyncio.sleep(_AGAIN)


async def _end(*tasks: asyncio.Future[Any]) -> None:
    """End tasks, and tell them again if they have not heard."""
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_TOLD_AGAIN)
    await asyncio.gather(*tasks, return_exceptions=True)
