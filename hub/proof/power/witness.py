"""What the outside knew at a moment: which events were acknowledged, which requests had come, what must be recorded."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hub.proof.stage import Stage
from hub.store.sqlite import FILE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What was seen from outside, each with the moment (seconds since 1970) from which on it must be on the disk.

    `events` are the vendor's ids of acknowledged webhooks, `requests` the hashes of bodies of writes that came in,
    and `outcomes` the keys of writes behind whose recorded outcome another request of the same run came.
    """

    events: Mapping[str, float]
    requests: Mapping[str, float]
    outcomes: Mapping[str, float]

    def until(self, moment: float) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Give the events, requests and outcomes that must be on the disk at a moment."""
        seen = (self.events, self.requests, self.outcomes)
        known = (frozenset(name for name, at in each.items() if at <= moment) for each in seen)
        events, requests, outcomes = known
        return events, requests, outcomes


def gather(stage: Stage) -> Witness:
    """Ask the sandboxes what they saw; the hub's own final records say which write a request was, and of which run."""
    books = stage.stripe.books()
    acknowledged = [each for each in books["deliveries"] if each["status"] is not None and 200 <= each["status"] < 300]
    events = _earliest((each["event"], _seconds(each["at"])) for each in acknowledged if each["fault"] is None)
    logs = [entry for sandbox in stage.sandboxes.values() for entry in sandbox.requests()]
    arrived = _earliest((entry["sha256"], _seconds(entry["at"])) for entry in logs if entry["method"] != "GET")
    recorded = _effects(stage.hub.data)
    requests = {row["body_hash"]: arrived[row["body_hash"]] for row in recorded if row["body_hash"] in arrived}
    return Witness(events=events, requests=requests, outcomes=_outcomes(recorded, arrived))


def _outcomes(recorded: Sequence[Mapping[str, Any]], arrived: Mapping[str, float]) -> dict[str, float]:
    """Find the writes whose outcome must have been durable, because a later request of their run came in."""
    by_run: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in recorded:
        by_run[row["run_id"]].append(row)
    found: list[tuple[str, float]] = []
    for rows in by_run.values():
        for place, row in enumerate(rows):
            if row["body_hash"] in arrived:
                found.extend((earlier["key"], arrived[row["body_hash"]]) for earlier in rows[:place])
    return _earliest(found)


def _effects(data: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT key, run_id, body_hash FROM effects ORDER BY run_id, created_at")
        return [{"key": row[0], "run_id": row[1], "body_hash": row[2]} for row in rows]


def _earliest(seen: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, at in seen:
        found[name] = min(at, found.get(name, at))
    return found


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
