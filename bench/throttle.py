"""How exactly limits are kept: the whole engine against a vendor that counts requests when they arrive.

For each account more runs wait than can go out. Counted are the most requests in any window, and what part of the limit
was used, by one hub and by several processes together; and, beside a target that takes twenty seconds, how much longer
runs to a quick one take.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import select

from bench import counter, throttle_worker
from bench.stand import ENVIRONMENT, Stand, stand
from bench.things import FILES, compiled
from hub.model.event import InboundEvent
from hub.model.exchange import Request
from hub.model.limits import QuotaPer
from hub.proof.processes import Processes
from hub.proof.servers import postgres
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport
from hub.store.database import Database
from hub.store.tables import runs

#: Accounts with one limit each, so that what is measured is known.
LIMITS: Mapping[str, Limits] = {
    "second": Limits(concurrency=50, rate=40),
    "minute": Limits(concurrency=50, rate=600, per=60),
    "places": Limits(concurrency=5),
    "quota": Limits(concurrency=2, quota=500, quota_per=QuotaPer.MONTH),
}
FLOW = """
flow: measured
title: One write
owner: team:bench
on: { event: target.thing.made }
key: data.id
business_key: data.id
steps:
  - id: post
    call: { connection: =data.to, operation: document.write, with: thing, of: data }
"""
#: So many processes share accounts.
WORKERS = 4
#: So long it goes on after what is measured, so that all of that is whole.
SETTLING = 2.0
#: How many runs wait for each account: more than can go out in a minute.
WAIT: Mapping[str, int] = {"second": 3000, "minute": 800, "places": 1200, "quota": 700}


def measure(*, seconds: float) -> dict[str, Any]:
    """Measure limits for so many seconds, and then the quick target beside the slow one."""
    files = {
        **FILES,
        "flows/measured.yaml": FLOW,
        **{
            f"connections/{name}.yaml": f"connection: {name}\nconnector: target\n"
            for name in (*LIMITS, "slow", "quick")
        },
    }
    bundle = compiled(files)
    with counter.running() as url:
        limits = uvloop.run(_limits(url, bundle, seconds))
    shared = _shared(seconds)
    with counter.running() as url:
        beside = uvloop.run(_beside(url, bundle, seconds / 3))
    return {"seconds": seconds, "limits": limits, "shared": shared, "beside": beside}


async def _limits(url: str, bundle: Any, seconds: float) -> dict[str, Any]:
    async with stand(url, bundle, limits=LIMITS) as hub:
        share = seconds / 60
        for name, count in WAIT.items():
            wanted = count if name == "quota" else math.ceil(count * share) + 50
            await hub.accept(_events(name, wanted))
        task = _begin(hub)
        await asyncio.sleep(seconds + SETTLING)
        found = {name: await _measured(url, name) for name in LIMITS}
        await _end(hub, task)
    return {name: _judged(LIMITS[name], measured, seconds) for name, measured in found.items()}


def _shared(seconds: float) -> dict[str, Any]:
    """Let several processes use the same accounts, over one PostgreSQL."""
    with ExitStack() as stack:
        vendor = stack.enter_context(counter.running())
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="concord-bench-")))
        processes = stack.enter_context(Processes(logs))
        room = stack.enter_context(postgres.room())
        url: str = processes.start("postgres", postgres.command(room)).hello["url"]
        Database(logs / "first", url).close()
        # What was sent before the ledgers began is taken to have filled a window.
        lasting = seconds + max(limits.per for limits in throttle_worker.LIMITS.values()) + 3.0
        command = [sys.executable, "-m", "bench.throttle_worker", url, vendor, str(lasting)]
        workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
        ]
        for worker in workers:
            assert worker.stdout is not None
            worker.stdout.readline()
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        time.sleep(lasting)
        found = {name: uvloop.run(_measured(vendor, name)) for name in throttle_worker.LIMITS}
        for worker in workers:
            worker.communicate(timeout=60)
    return {name: _judged_shared(throttle_worker.LIMITS[name], measured, seconds) for name, measured in found.items()}


def _judged_shared(limits: Limits, measured: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Compare what arrived with the limit, for the last so many seconds: over in any window, under in all."""
    if limits.rate is None:
        return _judged(limits, measured, seconds)
    arrivals = measured["arrivals"]
    begins = measured["now"] - seconds - 1.0
    counted = sum(begins < arrival <= begins + seconds for arrival in arrivals)
    judged = _judged(limits, measured, seconds)
    return {**judged, "used": round(counted / (limits.rate / limits.per * seconds), 4)}


def _judged(limits: Limits, measured: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Compare what arrived with the limit; what was used is that of the first so many seconds."""
    arrivals, allowed = measured["arrivals"], limits.concurrency
    if limits.quota is not None:
        return {"limit": f"{limits.quota} a month", "allowed": limits.quota, "most": len(arrivals), "used": None}
    if limits.rate is not None:
        most, allowed = counter.most_within(arrivals, limits.per), round(limits.rate)
        counted = sum(arrival < min(arrivals) + seconds for arrival in arrivals)
        used = counted / (limits.rate / limits.per * seconds)
        unit = "minute" if limits.per == 60 else "second"
        return {"limit": f"{limits.rate:g} a {unit}", "allowed": allowed, "most": most, "used": round(used, 4)}
    used = measured["busy"] / (allowed * (measured["now"] - min(arrivals)))
    return {"limit": f"{allowed} in flight", "allowed": allowed, "most": measured["highest"], "used": round(used, 4)}


async def _beside(url: str, bundle: Any, seconds: float) -> dict[str, Any]:
    """Send runs to a quick target at an even pace, without and with hundreds for a slow one in between."""
    alone = await _quick(url, bundle, seconds, slow=0)
    crowded = await _quick(url, bundle, seconds, slow=1000)
    return {"p95_ms_alone": alone, "p95_ms_beside_slow": crowded, "ratio": round(crowded / alone, 2)}


async def _quick(url: str, bundle: Any, seconds: float, *, slow: int) -> float:
    limits = {"quick": Limits(concurrency=100), "slow": Limits(concurrency=400)}
    async with stand(url, bundle, limits=limits) as hub:
        task = _begin(hub)
        await hub.accept(_events("slow", slow))
        # The slow ones fill what they may fill.
        await asyncio.sleep(3)
        for number in range(round(seconds * 40)):
            await hub.accept(_events("quick", 1, first=number))
            await asyncio.sleep(1 / 40)
        await asyncio.sleep(2)
        found = _durations(hub)
        await _end(hub, task)
    return round(statistics.quantiles(found, n=20)[18], 2)


def _durations(hub: Stand) -> list[float]:
    """Give how many milliseconds each run to the quick target took, from its acceptance to its end."""
    with hub.database.reading() as connection:
        rows = connection.execute(
            select(runs.c.created_at, runs.c.finished_at).where(
                runs.c.environment == ENVIRONMENT, runs.c.key.startswith("quick"), runs.c.finished_at.is_not(None)
            )
        )
        return [(row.finished_at - row.created_at) / 1000 for row in rows]


def _begin(hub: Stand) -> asyncio.Task[None]:
    hub.committer.on_wake = hub.worker.wake
    task = asyncio.create_task(hub.worker.run())
    hub.budgets.start()
    return task


async def _end(hub: Stand, task: asyncio.Task[None]) -> None:
    hub.worker.stop()
    await task


async def _measured(url: str, name: str) -> dict[str, Any]:
    transport = Transport(private_hosts=["127.0.0.1"])
    try:
        answer = await transport.send(Request(method="GET", url=f"{url}/{name}/measured"))
    finally:
        await transport.close()
    return counter.read(answer.body)


def _events(to: str, count: int, *, first: int = 0) -> list[InboundEvent]:
    at = datetime.now(UTC)
    return [
        InboundEvent(
            external_id=f"{to}_{number}",
            type="target.thing.made",
            occurred_at=at,
            data={
                "id": f"{to}_{number}", "to": to, "customer": "cus_1", "currency": "eur", "quantity": 1, "total": 5,
                "memo": "",
            },
        )
        for number in range(first, first + count)
    ]  # fmt: skip
