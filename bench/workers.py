"""The five-step flow on PostgreSQL by 1, 2 and 4 workers as processes: beside DBOS, with NATS, with a slow vendor.

All rounds are in turns on the same servers. With a vendor that answers after five milliseconds the processor is the
bound, and the database, the target and all workers share it. With one that takes 200 ms and a fixed number of runs in
a worker's hands, the bound is what a worker waits for, and more workers must wait for more at a time.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.peers import DBOS, Missing, dbos_flows
from bench.shared import Company, Worked, servers
from bench.target import SECONDS
from hub.connections.hands import PARTS

WORKERS = (1, 2, 4)
#: DBOS runs some dozens of flows in a second.
DBOS_FLOWS = 200
#: What a vendor far away takes, in seconds; how many runs a worker has in hand then, and how many it does in a round.
VENDOR_SECONDS, IN_HAND, SLOW_FLOWS = 0.2, 64, 300
#: A fourth of its hands a worker gives to one vendor: so many requests of it are under way at a time.
IN_FLIGHT = IN_HAND // PARTS
#: NATS is looked at with so many.
WITH_NATS = 2


def measure(*, count: int, rounds: int, peers: bool = True) -> dict[str, Any]:
    """Measure 1, 2 and 4 workers and DBOS on one PostgreSQL; gives medians, and the medians of rounds' ratios."""
    left_out: str | None = None if peers else "it was not asked for"
    theirs: list[float] = []
    with servers(target_seconds=SECONDS) as on:
        company = Company(on, "concord")
        found: dict[int, list[Worked]] = {workers: [] for workers in WORKERS}
        for number in range(rounds):
            _round(company, found, lambda _workers: count)
            if left_out is None:
                try:
                    theirs.append(dbos_flows(on.target, DBOS_FLOWS, on.made(f"dbos_{number}")))
                except Missing as missing:
                    left_out = str(missing)
    best = [max(each[number].per_second for each in found.values()) for number in range(rounds)]
    return {
        "flows": count,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "by_workers": _by_workers(found),
        "dbos": {"version": DBOS[0].partition("==")[2], "per_second": _median(theirs)} if theirs else None,
        "one_by_dbos": _ratio([each.per_second for each in found[1]], theirs),
        "most_by_dbos": _ratio(best, theirs),
        "dbos_left_out": left_out,
    }


def measure_nats(*, count: int, rounds: int) -> dict[str, Any]:
    """Measure the same workers with NATS, a feed told of every event and run, and without; gives the ratio."""
    with servers(target_seconds=SECONDS) as on:
        with_nats, without = Company(on, "told", nats=True), Company(on, "untold")
        found: dict[bool, list[Worked]] = {True: [], False: []}
        for number in range(rounds):
            # Who comes first takes turns as well.
            for told in (number % 2 == 0, number % 2 == 1):
                company = with_nats if told else without
                with company.working(WITH_NATS):
                    found[told].append(company.work(count))
    rates = {told: [each.per_second for each in rounds_] for told, rounds_ in found.items()}
    return {
        "flows": count,
        "rounds": rounds,
        "workers": WITH_NATS,
        "with_nats": _summed(found[True]),
        "without": _summed(found[False]),
        "with_nats_by_without": _ratio(rates[True], rates[False]),
    }


def measure_slow_vendor(*, rounds: int) -> dict[str, Any]:
    """Measure 1, 2 and 4 workers whose vendor takes 200 ms, each with a fixed number of runs in hand."""
    with servers(target_seconds=VENDOR_SECONDS) as on:
        company = Company(on, "far", in_hand=IN_HAND, warm=IN_FLIGHT)
        found: dict[int, list[Worked]] = {workers: [] for workers in WORKERS}
        for _ in range(rounds):
            _round(company, found, lambda workers: SLOW_FLOWS * workers)
    return {
        "rounds": rounds,
        "vendor_ms": round(VENDOR_SECONDS * 1000),
        "in_hand": IN_HAND,
        "in_flight": IN_FLIGHT,
        "bound_per_worker": IN_FLIGHT / VENDOR_SECONDS,
        "by_workers": _by_workers(found),
    }


def _round(company: Company, found: Mapping[int, list[Worked]], count: Callable[[int], int]) -> None:
    for workers, worked in found.items():
        with company.working(workers):
            worked.append(company.work(count(workers)))


def _by_workers(found: Mapping[int, Sequence[Worked]]) -> dict[int, dict[str, Any]]:
    one = [each.per_second for each in found[1]]
    return {
        workers: {**_summed(worked), "by_one": _ratio([each.per_second for each in worked], one)}
        for workers, worked in found.items()
    }


def _summed(worked: Sequence[Worked]) -> dict[str, Any]:
    return {
        "per_second": _median([each.per_second for each in worked]),
        "each_round": [round(each.per_second, 1) for each in worked],
        "worker_share": round(statistics.median(each.worker_share for each in worked), 3),
        "database_share": round(statistics.median(each.database_share for each in worked), 3),
        "target_share": round(statistics.median(each.target / each.seconds for each in worked), 3),
        "worker_ms": round(statistics.median(1000 * sum(each.workers) / each.flows for each in worked), 3),
        "database_ms": round(statistics.median(1000 * each.database / each.flows for each in worked), 3),
        "log_bytes": round(statistics.median(each.log / each.flows for each in worked)),
        "stored_bytes": round(statistics.median(each.stored / each.flows for each in worked)),
        "transactions": round(statistics.median(each.commits / each.flows for each in worked), 3),
    }


def _median(rates: Sequence[float]) -> float:
    return round(statistics.median(rates), 1)


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    pairs = [a / b for a, b in zip(ours, theirs, strict=False)]
    return round(statistics.median(pairs), 3) if pairs else None
