"""Durable five-step flows against the same steps without durability, with the same HTTP client, in turns.

A flow checks the event, maps it, looks a crossref up, makes one HTTP write (five milliseconds away), and maps the
answer. The floor does the same work for the same number of events at once, and records nothing.
"""

from __future__ import annotations

import asyncio
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.engine.parts import Parts
from hub.engine.worker import Worker
from hub.intake.door import Intake
from hub.mapping.compiled import apply
from hub.model.ambient import Ambient
from hub.model.effect import Idempotency
from hub.model.event import InboundEvent, Via
from hub.model.exchange import Request
from hub.runtime.clock import SystemClock
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.connector import Connector, Limits, WriteOperation
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import crossrefs, runs
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

FLOW = """
flow: measured
title: Five steps, one write
owner: team:bench
on: { event: target.thing.made }
key: data.id
business_key: data.id
steps:
  - id: checked
    map: thing
    of: data
    expect: { equal: [checked.quantity, data.quantity], else: { case: differs } }
  - id: mapped
    map: thing
    of: checked
  - id: customer
    lookup: { crossref: customer, system: crm, id: data.customer, want: erp }
    missing: { case: customer-not-mapped }
  - id: post
    call: { connection: target, operation: document.write, with: thing, of: mapped }
  - id: noted
    map: noted
    of: post
"""
THING = """
mapping: thing
version: 1
from: bench.any@1
to: bench.any@1
fields:
  id: id
  customer: customer
  currency: upper(currency)
  quantity: quantity
  total: total
  memo: memo
"""
NOTED = """
mapping: noted
version: 1
from: bench.any@1
to: bench.any@1
fields:
  id: id
"""
FILES = {
    "flows/measured.yaml": FLOW,
    "mappings/thing.yaml": THING,
    "mappings/noted.yaml": NOTED,
    "schemas/bench.any@1.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
    "connections/target.yaml": "connection: target\nconnector: target\n",
}


def _request(settings: Settings, record: Mapping[str, Any], key: str) -> Request:
    return Request(
        method="POST",
        url=f"{settings.base_url}/documents",
        headers={"content-type": "application/json", "idempotency-key": key},
        body=exact_json.dumps(record),
    )


async def _ping(_session: Any) -> None:
    return None


connector = Connector(
    name="target",
    title="The target",
    settings=Settings,
    operations=(
        WriteOperation(
            name="document.write",
            title="Write",
            input={"type": "object"},
            output={"type": "object"},
            idempotency=Idempotency.NATIVE,
            request=_request,
            result=lambda response: {"id": exact_json.loads(response.body)["id"]},
        ),
    ),
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer bench"}),
    classify=lambda _response: None,
    ping=_ping,
    limits=Limits(concurrency=400),
)


def _things(count: int) -> list[dict[str, Any]]:
    return [
        {"id": f"thing_{number}", "customer": f"cus_{number % 50}", "currency": "eur", "quantity": 3, "total": 1999,
         "memo": "x" * 180}
        for number in range(count)
    ]  # fmt: skip


async def durable(base_url: str, compiled: Bundle, count: int) -> float:
    """Run `count` flows that are already accepted; gives flows a second."""
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
        ambient = Ambient(clock=SystemClock(), random=random.Random(1))
        database = Database(Path(folder))
        committer = Committer(database, ambient)
        transport = Transport(private_hosts=["127.0.0.1"])
        account = Account(
            name="target",
            connector=connector,
            settings=Settings(base_url=base_url),
            limiter=Limiter(connector.limits, ambient),
            transport=transport,
            ambient=ambient,
        )

        async def shelf(_bundle_id: str) -> Bundle:
            return compiled

        accounts = {"target": account}
        worker = Worker(
            Parts(
                environment="bench",
                worker="worker_bench",
                ambient=ambient,
                database=database,
                committer=committer,
                accounts=accounts,
                bundle=shelf,
                current=lambda: compiled,
            )
        )
        committer.start()
        intake = Intake(
            environment="bench",
            ambient=ambient,
            committer=committer,
            accounts=accounts,
            bundle=lambda: compiled,
        )
        for number in range(50):
            link = crossrefs.Link(
                environment="bench",
                entity="customer",
                ids={"crm": f"cus_{number}", "erp": str(number)},
                thing=f"thing_{number}",
                actor="local",
            )
            await committer.commit(Work(lambda tx, link=link: crossrefs.put(tx, link)))  # type: ignore[misc]
        at = datetime.now(UTC)
        events = [
            InboundEvent(external_id=thing["id"], type="target.thing.made", occurred_at=at, data=thing)
            for thing in _things(count)
        ]
        await intake.accept("target", events, Via.API)
        committer.on_wake = worker.wake
        started = time.perf_counter()
        task = asyncio.create_task(worker.run())
        while True:
            await asyncio.sleep(0.01)
            if worker.in_flight == 0:
                with database.reading() as connection:
                    counted = runs.counts(connection, environment="bench")["measured"]
                if counted == {"succeeded": count}:
                    break
                if "parked" in counted:
                    raise SystemExit(f"flows did not succeed: {counted}")
        seconds = time.perf_counter() - started
        worker.stop()
        await task
        await committer.stop()
        await transport.close()
        database.close()
    return count / seconds


async def floor(base_url: str, compiled: Bundle, count: int, at_once: int) -> float:
    """Do the same steps without recording anything; gives flows a second."""
    transport = Transport(private_hosts=["127.0.0.1"])
    settings = Settings(base_url=base_url)
    known = {f"cus_{number}": str(number) for number in range(50)}
    slots = asyncio.Semaphore(at_once)
    thing, noted = compiled.mappings["thing"], compiled.mappings["noted"]

    async def flow(data: dict[str, Any]) -> None:
        async with slots:
            checked = apply(thing, data, {})
            if checked["quantity"] != data["quantity"]:
                raise SystemExit("differs")
            mapped = apply(thing, checked, {})
            known[data["customer"]]
            request = _request(settings, mapped, data["id"])
            answer = await transport.send(request, {"authorization": "Bearer bench"})
            apply(noted, exact_json.loads(answer.body), {})

    started = time.perf_counter()
    await asyncio.gather(*(flow(data) for data in _things(count)))
    seconds = time.perf_counter() - started
    await transport.close()
    return count / seconds


def measure(*, count: int, rounds: int) -> dict[str, Any]:
    """Measure in turns, and give medians and their ratio."""
    compiled, lints = compile_bundle({path: text.encode() for path, text in FILES.items()}, catalogue_of([connector]))
    if compiled is None:
        raise SystemExit("\n".join(map(str, lints)))
    target = subprocess.Popen(
        [sys.executable, "-m", "bench.target"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert target.stdout is not None
        base_url = target.stdout.readline().strip()
        floors, durables = [], []
        for _ in range(rounds):
            floors.append(uvloop.run(floor(base_url, compiled, count, 400)))
            durables.append(uvloop.run(durable(base_url, compiled, count)))
    finally:
        assert target.stdin is not None
        target.stdin.close()
        target.wait(timeout=10)
    return {
        "flows": count,
        "rounds": rounds,
        "durable_per_second": round(statistics.median(durables)),
        "floor_per_second": round(statistics.median(floors)),
        "ratio": round(statistics.median(d / f for d, f in zip(durables, floors, strict=True)), 3),
        "durable_rounds": [round(each) for each in durables],
        "floor_rounds": [round(each) for each in floors],
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
