"""A replica of the database, a standby that follows it: read models may read there, decisions never do.

What a page or a list shows may be a moment old; what is decided may not. So nobody but the read models has this, and
each reading asks the standby first how far it has come. It is read only if it has all that whoever asks has seen or
done (`seen`), and if it is no further behind than `LONGEST_LAG`; otherwise the database itself is read, and nobody
notices. How far it is behind is told by the primary's own log: by which moment the primary had written what the
standby has replayed now. So a standby that lost its connection is behind, whatever it thinks of itself, and no clock
but this process's counts. One that was promoted is no standby of this database any more, and is not read.
"""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.exc import SQLAlchemyError

from hub.errors import DatabaseAway, HubError
from hub.store.database import Database

#: A standby that is further behind is not read (seconds). Pages that are open are told twice, so that they show
#: within this time what has changed.
LONGEST_LAG = 1.0
#: So often both are looked at, and so many looks are kept (seconds, number).
_EVERY, _SAMPLES = 0.25, 64
#: So long a standby that broke off is left alone, and so long its thread has for its end (seconds).
_ALONE, _PATIENCE = 1.0, 5.0
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
#: Where the primary's log ended when whoever asks had last seen or done something; None: the primary is to be read.
seen: ContextVar[int | None] = ContextVar("seen", default=None)


class Following(StrEnum):
    """How a replica stands."""

    FOLLOWS = "follows"
    BEHIND = "behind"
    AWAY = "away"
    NO_STANDBY = "no-standby"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a replica stands, how many seconds it is behind (None: not known), and what is said of it."""

    state: Following
    lag: float | None = None
    reason: str = ""


def position(written: str) -> int | None:
    """Read a place in the log, as PostgreSQL writes it (`16/B374D848`); None for anything else."""
    found = _LSN.fullmatch(written)
    return None if found is None else (int(found.group(1), 16) << 32) + int(found.group(2), 16)


def written(place: int) -> str:
    """Write a place in the log as PostgreSQL does."""
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"


class Replica:
    """Reads from a standby where that is as good, and from the primary otherwise.

    A thread of its own looks at both four times a second, so that whoever reads never waits for a standby that does
    not answer: it is connected to by others only while it does.
    """

    def __init__(self, url: str, primary: Database) -> None:
        """Take where it is; nothing is asked of it before `start`, and it need not be there."""
        # Its driver is installed only where it is used.
        from hub.store import postgres  # noqa: PLC0415

        self._primary = primary
        self._engine: Engine = postgres.replica(url)
        #: Where it is, without the password.
        self.place = postgres.shown(url)
        event.listen(self._engine, "handle_error", self._broken)
        #: When the primary's log ended where (monotonic seconds), the latest last.
        self._samples: deque[tuple[float, int]] = deque(maxlen=_SAMPLES)
        self._identity: str | None = None
        self._standing = Standing(state=Following.AWAY, reason="it was not asked yet")
        #: Until when what the thread has found counts, and until when nobody reads here (monotonic seconds).
        self._good_until = 0.0
        self._alone_until = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)

    def start(self) -> None:
        """Begin to look at it."""
        self._thread.start()

    def close(self) -> None:
        """Look at it no more, and close every connection to it."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)
        self._engine.dispose()

    @property
    def standing(self) -> Standing:
        """Tell how it stood when it was last looked at."""
        return self._standing

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that sees one state, at least as new as what was `seen`, and cannot write.

        A statement that the standby breaks off, as it does where its own following is in the way, raises
        `DatabaseAway`; the next one reads the primary.
        """
        wanted = seen.get()
        connection = None if wanted is None else self._following(wanted)
        if connection is None:
            with self._primary.reading() as primary:
                yield primary
            return
        with connection:
            yield connection

    def end(self) -> int:
        """Tell where the primary's log ends: all that was committed until now is before that."""
        with self._primary.reading() as connection:
            return _ended(connection)

    def _following(self, wanted: int) -> Connection | None:
        """Give a connection to it, if it has come as far as is wanted and is not too far behind."""
        if not self._alone_until <= time.monotonic() < self._good_until:
            return None
        try:
            connection = self._engine.connect().execution_options(reads=True)
        except (SQLAlchemyError, HubError) as error:
            self._leave_alone(error)
            return None
        try:
            # In a transaction of its own: what is read in the next one is at least as new as this answer.
            replayed = position(connection.exec_driver_sql("SELECT pg_last_wal_replay_lsn()::text").scalar() or "")
            connection.rollback()
        except (SQLAlchemyError, HubError) as error:
            connection.close()
            self._leave_alone(error)
            return None
        lag = None if replayed is None else self._lag(replayed)
        if replayed is None or replayed < wanted or lag is None or lag > LONGEST_LAG:
            connection.close()
            return None
        return connection

    def _watch(self) -> None:
        """Look at both, again and again."""
        while not self._over.wait(_EVERY):
            try:
                with self._primary.reading() as connection:
                    self._identity = connection.exec_driver_sql(_IDENTITY).scalar_one()
                    # What was committed before this moment is before that place.
                    moment = time.monotonic()
                    self._samples.append((moment, _ended(connection)))
            except (SQLAlchemyError, HubError):
                # Nobody can tell then how far behind it is; what is shown comes when the database is back.
                continue
            try:
                self._standing = self._looked_at()
            except (SQLAlchemyError, HubError) as error:
                self._standing = Standing(state=Following.AWAY, reason=_first_line(error))
            good = self._standing.state is Following.FOLLOWS
            self._good_until = time.monotonic() + LONGEST_LAG if good else 0.0

    def _looked_at(self) -> Standing:
        with self._engine.connect() as connection:
            asked = "SELECT pg_is_in_recovery(), pg_last_wal_replay_lsn()::text, system_identifier::text"
            standby, replayed, identity = connection.exec_driver_sql(f"{asked} FROM pg_control_system()").one()
        if not standby or identity != self._identity:
            return Standing(state=Following.NO_STANDBY, reason="it is no standby of this database")
        lag = self._lag(position(replayed or "") or 0)
        return Standing(
            state=Following.FOLLOWS if lag is not None and lag <= LONGEST_LAG else Following.BEHIND, lag=lag
        )

    def _lag(self, replayed: int) -> float | None:
        """Say how many seconds ago the primary's log ended where the standby is now; None where that is too long ago.

        Nothing is known of the time between two looks, so it is counted from the earlier one.
        """
        reached = [moment for moment, end in list(self._samples) if end <= replayed]
        return None if not reached else max(0.0, time.monotonic() - reached[-1])

    def _leave_alone(self, error: BaseException) -> None:
        self._standing = Standing(state=Following.AWAY, reason=_first_line(error))
        self._alone_until = time.monotonic() + _ALONE

    def _broken(self, told: ExceptionContext) -> None:
        """Say in the hub's own words that a statement was broken off, and let the next one read the primary."""
        if told.is_pre_ping or told.connection is None:
            return
        if told.is_disconnect or getattr(told.original_exception, "sqlstate", None) in _IN_THE_WAY:
            self._leave_alone(told.original_exception)
            raise DatabaseAway("The replica broke off; the next try reads the database itself.", after=_ALONE) from (
                told.original_exception
            )


def _ended(connection: Connection) -> int:
    found = position(connection.exec_driver_sql("SELECT pg_current_wal_lsn()::text").scalar_one())
    assert found is not None
    return found


def _first_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return said[0][:200] if said else type(error).__name__


#: What every server tells of the cluster that it is a part of.
_IDENTITY = "SELECT system_identifier::text FROM pg_control_system()"
#: What a standby says of a statement that its own following is in the way of.
_IN_THE_WAY = frozenset({"40001", "40P01", "57014", "57P01", "57P02", "57P03"})
