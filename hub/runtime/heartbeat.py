"""The heartbeat of a process that shares its database: its worker's lease is kept, and others' that are over are seen.

It has a thread and a connection of its own, so that neither a busy event loop nor a long queue of changes loses a
lease. But a process whose event loop stands still does no work, and keeps none.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Collection

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import DatabaseAway
from hub.store import leases

log = structlog.get_logger(__name__)


#: So many seconds the heartbeat waits for the event loop to answer.
_ANSWERS_WITHIN = 0.5
#: It is looked for leases that are over so many seconds behind their end.
_BEHIND = 0.02


class Heartbeat:
    """Keeps the lease of one worker at a time; `on_over` and `on_lost` are called in the event loop.

    `on_lost` says that others have taken the worker's runs, and that it must begin anew under another name; `on_over`,
    that some other worker's lease is over.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        environment: str,
        committer: str,
        roles: str,
        version: str,
        seconds: float,
        refused: Collection[str] = (),
        hear: Callable[[int], None] | None = None,
    ) -> None:
        """Take an engine of which nobody else uses connections; `seconds` is how long a lease is.

        `refused` are the revisions that the process cannot make sense of, as it finds them out. `hear` is told what the
        database's clock shows, at each beat.
        """
        self._engine = engine
        self._environment = environment
        self._committer = committer
        self._roles = roles
        self._version = version
        self._seconds = seconds
        self._refused = refused
        self._hear = hear
        self._worker: str | None = None
        self._turn = threading.Lock()
        #: In how many seconds it beats again.
        self._next = seconds / 3
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        #: When the event loop was last heard of, and since when no heartbeat has failed (monotonic seconds).
        self._looped = 0.0
        self._reached_since: float | None = None
        self.on_over: Callable[[], None] = lambda: None
        self.on_lost: Callable[[], None] = lambda: None

    def begin(self, worker: str) -> None:
        """Let a worker begin, before it claims anything; raises `DatabaseAway` when the database does not answer."""
        try:
            with self._turn, self._engine.connect() as connection, connection.begin():
                leases.begin(
                    connection,
                    worker=worker,
                    environment=self._environment,
                    committer=self._committer,
                    roles=self._roles,
                    version=self._version,
                    seconds=self._seconds,
                )
                self._listen(connection)
        except SQLAlchemyError as error:
            raise DatabaseAway(reason=str(error)[:200]) from error
        self._worker = worker

    def start(self) -> None:
        """Keep the lease from here on; what is called is called in the loop that is running now."""
        self._loop = asyncio.get_running_loop()
        self._looped = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say nothing more."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(self._seconds)

    def _run(self) -> None:
        connection: Connection | None = None
        while not self._ended.wait(self._next):
            self._next = self._seconds / 3
            if not self._loop_lives():
                log.error("heartbeat.loop_stands_still", seconds=round(time.monotonic() - self._looped, 1))
                continue
            try:
                if connection is None:
                    connection = self._engine.connect()
                self._beat(connection)
            except SQLAlchemyError as error:
                if self._reached_since is not None:
                    log.warning("heartbeat.failed", reason=str(error)[:200])
                self._reached_since = None
                if connection is not None:
                    _drop(connection)
                connection = None
        if connection is not None:
            connection.close()

    def _beat(self, connection: Connection) -> None:
        with self._turn:
            worker, begun = self._worker, time.monotonic()
            with connection.begin():
                kept = worker is None or leases.prolong(
                    connection, worker=worker, seconds=self._seconds, refused=tuple(self._refused)
                )
                left = leases.soonest_end(connection, environment=self._environment)
                self._listen(connection)
            if not kept:
                # Once is enough: the next one is another worker's.
                self._worker = None
        if self._reached_since is None:
            self._reached_since = begun
        if not kept:
            self._tell(self.on_lost)
        # Who was cut off for a while saw nobody's heartbeat; the others may have been, too, and come back just now.
        waits = self._reached_since + self._seconds - time.monotonic()
        if left is not None and left < 0 and waits <= 0:
            self._tell(self.on_over)
        elif left is not None:
            # Who lives prolongs its lease long before it ends: it ends before the next beat only for who is silent.
            self._next = min(self._next, max(left, waits if left < 0 else 0.0) + _BEHIND)

    def _listen(self, connection: Connection) -> None:
        if self._hear is not None:
            self._hear(leases.clock(connection))

    def _loop_lives(self) -> bool:
        """Ask the event loop, and give it a moment: this may be the first that moves in a process that was stopped."""
        heard = threading.Event()

        def answer() -> None:
            self._looped = time.monotonic()
            heard.set()

        self._tell(answer)
        heard.wait(_ANSWERS_WITHIN)
        return time.monotonic() - self._looped <= self._seconds

    def _tell(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                # It is closed when the process ends.
                self._loop.call_soon_threadsafe(call)


def _drop(connection: Connection) -> None:
    with contextlib.suppress(SQLAlchemyError):
        connection.invalidate()
    with contextlib.suppress(SQLAlchemyError):
        connection.close()
