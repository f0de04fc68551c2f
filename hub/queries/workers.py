"""The processes that share a hub's data: what each is there for, whether it lives, and what it has in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, literal_column, select

from hub.model.ambient import of_micros
from hub.model.run import WORKING_STATES
from hub.queries.view import moment
from hub.store import duties
from hub.store.process_tables import CLOCK, workers
from hub.store.tables import runs

#: The lease of one that is heard of holds; of a silent one it is over; the others have ended.
LIVES, SILENT, ENDED = "lives", "silent", "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLine:
    """One worker of a list.

    `state` is `lives`, `silent` (its lease is over, and its runs are anybody's) or `ended`. `lease` is how many seconds
    its lease still lasts by the database's clock, below 0 when it is over; None where a process is alone with its data.
    `leads` tells that it has the scheduler's duty. `runs` are those in its hands.
    """

    id: str
    roles: str
    version: str
    state: str
    leads: bool
    runs: int
    lease: float | None
    started_at: datetime
    heartbeat_at: datetime | None
    ended_at: datetime | None


def listing(connection: Connection, *, environment: str, ended: bool = False) -> tuple[WorkerLine, ...]:
    """List the workers that have not ended, the oldest first; with `ended` also those, as long as they are kept."""
    now = int(connection.execute(select(literal_column(CLOCK))).scalar_one())
    duty = duties.find(connection, environment=environment, duty=duties.SCHEDULER)
    leading = duty.holder if duty is not None and duty.until > now else None
    statement = select(workers).where(workers.c.environment == environment)
    if not ended:
        statement = statement.where(workers.c.ended_at.is_(None))
    in_hand = hands(connection, environment=environment)
    return tuple(
        _line(dict(row._mapping), now, leading, in_hand)
        for row in connection.execute(statement.order_by(workers.c.started_at, workers.c.id))
    )


def hands(connection: Connection, *, environment: str) -> Mapping[str, int]:
    """Count the runs in the hands of each worker."""
    working = [state.value for state in WORKING_STATES]
    statement = (
        select(runs.c.owner, func.count())
        .where(runs.c.environment == environment, runs.c.state.in_(working), runs.c.owner.is_not(None))
        .group_by(runs.c.owner)
    )
    return {str(owner): int(number) for owner, number in connection.execute(statement)}


def _line(row: Mapping[str, Any], now: int, leading: str | None, in_hand: Mapping[str, int]) -> WorkerLine:
    over = row["lease_until"] < now
    return WorkerLine(
        id=row["id"],
        roles=row["roles"],
        version=row["version"],
        state=ENDED if row["ended_at"] is not None else SILENT if over else LIVES,
        # The duty belongs to the process, which may have had another worker when it took it.
        leads=leading is not None and leading == row["committer"],
        runs=in_hand.get(row["id"], 0),
        lease=round((row["lease_until"] - now) / 1_000_000, 1),
        started_at=of_micros(row["started_at"]),
        heartbeat_at=of_micros(row["heartbeat_at"]),
        ended_at=moment(row["ended_at"]),
    )
