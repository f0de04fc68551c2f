"""Newer tables under those who work: a server's database is brought along step by step, and nobody is held up for long.

Each step of the migrations is a transaction of its own. What it has to lock it asks for with a short `lock_timeout`,
because whoever waits for a table's lock keeps all others from that table who come after; not given, it lets go and
tries again. Indexes on tables that may be large are made beforehand, beside the work. A step that takes something away
first looks whether a process lives that still needs it; a worker that begins tells of itself under the same lock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from hub.errors import Refused, RetryLater
from hub.store import migrating
from hub.store.migrating import Phase, Reach, Step
from hub.store.migrations.indexes import LateIndex

#: Held by one step at a time, and shared by each worker that begins; any number that nobody else takes.
_STEP = 0x436F6E636F7264
#: Held while indexes are made apart from a step.
_BUILDING = _STEP + 1
#: So long a step waits for a table's lock before it lets others go first, and so many seconds it tries in all.
LOCK_TIMEOUT = "1s"
PATIENCE = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
#: The server's words for a lock that was not given in time, and for a deadlock that this one was taken out of.
_IN_THE_WAY = frozenset({"55P03", "40P01"})
_TRANSACTION_TIMEOUT_SINCE = (17,)

Begin = Callable[[Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Older:
    """A worker that has not ended and knows less than it must; `tables` is the newest step that its process knows."""

    id: str
    version: str
    tables: str | None


def bring(engine: Engine, connection: Connection, reach: Reach, *, begin_new: Begin, after: Begin) -> None:
    """Bring a database as far as is wanted; what is there already is left as it is.

    `begin_new` is asked before an empty database gets its tables, and `after` comes behind each step in its
    transaction. Raises `Fatal` and `Refused` as `migrating` does, `Refused` while a process lives that needs what is to
    be taken away, and `RetryLater` when a table's lock was not to be had.
    """
    with connection.begin():
        stands = migrating.standing(connection)
    migrating.assert_workable(stands)
    if reach is Reach.NOTHING:
        migrating.assert_enough(stands)
    todo = migrating.outstanding(stands.found, reach)
    if not todo:
        return
    if stands.found is None:
        _once(connection, lambda: _begin(connection, begin_new, after))
        return
    for step in todo:
        _build(engine, step)
        _once(connection, lambda step=step: _take(connection, step, after))  # type: ignore[misc]


def join(connection: Connection) -> None:
    """Keep tables as they are until the caller's transaction is over, and raise `Fatal` where they do not serve it."""
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _STEP})
    migrating.assert_workable(migrating.standing(connection))


def older(connection: Connection, than: str) -> Sequence[Older]:
    """List the workers that have not ended and do not know a step; one that is silent may wake and go on."""
    if connection.execute(text("SELECT to_regclass('workers')::text")).scalar() is None:
        return []
    # The column is younger than the table.
    rows = connection.execute(
        text(
            "SELECT id, version, to_jsonb(workers) ->> 'tables' AS tables FROM workers WHERE ended_at IS NULL "
            "AND coalesce(to_jsonb(workers) ->> 'tables', '') < :than ORDER BY started_at, id"
        ),
        {"than": than},
    )
    return [Older(id=row.id, version=row.version, tables=row.tables) for row in rows]


def _begin(connection: Connection, begin_new: Begin, after: Begin) -> None:
    if migrating.revision(connection) is None:
        begin_new(connection)
        migrating.upgrade(connection)
        after(connection)


def _take(connection: Connection, step: Step, after: Begin) -> None:
    found = migrating.revision(connection)
    if found is None or found >= step.name:
        # Somebody else has taken it meanwhile.
        return
    if step.phase is Phase.POST:
        _assert_nobody_needs(connection, step)
    migrating.upgrade(connection, step.name)
    after(connection)


def _assert_nobody_needs(connection: Connection, step: Step) -> None:
    assert step.without is not None
    living = older(connection, step.without)
    if living:
        raise Refused(
            "Processes of an older version have not ended, and need what this step takes away. End them first; one "
            "that was killed is taken for gone when another one's look finds its lease over.",
            code="older-workers",
            step=step.name,
            workers=", ".join(f"{each.id} ({each.version})" for each in living[:5]),
            number=len(living),
        )


def _once(connection: Connection, act: Callable[[], object]) -> None:
    """Do it in a transaction, alone among all that change tables; again as long as others are in the way."""
    until, pause = time.monotonic() + PATIENCE, _FIRST_PAUSE
    while True:
        try:
            with connection.begin():
                _settle(connection)
                if _got(connection, "pg_try_advisory_xact_lock", _STEP):
                    act()
                    return
                # Who comes second waits as long as it takes: the other one gets on.
                until = time.monotonic() + PATIENCE
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY:
                raise
            if time.monotonic() >= until:
                raise RetryLater(
                    "A table was in use all the time, so that it could not be altered. Nothing is lost; end what has "
                    "been using it for so long (such as a report in an open transaction), and start again.",
                    code="tables-in-use",
                    seconds=int(PATIENCE),
                ) from error
        # Those who have queued behind the lock get on before it is asked for once more.
        time.sleep(pause * (0.5 + random.random()))
        pause = min(pause * 2, _LONGEST_PAUSE)


def _settle(connection: Connection) -> None:
    """Let the transaction take as long as its work does, and wait for a lock for a moment only."""
    unbounded = ["idle_in_transaction_session_timeout", "statement_timeout"]
    if (connection.dialect.server_version_info or ()) >= _TRANSACTION_TIMEOUT_SINCE:
        unbounded.append("transaction_timeout")
    for timeout in unbounded:
        connection.exec_driver_sql(f"SET LOCAL {timeout} = 0")
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")


def _build(engine: Engine, step: Step) -> None:
    """Make the indexes of a step beside the work: each takes as long as it takes, and keeps nobody from writing."""
    if not step.late:
        return
    with _apart(engine) as connection:
        # Asked for again and again: who waits for a lock in a statement is itself waited for by the index.
        while not _got(connection, "pg_try_advisory_lock", _BUILDING):
            time.sleep(_LONGEST_PAUSE / 4)
        for index in step.late:
            if connection.execute(_IN_PARTITIONS, {"table": index.table}).scalar():
                _build_parts(engine, connection, index)
            else:
                _build_one(connection, index)


_IN_PARTITIONS = text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:table)")
_WITHOUT_IT = text(
    "SELECT part.relname FROM pg_inherits JOIN pg_class AS part ON part.oid = inhrelid "
    "WHERE inhparent = to_regclass(:table) AND NOT EXISTS (SELECT FROM pg_inherits AS its JOIN pg_index "
    "ON indexrelid = its.inhrelid WHERE its.inhparent = to_regclass(:index) AND indrelid = part.oid) ORDER BY 1"
)


def _build_one(connection: Connection, index: LateIndex) -> None:
    if _is_broken(connection, index.name):
        # One that was broken off is there, and is not used.
        connection.exec_driver_sql(f'DROP INDEX CONCURRENTLY IF EXISTS "{index.name}"')
    connection.exec_driver_sql(index.statement(concurrently=True))


def _build_parts(engine: Engine, connection: Connection, index: LateIndex) -> None:
    """Make an index of a table in partitions: for the whole it is said only, for each partition made and put in.

    The server makes none beside the work for the whole. A partition that comes meanwhile gets its own by itself, and
    the whole one is used once all of them are in.
    """
    with engine.connect() as whole:
        _once(whole, lambda: whole.exec_driver_sql(index.statement(only=True)))
        for part in connection.execute(_WITHOUT_IT, {"table": index.table, "index": index.name}).scalars().all():
            own = replace(index, name=f"{index.name}_{part.removeprefix(f'{index.table}_')}", table=part)
            _build_one(connection, own)
            put = f'ALTER INDEX "{index.name}" ATTACH PARTITION "{own.name}"'
            _once(whole, lambda put=put: whole.exec_driver_sql(put))  # type: ignore[misc]


@contextmanager
def _apart(engine: Engine) -> Any:
    """Give a connection without transactions, which is closed in the end with all that it holds."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        for timeout in ("statement_timeout", "lock_timeout"):
            connection.exec_driver_sql(f"SET {timeout} = 0")
        yield connection
    finally:
        connection.detach()
        connection.close()


def _is_broken(connection: Connection, name: str) -> bool:
    asked = "SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)"
    return bool(connection.execute(text(asked), {"name": f'"{name}"'}).scalar())


def _got(connection: Connection, how: str, lock: int) -> bool:
    return bool(connection.execute(text(f"SELECT {how}(:lock)"), {"lock": lock}).scalar())
