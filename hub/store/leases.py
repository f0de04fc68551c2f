"""Leases: a worker owns its runs as long as its process shows that it lives, by the clock of the database.

Whoever finds that another's lease is over takes its runs back. What fences the other one off is each run's epoch; the
lease only says when that is worth doing.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    delete,
    exists,
    func,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from hub.audit.kinds import AuditKind
from hub.sdk import exact_json
from hub.store import migrating, upgrading
from hub.store.audit import Note
from hub.store.process_tables import CLOCK, workers
from hub.store.runs import recover
from hub.store.statements import Formed
from hub.store.tables import runs
from hub.store.writes import Transaction

#: So long a worker that ended is kept, for people to see.
_REMEMBERED = 7 * 86_400_000_000

_NOW: ColumnElement[int] = literal_column(CLOCK, BigInteger)
_CLOCK = select(_NOW)


def begin(
    connection: Connection, *, worker: str, environment: str, committer: str, roles: str, version: str, seconds: float
) -> None:
    """Let a worker that nobody had before begin; its lease is over so many seconds after it was last heard of.

    Raises `Fatal` where a newer version has taken away what this one needs: from here on nobody does while it lives.
    """
    upgrading.join(connection)
    given = {"id": worker, "environment": environment, "committer": committer, "roles": roles, "version": version}
    given["tables"] = migrating.NEWEST
    times = {"started_at": _NOW, "heartbeat_at": _NOW, "lease_until": _NOW + _micros(seconds)}
    # Who asks again because no answer came has it already.
    connection.execute(insert(workers).values(**given, **times).on_conflict_do_nothing())


def prolong(connection: Connection, *, worker: str, seconds: float, refused: Collection[str] = ()) -> bool:
    """Say that a worker lives; False when its runs were taken back, so that it has to begin anew under another name.

    A lease that is over and that nobody has taken note of goes on: the worker's runs are still its own. `refused` are
    the revisions that its process cannot make sense of.
    """
    living = update(workers).where(workers.c.id == worker, workers.c.ended_at.is_(None))
    refuses = exact_json.dumps(sorted(refused)).decode() if refused else None
    found = connection.execute(living.values(heartbeat_at=_NOW, lease_until=_NOW + _micros(seconds), refuses=refuses))
    return found.rowcount == 1


def clock(connection: Connection) -> int:
    """Give what the database's clock shows, in microseconds since 1970 UTC."""
    return int(connection.execute(_CLOCK).scalar_one())


def soonest_end(connection: Connection, *, environment: str) -> float | None:
    """Give in how many seconds the next lease ends of which nobody has taken note; below 0 for one that is over."""
    ends = select(func.min(workers.c.lease_until) - _NOW).where(
        workers.c.environment == environment, workers.c.ended_at.is_(None)
    )
    micros: int | None = connection.execute(ends).scalar()
    return None if micros is None else micros / 1_000_000


def refused_by_all(connection: Connection, *, environment: str) -> frozenset[str]:
    """Give the revisions that no living worker can make sense of; none where nobody lives who could."""
    living = select(workers.c.roles, workers.c.refuses).where(
        workers.c.environment == environment, workers.c.ended_at.is_(None), workers.c.lease_until >= _NOW
    )
    told = [
        frozenset(exact_json.loads(refuses)) if refuses is not None else frozenset[str]()
        for roles, refuses in connection.execute(living)
        if "worker" in roles.split(",")
    ]
    return frozenset.intersection(*told) if told else frozenset()


def end(transaction: Transaction, worker: str) -> None:
    """Take note that a worker has ended, and handed back what it had."""
    transaction.connection.execute(update(workers).where(workers.c.id == worker).values(ended_at=transaction.now))


def has_ended(connection: Connection, worker: str) -> bool:
    """Tell whether a worker may take nothing any more, because it has ended or was found to be gone."""
    return _ENDED.scalar(connection, of=worker) is not None


_ENDED = Formed(select(workers.c.id).where(workers.c.id == bindparam("of"), workers.c.ended_at.is_not(None)))


def take_back(transaction: Transaction, *, environment: str, actor: str) -> int:
    """Take back the runs of every worker of an environment whose lease is over; gives their number.

    From here on none of these workers can record anything of these runs, or take any others.
    """
    connection = transaction.connection
    over = update(workers).where(
        workers.c.environment == environment, workers.c.ended_at.is_(None), workers.c.lease_until < transaction.now
    )
    gone = connection.execute(over.values(ended_at=transaction.now).returning(workers.c.id)).scalars().all()
    transaction.entries.extend(
        Note(kind=AuditKind.WORKER_LOST, actor=actor, subjects={"worker": worker}) for worker in sorted(gone)
    )
    connection.execute(delete(workers).where(workers.c.ended_at < transaction.now - _REMEMBERED))
    living = exists().where(workers.c.id == runs.c.owner, workers.c.ended_at.is_(None))
    return recover(transaction, environment=environment, actor=actor, which=or_(runs.c.owner.is_(None), ~living))


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
