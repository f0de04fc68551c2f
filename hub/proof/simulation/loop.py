"""An event loop without time, threads or sockets: what is ready is picked by seeded chance, and time jumps.

Everything that runs for one simulated process carries that process in its context, so that a process can be killed
between any two of its steps (nothing of it runs any more, not even a `finally`), or be put to sleep and go on later.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from random import Random
from typing import Any, Self, TypeVar, TypeVarTuple

from hub.errors import Fatal

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

#: More steps than this in one trial mean that something goes round in circles.
MOST_STEPS = 400_000


class Stuck(Exception):
    """Nothing is ready and no timer runs, but what is waited for has not come."""


class Restless(Exception):
    """The trial goes round in circles, or time has run out for it."""


@dataclass(eq=False, slots=True)
class Life:
    """One life of one simulated process, from its start to its end."""

    name: str
    ended: bool = False
    asleep: bool = False


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


def present_life() -> Life | None:
    """Give the process that runs now; None for the world around it."""
    return _LIFE.get()


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs one trial; `time()` is in virtual seconds since its start."""

    def __init__(self, chance: Random) -> None:
        """Take the chance that decides the order of what is ready at the same time."""
        super().__init__()
        self._chance = chance
        self._now = 0.0
        self._picking: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbered = 0
        self._put_aside: list[asyncio.Handle] = []
        self._dropped: list[asyncio.Handle] = []
        self._troubled = False
        self._left = False
        self._unwound: set[asyncio.Task[Any]] = set()
        self.steps = 0
        #: No timer is followed beyond this moment; whoever still waits then waits for too long.
        self.horizon = float("inf")
        self.unhandled: list[str] = []
        self.set_exception_handler(self._keep_unhandled)

    def __enter__(self) -> Self:
        """Begin a trial."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """End it."""
        self.leave()

    # --- time -----------------------------------------------------------------------------------

    def time(self) -> float:
        """Give virtual seconds since the start."""
        return self._now

    def call_soon(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Add a callback to those of which one is picked next."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self._left:
            self._picking.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Add a callback for a moment."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._numbered += 1
        heapq.heappush(self._timers, (when, self._numbered, timer))
        return timer

    def call_later(
        self, delay: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Add a callback for so many seconds from now."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    # --- processes ------------------------------------------------------------------------------

    def live(self, life: Life, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Let a coroutine run as part of a process; what it starts belongs to the process too."""
        context = copy_context()
        context.run(_LIFE.set, life)
        return self.create_task(work, context=context)

    def kill(self, life: Life) -> None:
        """End a process: nothing of it runs any more."""
        life.ended = True
        self._troubled = True

    def send_to_sleep(self, life: Life, seconds: float) -> None:
        """Let nothing of a process run for so long, while time goes on for all others."""
        life.asleep = True
        self._troubled = True
        self.call_later(seconds, self._awake, life, context=Context())

    def _awake(self, life: Life) -> None:
        life.asleep = False
        self._picking.extend(self._put_aside)
        self._put_aside = []

    def _may_run(self, handle: asyncio.Handle) -> bool:
        life = handle._context.get(_LIFE)  # type: ignore[attr-defined]  # noqa: SLF001 - there is no other way
        if life is None:
            return True
        if life.ended:
            # Kept, so that nothing of it is unwound before the trial has been judged.
            self._dropped.append(handle)
            return False
        if life.asleep:
            self._put_aside.append(handle)
            return False
        return True

    # --- running --------------------------------------------------------------------------------

    def run_until_complete(self, future: Any) -> Any:
        """Run until a future is done; raises `Stuck` or `Restless` when it never will be."""
        task = asyncio.ensure_future(future, loop=self)
        asyncio._set_running_loop(self)  # noqa: SLF001 - as `run_forever` does
        try:
            while not task.done():
                self._turn()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
        return task.result()

    def _turn(self) -> None:
        if not self._picking:
            self._jump()
        picking = self._picking
        place = int(self._chance.random() * len(picking))
        handle = picking[place]
        last = picking.pop()
        if place < len(picking):
            picking[place] = last
        if handle._cancelled:  # noqa: SLF001 - as asyncio's own loop asks
            return
        if self._troubled and not self._may_run(handle):
            return
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Restless(f"it was not at rest after {MOST_STEPS:,} steps")
        handle._run()  # noqa: SLF001 - as asyncio's own loop does

    def _jump(self) -> None:
        """Let time pass to the next timer, and all timers of that moment become ready."""
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            raise Stuck("nothing is left that could happen")
        moment = timers[0][0]
        if moment > self.horizon:
            raise Restless(f"it was not at rest after {self.horizon:,.0f} seconds")
        self._now = max(self._now, moment)
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer.cancelled():
                self._picking.append(timer)

    def _keep_unhandled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep what nobody handled; a task that a kill left behind is no surprise."""
        if "was destroyed but it is pending" in context.get("message", ""):
            return
        error = context.get("exception")
        if isinstance(error, Fatal):
            # The process stops for this very reason; whoever was told of it need not tell it again.
            return
        self.unhandled.append(f"{context.get('message')}: {type(error).__name__}: {error}")

    def leave(self) -> None:
        """End the trial: whatever still waits for something is dropped, and nothing is heard of it."""
        self._left = True
        asyncio._set_running_loop(self)  # noqa: SLF001 - what unwinds may ask for it
        try:
            # A process that was killed unwinds only here, when nothing can come of it any more.
            while left := asyncio.all_tasks(self) - self._unwound:
                for task in left:
                    self._unwound.add(task)
                    with contextlib.suppress(BaseException):
                        task.get_coro().close()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001
        self._picking.clear()
        self._timers.clear()
        self._put_aside.clear()
        self._dropped.clear()
        self.close()

    # --- what a simulation has not ---------------------------------------------------------------

    def call_soon_threadsafe(
        self, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Refuse: there are no threads."""
        raise RuntimeError("a simulation has no threads")

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Args], Result], *args: *Args
    ) -> asyncio.Future[Result]:
        """Refuse: there are no threads."""
        raise RuntimeError("a simulation has no threads")
