"""When streams are read: each at its own interval, beside each other, and never one of them twice at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hub.connections.accounts import Account
from hub.errors import ConnectionPaused, Fatal, FixConnection, HubError, RetryLater
from hub.intake.streams import Found, Streams
from hub.model.ambient import Ambient
from hub.sdk.connector import Stream
from hub.workspace.bundle import Bundle
from hub.workspace.polling import Plan, plan_of

log = structlog.get_logger(__name__)

#: So many streams of one connection are read at a time, and so many of all.
MOST_OF_ONE = 2
MOST_OF_ALL = 32
#: A failed reading is tried again after this time or the interval, whichever is shorter, and then after twice that.
FIRST_RETRY = timedelta(seconds=30)
LONGEST_RETRY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """When a stream is read next by this account, and when that was said.

    A clock that was put back does not make it wait longer, and an account with other settings is tried at once.
    """

    account: Account
    said: datetime
    due: datetime


def wait_after(failures: int, every: timedelta, asked: float | None, chance: float) -> timedelta:
    """Give how long a stream is left alone after so many failures, one after the other.

    `asked` is for how many seconds the vendor wants to be left alone; `chance` is from 0 to 1 and spreads the load.
    """
    first, most = min(every, FIRST_RETRY), max(every, LONGEST_RETRY)
    doubled: timedelta = first * 2 ** min(failures - 1, 20)
    return max(min(doubled, most) * (1 + chance / 4), timedelta(seconds=asked or 0))


class Polls:
    """Reads the streams of one environment's connections, each in a task of its own."""

    def __init__(
        self,
        *,
        ambient: Ambient,
        accounts: Mapping[str, Account],
        bundle: Callable[[], Bundle],
        streams: Streams,
        every: timedelta,
    ) -> None:
        """Take the collaborators; `every` is the interval of streams whose file names none."""
        self._ambient = ambient
        self._accounts = accounts
        self._bundle = bundle
        self._streams = streams
        self._every = every
        self._next: dict[tuple[str, str], _Next] = {}
        self._tasks: dict[tuple[str, str], asyncio.Task[Found]] = {}

    @property
    def going(self) -> frozenset[tuple[str, str]]:
        """Name the streams that are being read right now, by connection and stream."""
        return frozenset(self._tasks)

    def tick(self) -> int:
        """Begin to read the streams whose time has come; gives how many. A paused connection is left alone."""
        now, bundle, begun = self._ambient.now(), self._bundle(), 0
        for name, account in self._accounts.items():
            if account.paused is not None:
                continue
            for stream in account.connector.streams:
                if self._is_due(account, stream, now) and self._has_room(name):
                    plan = plan_of(bundle, name, stream, self._every)
                    self._begin(account, stream, plan)
                    begun += 1
        return begun

    async def read_all(self) -> Found:
        """Read every stream now and wait until all are read; what fails is kept with its stream and not raised."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())
        self._next.clear()
        found, left = Found(), self._all()
        while left:
            self.tick()
            if not self._tasks:
                break
            going = dict(self._tasks)
            for read in await asyncio.gather(*going.values(), return_exceptions=True):
                found += read if isinstance(read, Found) else Found()
            left -= going.keys()
        return found

    async def stop(self) -> None:
        """Leave off; what was read is durable with its place."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _all(self) -> set[tuple[str, str]]:
        return {
            (name, stream.name)
            for name, account in self._accounts.items()
            if account.paused is None
            for stream in account.connector.streams
        }

    def _is_due(self, account: Account, stream: Stream, now: datetime) -> bool:
        key = (account.name, stream.name)
        planned = self._next.get(key)
        rests = planned is not None and planned.account is account and planned.said <= now < planned.due
        return key not in self._tasks and not rests

    def _has_room(self, name: str) -> bool:
        return len(self._tasks) < MOST_OF_ALL and sum(1 for each, _ in self._tasks if each == name) < MOST_OF_ONE

    def _begin(self, account: Account, stream: Stream, plan: Plan) -> None:
        key = (account.name, stream.name)
        task = asyncio.create_task(self._read(account, stream, plan), name=f"stream {account.name} {stream.name}")
        self._tasks[key] = task
        task.add_done_callback(lambda _done: self._tasks.pop(key, None))

    async def _read(self, account: Account, stream: Stream, plan: Plan) -> Found:
        """Read one stream, and say when it is read next."""
        try:
            found = await self._streams.read(account, stream, overlap=plan.overlap)
        except Fatal:
            # Nothing can be recorded any more; the process is being stopped by whoever records.
            return Found()
        except ConnectionPaused:
            return Found()
        except HubError as error:
            log.warning("poll.failed", connection=account.name, stream=stream.name, reason=str(error))
            wait = await self._failed(account, stream, plan, error)
        except Exception as error:  # a defect of one connector must not keep the others' events away
            log.exception("poll.defect", connection=account.name, stream=stream.name)
            wait = await self._failed(account, stream, plan, error)
        else:
            self._plan(account, stream, plan.every)
            return found
        if account.paused is None:
            # What is paused is read as soon as it is resumed.
            self._plan(account, stream, wait)
        return Found()

    async def _failed(self, account: Account, stream: Stream, plan: Plan, error: Exception) -> timedelta:
        told = str(error) if isinstance(error, HubError) else f"{type(error).__name__}: {error}"
        asked = error.after if isinstance(error, RetryLater) else None
        try:
            failures = await self._streams.fail(account, stream, account.redactor.scrub(told)[:500])
            if isinstance(error, FixConnection):
                await self._streams.refused(self._accounts, account, error)
        except HubError:
            failures = 1
        return wait_after(failures, plan.every, asked, self._ambient.random.random())

    def _plan(self, account: Account, stream: Stream, wait: timedelta) -> None:
        now = self._ambient.now()
        self._next[account.name, stream.name] = _Next(account=account, said=now, due=now + wait)
