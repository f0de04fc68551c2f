"""Durable five-step flows beside the same steps without durability, with all gates, and in DBOS; in turns."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from collections.abc import Mapping
from typing import Any

import uvloop

from bench.peers import Missing, dbos_flows
from bench.stand import stand
from bench.target import running
from bench.things import FILES, GOVERNED, compiled, events, events_data, request
from hub.mapping.compiled import apply
from hub.sdk import exact_json
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.workspace.bundle import Bundle

#: So many flows are in the floor's hands at once, as in a worker's.
AT_ONCE = 400
#: DBOS runs some dozens of flows in a second; more than this would take minutes.
DBOS_FLOWS = 200


async def durable(base_url: str, bundle: Bundle, count: int) -> float:
    """Run `count` flows that are already accepted; gives flows a second."""
    async with stand(base_url, bundle) as hub:
        await hub.accept(events(count))
        return count / await hub.work(count)


async def floor(base_url: str, bundle: Bundle, count: int) -> float:
    """Do the same steps without recording anything; gives flows a second."""
    transport = Transport(private_hosts=["127.0.0.1"])
    settings = Settings(base_url=base_url)
    known = {f"cus_{number}": str(number) for number in range(50)}
    slots = asyncio.Semaphore(AT_ONCE)
    thing, noted = bundle.mappings["thing"], bundle.mappings["noted"]

    async def flow(data: Mapping[str, Any]) -> None:
        async with slots:
            checked = apply(thing, data, {})
            if checked["quantity"] != data["quantity"]:
                raise SystemExit("differs")
            mapped = apply(thing, checked, {})
            known[data["customer"]]
            sent = request(settings, mapped, data["id"])
            answer = await transport.send(sent, {"authorization": "Bearer bench"})
            apply(noted, exact_json.loads(answer.body), {})

    started = time.perf_counter()
    await asyncio.gather(*(flow(data) for data in events_data(count)))
    seconds = time.perf_counter() - started
    await transport.close()
    return count / seconds


def measure(*, count: int, rounds: int, peers: bool = True) -> dict[str, Any]:
    """Measure in turns, and give medians and the medians of each round's ratios."""
    bare, governed = compiled(FILES), compiled(GOVERNED)
    found: dict[str, list[float]] = {"floor": [], "durable": [], "governed": [], "dbos": []}
    left_out: str | None = None if peers else "it was not asked for"
    with running() as base_url:
        for _ in range(rounds):
            found["floor"].append(uvloop.run(floor(base_url, bare, count)))
            found["durable"].append(uvloop.run(durable(base_url, bare, count)))
            found["governed"].append(uvloop.run(durable(base_url, governed, count)))
            if left_out is None:
                try:
                    found["dbos"].append(dbos_flows(base_url, DBOS_FLOWS))
                except Missing as missing:
                    left_out = str(missing)
    return {
        "flows": count,
        "rounds": rounds,
        "per_second": {name: round(statistics.median(rates), 1) for name, rates in found.items() if rates},
        "each_round": {name: [round(rate, 1) for rate in rates] for name, rates in found.items() if rates},
        "durable_of_floor": _ratio(found["durable"], found["floor"]),
        "governed_of_durable": _ratio(found["governed"], found["durable"]),
        "durable_of_dbos": _ratio(found["durable"], found["dbos"]),
        "dbos_left_out": left_out,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _ratio(ours: list[float], theirs: list[float]) -> float | None:
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3) if theirs else None
