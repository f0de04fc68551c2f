"""Mapping alone: the compiled mapping beside the JMESPath interpreter, JSONata in Rust and Python written by hand.

All of them make the same record of fifteen fields from the same invoices of two kilobytes, which is checked first. They
take turns, and the figures are ratios of processor time, so that a busy machine hits all of them alike.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from bench.invoices import documents
from bench.mapping_engines import Engine, Record, engines
from hub.sdk import exact_json


class Disagreement(Exception):
    """Two engines made different records, so that there is nothing to compare."""


def measure(*, rounds: int = 5, seconds: float = 0.4, count: int = 200) -> dict[str, Any]:
    """Measure all engines, `seconds` of processor time in each of `rounds` turns.

    Gives the size of an invoice in bytes, the records made per second of processor time, and how many times as fast
    the compiled mapping is as each other engine (the median of the rounds' ratios).
    """
    written = documents(count)
    sources: list[Record] = [exact_json.loads(document) for document in written]
    found = engines()
    for source in sources:
        records = {name: run(source) for name, run in found.items()}
        differing = [name for name, record in records.items() if record != records["compiled"]]
        if differing:
            raise Disagreement(
                f"{', '.join(differing)} made another record of {source['id']} than the compiled mapping."
            )
    rates: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, run in found.items():
            rates[name].append(_rate(run, sources, seconds))
    return {
        "invoice_bytes": sum(map(len, written)) // count,
        "records_per_cpu_second": {name: round(statistics.median(rate)) for name, rate in rates.items()},
        "compiled_against": {
            name: round(statistics.median(mine / other for mine, other in zip(rates["compiled"], rate, strict=True)), 2)
            for name, rate in rates.items()
            if name != "compiled"
        },
    }


def _rate(run: Engine, sources: list[Record], seconds: float) -> float:
    """Give the records made per second of processor time."""
    made, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for source in sources:
            run(source)
        made += len(sources)
    return made / spent
