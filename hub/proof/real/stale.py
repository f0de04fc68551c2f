"""Stale writes: what a worker recorded of runs after others had taken note that its lease was over.

From that note on the worker's runs are anybody's, under higher epochs; nothing of its own may count any more. The audit
log shows it from outside, because each entry names who recorded it, and all have their time from the database's one
clock, taken under its lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hub.proof.invariants import Finding, Invariant
from hub.proof.records import Records
from hub.sdk import exact_json

_LOST = "worker.lost"
#: What only whoever has the run may record of it.
_OWNERS = ("effect.", "run.succeeded", "run.parked", "run.turned_back", "run.compensated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One audit entry: who recorded what, and when (microseconds of the database's clock)."""

    at: int
    kind: str
    actor: str
    run: str = ""
    worker: str = ""


def read(connection: Records) -> list[Entry]:
    """Read the log of all processes, in the order of their one clock."""
    found = []
    for at, kind, entry in connection.execute("SELECT at, kind, entry FROM audit ORDER BY at, chain, sequence"):
        leaf = exact_json.loads(bytes(entry))
        subjects = leaf["subjects"]
        about = {"run": subjects.get("run", ""), "worker": subjects.get("worker", "")}
        found.append(Entry(at=int(at), kind=kind, actor=leaf["actor"], **about))
    return found


def find(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Give what was recorded of runs by workers that others had found to be gone."""
    lost = {entry.worker: entry.at for entry in entries if entry.kind == _LOST}
    for entry in entries:
        since = lost.get(entry.actor)
        if since is not None and entry.at > since and entry.run and entry.kind.startswith(_OWNERS):
            late = (entry.at - since) / 1_000_000
            yield Finding(
                invariant=Invariant.FENCED,
                family=None,
                detail=f"{entry.actor} recorded {entry.kind} of {entry.run} {late:.3f} s after it was found to be gone",
            )
