"""A hub in miniature over a running sandbox: one connection for each release, the shipped mappings, and one flow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select

from connectors.stripe.connector import CONNECTOR
from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.connections.registry import load_connectors
from hub.model.ambient import Ambient
from hub.runtime.clock import SystemClock
from hub.runtime.wiring import wired
from hub.sandbox.server import Running
from hub.sdk.exact_json import loads
from hub.sdk.transport import Transport
from hub.store import history, runs
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.tables import metadata
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from tests.connectors.stripe.partners import Inbox
from tests.connectors.stripe.shapes import VERSIONS

ROOT = Path(__file__).resolve().parents[3]
#: The record as the webhook brought it, and as it is read anew.
FLOW = """
flow: twice
title: An invoice from its event, and read anew
owner: team:tests
on: { event: stripe.invoice.finalized }
key: join(':', [event.connection, data.object.id])
business_key: join(':', [event.connection, data.object.id])
steps:
  - id: brought
    map: stripe/invoice_to_hub
  - id: full
    call: { connection: =event.connection, operation: invoice.read, by: =data.object.id }
  - id: read
    map: stripe/invoice_to_hub
    of: full
"""


def connection(version: str) -> str:
    """Name the connection that is pinned to a version."""
    return f"stripe_{version.rpartition('.')[2]}"


@cache
def workspace(more: tuple[tuple[str, str], ...] = (("flows/twice.yaml", FLOW),)) -> Bundle:
    """Compile the shipped schemas, tables and mappings of Stripe with one flow, and what `more` files say."""
    shipped = ("schemas/", "mappings/stripe/", "mappings/tables/")
    files = {path: content for path, content in read_files(ROOT).items() if path.startswith(shipped)}
    files |= {path: text.encode() for path, text in more}
    for version in VERSIONS:
        text = f"connection: {connection(version)}\nconnector: stripe\n"
        files[f"connections/{connection(version)}.yaml"] = text.encode()
    compiled, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


class SmallHub:
    """Takes in webhooks and works on the runs they start."""

    def __init__(
        self, directory: Path, sandbox: Running, secrets: Mapping[str, str], bundle: Bundle, **settings: Any
    ) -> None:
        """Connect each connection with the signing secret of its endpoint; `settings` are further ones of all."""
        self._settings = settings
        self.ambient = Ambient(clock=SystemClock(), random=random.Random(1))
        self.database = Database(directory)
        self.committer = Committer(self.database, self.ambient)
        self.transport = Transport(private_hosts=[urlsplit(sandbox.url).hostname or ""])
        self.accounts = {
            connection(version): self._account(connection(version), sandbox, secrets[version], version)
            for version in VERSIONS
        }

        parts = wired(
            environment="test",
            name="worker_test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            current=lambda: bundle,
        )
        self.worker, self.intake = parts.worker, parts.intake

    def _account(self, name: str, sandbox: Running, secret: str, version: str) -> Account:
        settings = CONNECTOR.settings.model_validate(
            {
                "base_url": sandbox.url,
                "api_key": sandbox.announcement["api_key"],
                "webhook_secret": secret,
                "api_version": version,
                **self._settings,
            }
        )
        return Account(
            name=name,
            connector=CONNECTOR,
            settings=settings,
            limiter=Limiter(CONNECTOR.limits, self.ambient),
            transport=self.transport,
            ambient=self.ambient,
        )

    async def deliver(self, version: str, signature: str, body: bytes) -> None:
        """Bring a webhook to the door of a connection."""
        await self.intake.webhook(connection(version), {"stripe-signature": signature}, body)

    async def settled(self, *, seconds: float = 20.0) -> dict[str, int]:
        """Wait until every run has ended; gives the number of runs by state."""
        async with asyncio.timeout(seconds):
            while True:
                with self.database.reading() as reading:
                    by_flow = runs.counts(reading, environment="test")
                counted = next(iter(by_flow.values()), {})
                if not any(counted.get(state) for state in ("queued", "running", "waiting")):
                    return counted
                await asyncio.sleep(0.01)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Give the rows of a table of the store, oldest first."""
        with self.database.reading() as reading:
            found = metadata.tables[table]
            return [dict(row) for row in reading.execute(select(found).order_by(found.c.id)).mappings()]

    def outputs(self) -> dict[str, list[dict[str, Any]]]:
        """Give what the steps of the runs gave, by connection; each run is a mapping of steps to outputs."""
        found: dict[str, list[dict[str, Any]]] = {}
        with self.database.reading() as reading:
            rows = reading.exec_driver_sql(
                "select r.id, e.connection from runs r join events e on e.id = r.event_id order by r.id"
            ).all()
            for run_id, name in rows:
                steps = history.of_run(reading, run_id)["steps"]
                found.setdefault(name, []).append(
                    {step["path"]: loads(step["output"]) for step in steps if step["output"] is not None}
                )
        return found


@asynccontextmanager
async def small_hub(
    directory: Path, sandbox: Running, inbox: Inbox, *, bundle: Bundle | None = None, **settings: Any
) -> AsyncIterator[SmallHub]:
    """Register an endpoint for each version, and run a hub that knows their secrets."""
    secrets = {}
    for version in VERSIONS:
        wish = {"url": f"{inbox.url}?{version}", "enabled_events": ["invoice.finalized"], "api_version": version}
        made = await sandbox.world.books.seed({"endpoints": [wish]})
        secrets[version] = made["made"]["endpoints"][0]["secret"]
    hub = SmallHub(directory, sandbox, secrets, bundle or workspace(), **settings)
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


async def bring(hub: SmallHub, inbox: Inbox, *versions: str) -> None:
    """Bring the webhooks that came in to the connections of these versions, by default of all."""
    for version, body, signature in zip(inbox.asked, inbox.bodies, inbox.signatures, strict=True):
        if version in (versions or VERSIONS):
            await hub.deliver(version, signature, body)
