"""Durable five-step flows beside the same steps without durability, with all gates, and in DBOS; in turns."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import aiohttp
import uvloop

from bench.peers import Missing, dbos_flows
from bench.stand import stand
from bench.target import running
from bench.things import FILES, GOVERNED, compiled, events, events_data, request
from hub.mapping.compiled import apply
from hub.model.exchange import Request
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
    """Do the same steps without recording anything, as one would write them with aiohttp; gives flows a second."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(sent: Request) -> bytes:
            headers = {**sent.headers, "authorization": "Bearer bench"}
            async with session.request(sent.method, sent.url, data=sent.body, headers=headers) as answer:
                return await answer.read()

        return await _undurable(base_url, bundle, count, send)


async def lean_floor(base_url: str, bundle: Bundle, count: int) -> float:
    """Do the same steps without recording anything, over the hub's own client; gives flows a second."""
    transport = Transport(private_hosts=["127.0.0.1"])

    async def send(sent: Request) -> bytes:
        return (await transport.send(sent, {"authorization": "Bearer bench"})).body

    try:
        return await _undurable(base_url, bundle, count, send)
    finally:
        await transport.close()


async def _undurable(
    base_url: str, bundle: Bundle, count: int, send: Callable[[Request], Coroutine[Any, Any, bytes]]
) -> float:
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
            apply(noted, exact_json.loads(await send(request(settings, mapped, data["id"]))), {})

    started = time.perf_counter()
    await asyncio.gather(*(flow(data) for data in events_data(count)))
    return count / (time.perf_counter() - started)


def measure(*, count: int, rounds: int, peers: bool = True) -> dict[str, Any]:
    """Measure in turns, and give medians and the medians of each round's ratios."""
    bare, governed = compiled(FILES), compiled(GOVERNED)
    found: dict[str, list[float]] = {"floor": [], "lean_floor": [], "durable": [], "governed": [], "dbos": []}
    left_out: str | None = None if peers else "it was not asked for"
    with running() as base_url:
        for _ in range(rounds):
            found["floor"].append(uvloop.run(floor(base_url, bare, count)))
            found["lean_floor"].append(uvloop.run(lean_floor(base_url, bare, count)))
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
        "durable_of_lean_floor": _ratio(found["durable"], found["lean_floor"]),
        "governed_of_durable": _ratio(found["governed"], found["durable"]),
        "durable_of_dbos": _ratio(found["durable"], found["dbos"]),
        "dbos_left_out": left_out,
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _ratio(ours: list[float], theirs: list[float]) -> float | None:
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3) if theirs else None
