"""Eyes on the database that all processes share: who has what in hand, and when work went on, by its own clock.

All times are microseconds of PostgreSQL's clock. The watcher has a way of its own to the server, which no fault is in.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.model.run import WORKING_STATES
from hub.sdk import exact_json
from hub.store.process_tables import CLOCK

if TYPE_CHECKING:
    import psycopg

#: What shows that a run has gone on: something new is durable, and it is more than that the run was taken back.
PROGRESS = (
    "run.succeeded",
    "run.parked",
    "run.cancelled",
    "effect.intended",
    "effect.resent",
    "effect.renewed",
    "effect.done",
    "effect.failed",
    "effect.unknown",
    "effect.resolved",
)
_WORKING = [state.value for state in WORKING_STATES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was under way at a moment (`at`): the runs that were worked on or could be, and whose they are, if any's."""

    at: int
    runs: Mapping[str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's lease: until when it lasts, and whether somebody has noted its end."""

    worker: str
    until: int
    ended: bool


class Watcher:
    """Asks the database, and connects anew where it was away."""

    def __init__(self, url: str) -> None:
        """Take where it is."""
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Give the rows of a statement; raises `psycopg.OperationalError` while the database is away."""
        import psycopg  # noqa: PLC0415 - other proofs have no driver

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=2)
        try:
            return self._connection.execute(statement.encode(), values or None).fetchall()
        except psycopg.OperationalError:
            self.close()
            raise

    def now(self) -> int:
        """Give the database's time."""
        return int(self.ask(f"SELECT {CLOCK}")[0][0])

    def commits(self, number: int) -> float:
        """Give how many seconds so many commits in a row take, each of which is waited for until it is on the disk."""
        began = time.monotonic()
        for _ in range(number):
            # It leaves nothing but a line in the server's log of changes.
            self.ask("SELECT pg_logical_emit_message(true, 'concord-proof', '')")
        return time.monotonic() - began

    def answered(self, within: float) -> int | None:
        """Wait until the database takes changes, and give its time then; None when it does not in so many seconds."""
        import psycopg  # noqa: PLC0415

        until = time.monotonic() + within
        while time.monotonic() < until:
            try:
                if not self.ask("SELECT pg_is_in_recovery()")[0][0]:
                    return self.now()
            except psycopg.OperationalError:
                time.sleep(0.05)
        return None

    def look(self) -> Look:
        """Look what is under way."""
        at = self.now()
        rows = self.ask(
            "SELECT id, owner FROM runs WHERE state = ANY(%s) OR (state = 'queued' AND claimable_at <= %s)",
            _WORKING,
            at,
        )
        return Look(at=at, runs={str(run): owner for run, owner in rows})

    def glance(self) -> Look | None:
        """Look what is under way; None where the database does not answer, or nothing is."""
        import psycopg  # noqa: PLC0415

        try:
            found = self.look()
        except psycopg.OperationalError:
            return None
        return found if found.runs else None

    def lease(self, first: str) -> Lease | None:
        """Give the present lease of the process whose first worker this was; None before its row is there."""
        rows = self.ask(
            "SELECT id, lease_until, ended_at IS NOT NULL FROM workers WHERE committer ="
            " (SELECT committer FROM workers WHERE id = %s) ORDER BY started_at DESC LIMIT 1",
            first,
        )
        return Lease(worker=rows[0][0], until=int(rows[0][1]), ended=rows[0][2]) if rows else None

    def hands(self, worker: str) -> list[str]:
        """Give the runs that a worker has in hand."""
        rows = self.ask("SELECT id FROM runs WHERE owner = %s AND state = ANY(%s)", worker, _WORKING)
        return [str(run) for (run,) in rows]

    def is_over(self, worker: str) -> bool:
        """Tell whether a worker's lease is over, noted by somebody or not."""
        over = f"SELECT ended_at IS NOT NULL OR lease_until < {CLOCK} FROM workers WHERE id = %s"  # noqa: S608
        return bool(self.ask(over, worker)[0][0])

    def living(self) -> int:
        """Count the workers whose lease holds."""
        holds = f"SELECT count(*) FROM workers WHERE ended_at IS NULL AND lease_until >= {CLOCK}"  # noqa: S608
        return int(self.ask(holds)[0][0])

    def progress(self, since: int) -> list[tuple[int, str]]:
        """Give when runs went on since a moment, with their ids, the earliest first."""
        rows = self.ask(
            "SELECT at, entry FROM audit WHERE at >= %s AND kind = ANY(%s) ORDER BY at", since, list(PROGRESS)
        )
        return [(int(at), exact_json.loads(bytes(entry))["subjects"].get("run", "")) for at, entry in rows]

    def resting(self, runs: Collection[str]) -> dict[str, int]:
        """Give which of some runs are worked on no more and cannot be now, with when that began."""
        rows = self.ask(
            f"SELECT id, updated_at FROM runs WHERE id = ANY(%s) AND NOT state = ANY(%s)"  # noqa: S608 - constants
            f" AND NOT (state = 'queued' AND claimable_at <= {CLOCK})",
            list(runs),
            _WORKING,
        )
        return {str(run): int(at) for run, at in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Seconds from the moment at which a fault could be noticed until the first work went on, and until all had.

    `first` is None where nothing was under way, and `whole` while something has not gone on yet.
    """

    first: float | None
    whole: float | None


def recovery(
    *, noticed: int, runs: Collection[str], progress: Sequence[tuple[int, str]], resting: Mapping[str, int]
) -> Recovery:
    """Measure how soon runs that were under way went on; `progress` and `resting` are of the time since the fault.

    A run has gone on when something of it was recorded, or when it rests. What went on before the fault could be
    noticed took no time.
    """
    went: dict[str, int] = {}
    for at, run in progress:
        if run in runs:
            went.setdefault(run, at)
    for run, at in resting.items():
        if run in runs:
            went.setdefault(run, at)
    seconds = {run: max(0, at - noticed) / 1_000_000 for run, at in went.items()}
    whole = max(seconds.values(), default=0.0) if set(runs) <= set(seconds) else None
    return Recovery(first=min(seconds.values(), default=None), whole=whole)
