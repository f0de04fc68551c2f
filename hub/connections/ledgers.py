"""The way to the ledgers of a shared database: a thread and a connection of its own, one transaction for all asked.

Neither a busy event loop nor a long queue of changes delays what is to be sent now. What several accounts ask at a time
goes together, in the order of their names, so that no two processes wait for each other in a circle.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from hub.connections.ledger import LEASE, MICROS, Answer, Ask, Ledger, exchange
from hub.errors import DatabaseAway
from hub.store import ledgers

log = structlog.get_logger(__name__)

#: Seconds that the end waits for what is on its way.
_PATIENCE = 5.0
#: Who holds something says so every second: a lease is no shorter than it takes to do so twice.
_SHORTEST = 2 * MICROS


@dataclass(frozen=True, slots=True)
class _Asked:
    budget: str
    ask: Ask
    loop: asyncio.AbstractEventLoop | None
    future: asyncio.Future[Answer] | None


class Ledgers:
    """Exchanges with the ledgers of one environment under one holder's name, which no other process has."""

    def __init__(self, engine: Engine, *, environment: str, holder: str, missed_after: float | None = None) -> None:
        """Take an engine; its connection is opened when the first account asks.

        `missed_after` is for how many seconds a worker is silent before others go on with what it has in hand. They
        need its permits then: a lease is half as long.
        """
        wanted = LEASE if missed_after is None else round(missed_after * MICROS / 2)
        self._lease = min(max(wanted, _SHORTEST), LEASE)
        self._engine = engine
        self._environment = environment
        self._holder = holder
        self._asked: list[_Asked] = []
        self._ready = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None
        #: What kind of error kept the last ones from being answered.
        self._failed: type[Exception] | None = None

    def exchange(self, budget: str, ask: Ask) -> asyncio.Future[Answer]:
        """Ask for an account; the future raises `DatabaseAway` when nobody knows whether that has arrived."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._hand_over(_Asked(budget, ask, loop, future))
        return future

    def leave(self, budget: str, ask: Ask) -> None:
        """Tell what nobody waits to be answered; where it does not arrive, a lease ends."""
        self._hand_over(_Asked(budget, ask, None, None))

    def stop(self) -> None:
        """Tell what was left to be told, and end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread is not None:
            self._thread.join(_PATIENCE)

    def _hand_over(self, asked: _Asked) -> None:
        with self._ready:
            self._asked.append(asked)
            if self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._run, name="ledgers", daemon=True)
                self._thread.start()
            self._ready.notify()

    def _run(self) -> None:
        connection: Connection | None = None
        while True:
            with self._ready:
                while not self._asked and not self._stopping:
                    self._ready.wait()
                asked, self._asked = self._asked, []
            if not asked:
                break
            try:
                if connection is None:
                    connection = self._engine.connect()
                answers = self._answer(connection, asked)
            except Exception as error:  # noqa: BLE001 - whoever asks, and everybody who asks later, waits for an answer
                self._note(error)
                if connection is not None:
                    _drop(connection)
                connection = None
                for each in asked:
                    _tell(each, DatabaseAway())
            else:
                self._failed = None
                for each, answer in zip(asked, answers, strict=True):
                    _tell(each, answer)
        if connection is not None:
            connection.close()

    def _note(self, error: Exception) -> None:
        """Say once what is wrong, until it is so no more."""
        before, self._failed = self._failed, type(error)
        if not isinstance(error, SQLAlchemyError):
            if before is not type(error):
                log.error("ledgers.defect", exc_info=error)
        elif before is None or not issubclass(before, SQLAlchemyError):
            log.warning("ledgers.away", reason=str(error).splitlines()[0][:200])

    def _answer(self, connection: Connection, asked: Sequence[_Asked]) -> list[Answer]:
        with connection.begin():
            names = sorted({each.budget for each in asked})
            kept = {name: self._read(connection, name) for name in names}
            # After the locks: whoever has one later is later.
            now = ledgers.now(connection)
            answers = [exchange(kept[each.budget], self._holder, each.ask, now, lease=self._lease) for each in asked]
            for name in names:
                written = msgspec.json.encode(kept[name])
                ledgers.put(connection, environment=self._environment, name=name, ledger=written, at=now)
        return answers

    def _read(self, connection: Connection, name: str) -> Ledger:
        stored = ledgers.lock(connection, environment=self._environment, name=name)
        if stored is None:
            return Ledger()
        try:
            return msgspec.json.decode(stored, type=Ledger)
        except (msgspec.DecodeError, msgspec.ValidationError):
            # It begins as if the account had been used fully until now.
            log.exception("ledgers.unreadable", budget=name)
            return Ledger()


def _tell(asked: _Asked, answer: Answer | DatabaseAway) -> None:
    if asked.loop is None or asked.future is None:
        return
    future = asked.future

    def tell() -> None:
        if future.done():
            return
        if isinstance(answer, Answer):
            future.set_result(answer)
        else:
            future.set_exception(answer)

    with contextlib.suppress(RuntimeError):
        # The loop is closed when the process ends.
        asked.loop.call_soon_threadsafe(tell)


def _drop(connection: Connection) -> None:
    with contextlib.suppress(SQLAlchemyError):
        connection.invalidate()
    with contextlib.suppress(SQLAlchemyError):
        connection.close()
