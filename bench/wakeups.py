"""How soon an idle worker begins a run that another process has taken in: through NATS, and by polling alone.

One process has the api, another works; single events are sent over HTTP at odd moments. The time is that from the
run's being taken in (`created_at`, before its commit) to its being claimed (`started_at`), both of this machine.
"""

from __future__ import annotations

import random
import time
from typing import Any

import psycopg

from bench.shared import Company, family, processor, servers
from bench.target import SECONDS

#: Runs that are begun with NATS and without, and the seconds between two of them, at least and at most.
_NATS, _POLLING = (300, 0.05, 0.15), (40, 0.3, 1.3)
#: How long both are watched while nothing happens.
_IDLE_SECONDS = 5.0
_WAITED = (
    "SELECT started_at - created_at, finished_at - created_at FROM runs WHERE state = 'succeeded' ORDER BY position"
)


def measure() -> dict[str, Any]:
    """Measure both ways; gives milliseconds from queued to started and to the end, and what an idle worker costs."""
    found: dict[str, Any] = {}
    with servers(target_seconds=SECONDS) as on:
        for name, nats, (count, least, most) in (("nats", True, _NATS), ("polling", False, _POLLING)):
            company = Company(on, name, nats=nats)
            chance = random.Random(name)
            with company.working(1):
                cost = _idle(company, on.postmaster)
                with psycopg.connect(company.database, autocommit=True) as connection:
                    before = len(connection.execute(_WAITED).fetchall())
                    for _ in range(count):
                        time.sleep(chance.uniform(least, most))
                        company.send(1)
                    company.finish()
                    rows = connection.execute(_WAITED).fetchall()[before:]
            if len(rows) != count:
                raise SystemExit(f"{len(rows)} runs succeeded of {count}")
            found[name] = {
                "runs": count,
                "started_ms": _spread([row[0] for row in rows]),
                "ended_ms": _spread([row[1] for row in rows]),
                **cost,
            }
    return found


def _idle(company: Company, postmaster: int) -> dict[str, float]:
    """Watch a while in which nothing happens; gives the parts of one core that are used."""
    time.sleep(1.0)
    workers = company.pids
    used, server = sum(map(processor, workers)), family(postmaster)
    time.sleep(_IDLE_SECONDS)
    return {
        "idle_worker_share": round((sum(map(processor, workers)) - used) / _IDLE_SECONDS, 4),
        "idle_database_share": round((family(postmaster) - server) / _IDLE_SECONDS, 4),
    }


def _spread(micros: list[int]) -> dict[str, float]:
    ordered = sorted(micros)
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, round(last * part))] / 1000, 1)
        for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("most", 1.0))
    }
