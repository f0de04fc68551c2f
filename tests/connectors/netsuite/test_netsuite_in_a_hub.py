"""Jobs and streams as the hub uses them: real store, intake, worker and limits over the running sandbox."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.samples import CUSTOMER, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.streams import OVERLAP, STREAMS
from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.connections.registry import load_connectors
from hub.intake.streams import Streams
from hub.model.ambient import Ambient
from hub.model.event import InboundEvent, Via
from hub.runtime.clock import SystemClock
from hub.runtime.wiring import wired
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.exact_json import dumps, loads
from hub.sdk.transport import Transport
from hub.store import history
from hub.store.committer import Committer
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

FILES = {
    "connections/netsuite.yaml": "connection: netsuite\nconnector: netsuite\n",
    "schemas/tests.batch@1.json": dumps({**dict(CONNECTOR.operation("job.submit").input)}).decode(),  # type: ignore[union-attr]
    "policies/patient.yaml": """
policy: patient
kind: retry
owner: team:tests
attempts: 60
first: 0.1
factor: 1
ceiling: 0.2
longest: 0.2
""",
    "mappings/netsuite/batch.yaml": """
mapping: netsuite/batch
version: 1
from: tests.batch@1
to: tests.batch@1
fields: { type: type, action: action, records: records }
""",
    "flows/batch.yaml": """
flow: batch
title: Records written by one job
owner: team:tests
on: { event: netsuite.batch }
key: data.name
business_key: data.name
steps:
  - id: submitted
    call: { connection: netsuite, operation: job.submit, with: netsuite/batch }
    retry: patient
  - id: done
    call: { connection: netsuite, operation: job.read, by: =submitted.id }
    retry: patient
""",
}


@cache
def _workspace() -> Bundle:
    files = {path: text.encode() for path, text in FILES.items()}
    compiled, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


class Hub:
    """A hub in miniature with one connection."""

    def __init__(self, directory: Path, served: Running) -> None:
        """Connect to a running sandbox."""
        ambient = Ambient(clock=SystemClock(), random=random.Random(1))
        self.database = Database(directory)
        self.committer = Committer(self.database, ambient)
        self.transport = Transport(private_hosts=[urlsplit(served.url).hostname or ""])
        facts = {
            name: served.announcement[name] for name in NetSuiteSettings.model_fields if name in served.announcement
        }
        self.account = Account(
            name="netsuite",
            connector=CONNECTOR,
            settings=NetSuiteSettings.model_validate({**SETTINGS, **facts, "base_url": served.url, "auth": "tba"}),
            limiter=Limiter(CONNECTOR.limits, ambient),
            transport=self.transport,
            ambient=ambient,
        )
        parts = wired(
            environment="test",
            name="worker_test",
            ambient=ambient,
            database=self.database,
            committer=self.committer,
            accounts={"netsuite": self.account},
            current=_workspace,
        )
        self.worker, self.intake = parts.worker, parts.intake
        self.streams = Streams(
            environment="test",
            ambient=ambient,
            database=self.database,
            committer=self.committer,
            intake=self.intake,
        )
        self.now = ambient.now

    async def submit(self, name: str, *records: dict[str, Any]) -> None:
        """Bring an event that orders a batch of customers."""
        batch = {"type": "customer", "action": "upsert", "records": list(records)}
        event = InboundEvent(
            external_id=name,
            type="netsuite.batch",
            occurred_at=self.now(),
            data={"name": name},
            schema="tests.batch@1",
            record=batch,
        )
        await self.intake.accept("netsuite", [event], Via.API)

    async def ended(self) -> list[dict[str, Any]]:
        """Wait until all runs have ended; gives the outputs of their steps by path, and their states."""
        async with asyncio.timeout(20):
            while True:
                with self.database.reading() as connection:
                    rows = connection.exec_driver_sql("select id, state from runs order by id").all()
                    if rows and not any(state in ("queued", "running", "waiting") for _, state in rows):
                        return [
                            {
                                "state": state,
                                **{
                                    step["path"]: loads(step["output"])
                                    for step in history.of_run(connection, id)["steps"]
                                    if step["output"] is not None
                                },
                            }
                            for id, state in rows
                        ]
                await asyncio.sleep(0.02)


@asynccontextmanager
async def _hub(directory: Path, served: Running) -> AsyncIterator[Hub]:
    hub = Hub(directory, served)
    hub.committer.on_wake = hub.worker.wake
    hub.committer.start()
    task = asyncio.create_task(hub.worker.run())
    try:
        yield hub
    finally:
        hub.worker.stop()
        await task
        await hub.committer.stop()
        hub.database.close()
        await hub.transport.close()


@pytest.fixture
async def served() -> AsyncIterator[Running]:
    async with running(find("netsuite")) as sandbox:
        yield sandbox


def _customer(number: int) -> dict[str, Any]:
    return {**CUSTOMER, "externalId": f"cus_{number}"}


@pytest.mark.parametrize("kind", [None, "reset_after_commit", "500_after_commit", "reset_before", "500", "429"])
async def test_run_waits_for_its_job(tmp_path: Path, served: Running, kind: str | None) -> None:
    await served.world.books.seed({"settings": {"job_seconds": 0.5}})
    async with _hub(tmp_path, served) as hub:
        if kind is not None:
            served.world.faults.replace([{"kind": kind, "times": 1, "match": {"method": "PUT"}}])
        await hub.submit("first", *(_customer(number) for number in range(1, 101)))
        (run,) = await hub.ended()
    assert run["state"] == "succeeded", run
    assert run["done"]["progress"] == "succeeded"
    assert len(run["done"]["results"]) == 100
    books = served.world.books.snapshot()
    assert (len(books["jobs"]), len(books["customers"])) == (1, 100)
    assert {one["writes"] for one in books["customers"]} == {1}
    assert not books["loginAudit"]


async def test_many_batches_keep_to_the_pool(tmp_path: Path, served: Running) -> None:
    await served.world.books.seed({"settings": {"latency": 0.01}})
    async with _hub(tmp_path, served) as hub:
        for batch in range(20):
            await hub.submit(f"batch-{batch}", *(_customer(10 * batch + number) for number in range(10)))
        runs = await hub.ended()
    assert {run["state"] for run in runs} == {"succeeded"}
    assert len(served.world.books.snapshot()["customers"]) == 200
    limiter = served.world.books.limiter  # type: ignore[attr-defined]
    assert limiter.refused == 0
    assert limiter.highest <= 5


async def test_changes_become_events_once(tmp_path: Path, served: Running) -> None:
    wish = [{**_customer(number), "subsidiary": {"id": "1"}, "currency": "EUR"} for number in range(1, 1501)]
    await served.world.books.seed({"customers": wish, "settings": {"seconds_later": 5}})
    async with _hub(tmp_path, served) as hub:
        first = await hub.streams.read(hub.account, STREAMS[0], overlap=OVERLAP)
        again = await hub.streams.read(hub.account, STREAMS[0], overlap=OVERLAP)
        await served.world.books.seed({"customers": [_customer(9999)], "settings": {"seconds_later": 5}})
        later = await hub.streams.read(hub.account, STREAMS[0], overlap=OVERLAP)
        without = await hub.streams.read(hub.account, STREAMS[0], overlap=timedelta())
    assert (first.new, again.new, later.new, without.new) == (1500, 0, 1, 0)
