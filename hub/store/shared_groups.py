"""Groups in a PostgreSQL that several processes share, any of which may be cut off from it at any moment.

Each group's transaction takes the database's one lock: shared where all its writes may be made beside others, and else
for itself alone. It raises a number in the committer's own row. Whatever breaks a connection, even at the commit: the
number says afterwards whether the group is stored. It is read under the row's lock, which waits until the broken
transaction is over. So nothing is guessed, and nothing is made twice.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog
from sqlalchemy import BigInteger, Connection, Engine, bindparam, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert as upserting
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from hub.errors import DatabaseAway, Fatal, NotDurable, StorageFull
from hub.model.ambient import Ambient, to_micros
from hub.store import chains
from hub.store.audit import ChainWriter
from hub.store.groups import ROOM_SECONDS, Groups, TooLong, applied, tell
from hub.store.process_tables import CLOCK, committers
from hub.store.statements import script
from hub.store.writes import MustBeAlone, Pending, Settled, Transaction

log = structlog.get_logger(__name__)

#: The advisory lock of a database ("Commit" in ASCII): whoever changes something holds it until the commit.
LOCK = 0x436F6D6D6974
#: So often a group is tried that others were in the way of, or that was cut off, before it is held up for a while.
_TRIES = 5
#: Seconds between such tries, and between tries to reach a database that is away; both grow and vary.
_AGAIN, _AWAY, _LONGEST = 0.005, 0.05, 1.0
#: What says that others were in the way and nothing was stored: a serialisation failure, a deadlock; a lock not given.
_IN_THE_WAY = frozenset({"40001", "40P01"})
_NOT_GIVEN = "55P03"
#: A statement took longer than it may.
_CANCELLED = "57014"
#: A session was ended because its transaction, or a pause in it, took longer than it may.
_OVERSLEPT = frozenset({"25P03", "25P04"})
#: Who is ended does not always hear why: so many seconds into its transaction it is most likely that.
_LONG = 0.25
_FULL = "53100"
#: What passes: a server that ends, starts, takes no more connections, is short of memory, or is the standby just now.
_AWAY_STATES = frozenset({"57P01", "57P02", "57P03", "57P05", "53200", "53300", "58000", "58030", "25006"})

#: How a group begins, and how it ends: each in one way there and back.
_ENTERING = """
BEGIN;
WITH alone AS MATERIALIZED (SELECT {take}({lock}))
UPDATE committers SET number = {{number}}, at = {now}
FROM alone WHERE id = {{id}} AND number = {{number}} - 1 RETURNING at, chain
"""
_ENTER = _ENTERING.format(take="pg_advisory_xact_lock", lock=LOCK, now=CLOCK)
_ENTER_BESIDE = _ENTERING.format(take="pg_advisory_xact_lock_shared", lock=LOCK, now=CLOCK)
_LEAVE = "UPDATE audit_heads SET size = {size}, chain_hash = '\\x{end}' WHERE chain = {log}; COMMIT"
_BEGIN = (
    upserting(committers)
    .values(id=bindparam("id"), number=0, at=literal_column(CLOCK, BigInteger))
    .on_conflict_do_nothing()
)
_NUMBER = select(committers.c.number).where(committers.c.id == bindparam("of")).with_for_update()


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A group that was cut off at its commit, and what it did if it is stored."""

    group: Sequence[Pending]
    settled: Settled
    chain: ChainWriter


class SharedGroups(Groups):
    """Makes groups durable in a database that others change too; connects anew, and finds out what it has to.

    The time of a transaction is the database's, where the process has the machine's: so a machine whose clock is wrong
    harms nobody. Where time is a test's own, it is the test's here, too.
    """

    def __init__(self, engine: Engine, ambient: Ambient, *, name: str, tells: bool = False) -> None:
        """Take the engine, of which one connection at a time is used, and the committer's name, which none had before.

        `tells` says that an event feed is kept. Nothing is asked of the database yet.
        """
        self._engine = engine
        self._ambient = ambient
        self._tells = tells
        self._name = name
        self._number: int | None = None
        self._open: Connection | None = None
        self._raw: Any = None
        self._doubt: _Doubt | None = None
        self._chain_name: str | None = None
        #: So often in a row the database could not be reached.
        self._missed = 0
        self._chance = random.Random(name)

    @property
    def in_doubt(self) -> Sequence[Pending]:
        """Give the members of a group of which it is not known whether it is stored."""
        return () if self._doubt is None else self._doubt.group

    def find_out(self) -> Settled | None:
        """Compare the committer's number with that of the group in doubt."""
        doubt = self._doubt
        if doubt is None:
            return None
        assert self._number is not None
        connection = self._connected()
        try:
            with connection.begin():
                found = connection.execute(_NUMBER, {"of": self._name}).scalar()
        except SQLAlchemyError as error:
            self._let_go()
            self._away(error)
        self._missed = 0
        if found == self._number:
            self._doubt = None
            return None
        if found != self._number + 1:
            raise _other_than_left(found, self._number)
        log.info("commit.found", group=self._number + 1, writes=len(doubt.settled.results))
        self._doubt, self._number, self._chain = None, self._number + 1, doubt.chain
        return doubt.settled

    def close(self) -> None:
        """Give the audit log free for another committer, where the database can be reached, and the connection."""
        with contextlib.suppress(SQLAlchemyError, NotDurable):
            # What is in doubt is found out only by the row.
            if self._number is not None and self._doubt is None and self._open is not None:
                with self._open.begin():
                    self._open.execute(delete(committers).where(committers.c.id == self._name))
        self._let_go()

    def _transact(self, group: Sequence[Pending]) -> Settled:
        quick = False
        for tried in range(1, _TRIES + 1):
            began = time.monotonic()
            try:
                # Who has met others in a circle goes alone.
                return self._once(group, alone=tried > 1)
            except (NotDurable, Fatal):
                raise
            except Exception as error:
                state = _state(error)
                if self._open is None:
                    log.warning("commit.cut_off", reason=_reason(error), state=state, tried=tried)
                    quick = quick or (state not in _OVERSLEPT and time.monotonic() - began < _LONG)
                    found = self.find_out()
                    if found is not None:
                        return found
                    if tried == _TRIES:
                        self._given_up(group, error, quick=quick)
                elif state in _IN_THE_WAY or state == _NOT_GIVEN:
                    # Who has the lock has had it for long already.
                    if tried == _TRIES or state == _NOT_GIVEN:
                        raise DatabaseAway(after=ROOM_SECONDS, code="database-busy", reason=_reason(error)) from error
                elif state == _CANCELLED:
                    raise TooLong(_reason(error)) from error
                elif state == _FULL:
                    raise StorageFull(after=ROOM_SECONDS, reason=_reason(error)) from error
                elif state in _AWAY_STATES:
                    self._let_go()
                    self._away(error)
                else:
                    raise
            time.sleep(self._chance.uniform(0.5, 1.0) * _AGAIN * 2**tried)
        raise AssertionError("the last try ends in an answer")

    def _once(self, group: Sequence[Pending], *, alone: bool = False) -> Settled:
        """Make a group once, beside others where each of its members may be, and `alone` where that is asked for."""
        # Which log is whose is settled only by who is alone.
        if not alone and self._chain_name is not None and all(pending.write.beside for pending in group):
            # Where it must be alone, or another one was first with a name, nothing of it is stored: made alone, it sees
            # what the others have written.
            with contextlib.suppress(MustBeAlone, IntegrityError):
                return self._made(group, beside=True)
        return self._made(group, beside=False)

    def _made(self, group: Sequence[Pending], *, beside: bool) -> Settled:
        connection = self._connected()
        if self._number is None:
            self._begin(connection)
        assert self._number is not None
        done: tuple[Settled, ChainWriter] | None = None
        try:
            begun = connection.begin()
            now, name = self._enter(connection, beside=beside)
            if name is None or name != self._chain_name:
                if beside:
                    self._chain_name = None
                    raise MustBeAlone
                self._take_chain(connection, now)
            transaction = Transaction(connection=connection, now=now, tells=self._tells, beside=beside)
            settled = applied(group, transaction)
            chain = self._chain.entered(connection, transaction.entries, transaction.now)
            tell(transaction)
            done = settled, chain
            if chain is not self._chain:
                end = {"size": chain.head.size, "end": chain.head.chain.hex(), "log": _quoted(chain.head.log)}
                script(connection, _LEAVE.format(**end))
            begun.commit()
        except BaseException:
            if self._cut_off():
                self._let_go()
                if done is not None:
                    self._doubt = _Doubt(group, *done)
            else:
                self._undo()
            raise
        self._number, self._missed = self._number + 1, 0
        settled, self._chain = done
        return settled

    def _enter(self, connection: Connection, *, beside: bool) -> tuple[int, str | None]:
        """Take the lock, and the time after that; gives it with the audit log that is the committer's own."""
        assert self._number is not None
        enter = _ENTER_BESIDE if beside else _ENTER
        cursor = script(connection, enter.format(number=self._number + 1, id=_quoted(self._name)))
        cursor.nextset()
        found = cursor.fetchone()
        if found is None:
            raise _other_than_left(connection.execute(_NUMBER, {"of": self._name}).scalar(), self._number)
        at, chain = found
        if self._ambient.hear is None:
            return to_micros(self._ambient.now()), chain
        self._ambient.hear(at)
        return at, chain

    def _take_chain(self, connection: Connection, now: int) -> None:
        self._chain_name = None
        name = chains.take(connection, self._name, now=now)
        self._chain = ChainWriter.load(connection, name)
        self._chain_name = name

    def _begin(self, connection: Connection) -> None:
        try:
            with connection.begin():
                connection.execute(_BEGIN, {"id": self._name})
        except SQLAlchemyError as error:
            self._let_go()
            self._away(error)
        self._number = 0

    def _connected(self) -> Connection:
        if self._open is not None and not self._cut_off():
            return self._open
        try:
            self._open = self._engine.connect()
            self._raw = self._open.connection.driver_connection
            # A group begins its transaction itself, in one way there and back with its entering.
            self._raw.autocommit = True
        except SQLAlchemyError as error:
            self._let_go()
            self._away(error)
        return self._open

    def _cut_off(self) -> bool:
        """Tell whether the session is gone, or its state not known: only one that answers has surely rolled back."""
        if self._open is None or self._open.invalidated or self._raw.closed:
            return True
        return self._raw.info.transaction_status.name in ("ACTIVE", "UNKNOWN")

    def _undo(self) -> None:
        """Roll back what the database has not rolled back itself; where that is not sure, the connection goes."""
        assert self._open is not None
        try:
            self._open.rollback()
        except SQLAlchemyError:
            self._let_go()

    def _let_go(self) -> None:
        """Drop the connection, and all others that lie idle: what has broken one has most often broken them."""
        gone, self._open, self._raw = self._open, None, None
        if gone is not None:
            with contextlib.suppress(SQLAlchemyError):
                gone.invalidate()
            with contextlib.suppress(SQLAlchemyError):
                gone.close()
        self._engine.dispose()

    def _away(self, error: Exception) -> NoReturn:
        """Say that the database cannot be reached, and when to try again: soon, and then less and less often."""
        if _state(error) == _FULL:
            raise StorageFull(after=ROOM_SECONDS, reason=_reason(error)) from error
        self._missed += 1
        after = min(_AWAY * 2 ** min(self._missed, 10), _LONGEST) * self._chance.uniform(0.5, 1.0)
        raise DatabaseAway(after=after, reason=_reason(error)) from error

    def _given_up(self, group: Sequence[Pending], error: Exception, *, quick: bool) -> NoReturn:
        """Say what becomes of a group that is cut off each time, although the database is there."""
        if len(group) > 1 or not quick:
            # It may be one of its members, with what it makes the database or this process do.
            raise TooLong(_reason(error)) from error
        raise DatabaseAway(after=_LONGEST, reason=_reason(error)) from error


def _quoted(name: str) -> str:
    """Give a name as it stands in the text of a statement, in which a backslash is one (`postgres.SESSION`)."""
    return "'" + name.replace("'", "''") + "'"


def _state(error: BaseException) -> str | None:
    """Give the SQLSTATE of an error, where the database said one."""
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state if isinstance(state, str) else None


def _reason(error: BaseException) -> str:
    """Give the first line of what the driver says: the others are the statement."""
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip()
    return said.splitlines()[0][:200] if said else type(error).__name__


def _other_than_left(found: int | None, left: int) -> Fatal:
    return Fatal(
        "The database does not stand where this process has left it: it was brought back to an earlier state, or "
        "another process commits under the same name. The process stops rather than guess what is stored.",
        code="database-went-back",
        found=found,
        left=left,
    )
