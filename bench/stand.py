"""A hub in one process for measurements: real store, intake, worker and transport, without API and console."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from bench.things import connector
from hub.connections.accounts import Account
from hub.connections.bounds import Bound, of_vendor
from hub.connections.budgets import Budgets
from hub.engine.worker import Worker
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.model.event import InboundEvent, Via
from hub.runtime.clock import SystemClock
from hub.runtime.wiring import budgets_of, wired
from hub.sdk.connector import Limits
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import crossrefs
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.tables import runs
from hub.workspace.bundle import Bundle

ENVIRONMENT = "bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """The parts of a measured hub; its worker does not run yet."""

    database: Database
    committer: Committer
    intake: Intake
    worker: Worker
    budgets: Budgets

    async def accept(self, events: Sequence[InboundEvent]) -> None:
        """Make events durable with their runs."""
        await self.intake.accept("target", events, Via.API)

    def counts(self, *, finished: bool = True) -> dict[str, int]:
        """Count the runs by state; without those that have finished the count costs nothing on much data."""
        wanted = () if finished else (runs.c.state.in_(["queued", "running", "waiting", "parked"]),)
        with self.database.reading() as connection:
            found = connection.execute(select(runs.c.state, func.count()).where(*wanted).group_by(runs.c.state))
            return dict(found.tuples().all())

    async def work(self, count: int) -> float:
        """Work until `count` runs more have succeeded; gives the seconds."""
        wanted = self.counts().get("succeeded", 0) + count
        self.committer.on_wake = self.worker.wake
        started = time.perf_counter()
        task = asyncio.create_task(self.worker.run())
        while True:
            await asyncio.sleep(0.01)
            if self.worker.in_flight == 0:
                counted = self.counts(finished=False)
                if not counted:
                    break
                if "parked" in counted:
                    raise SystemExit(f"flows did not succeed: {counted}")
        seconds = time.perf_counter() - started
        if (came := self.counts().get("succeeded", 0)) != wanted:
            raise SystemExit(f"{came} flows succeeded of {wanted}")
        self.worker.stop()
        await task
        return seconds


@asynccontextmanager
async def stand(
    base_url: str, bundle: Bundle, folder: Path | None = None, *, limits: Mapping[str, Limits] | None = None
) -> AsyncIterator[Stand]:
    """Build a hub in a folder (a new one when not named) with a connection to the target, and take it down.

    `limits` names further connections, each with a budget of its own; they reach the target below their name.
    """
    with tempfile.TemporaryDirectory(prefix="concord-bench-") as own:
        ambient = Ambient(clock=SystemClock(), random=random.Random())
        database = Database(folder or Path(own))
        committer = Committer(database, ambient)
        transport = Transport(private_hosts=["127.0.0.1"])
        budgets = budgets_of(ENVIRONMENT, ambient, committer, database=database)
        accounts = {
            name: Account(
                name=name,
                connector=connector,
                settings=Settings(base_url=base_url if name == "target" else f"{base_url}/{name}"),
                limiter=budgets.limiter(name, name, _fixed(allowed)),
                transport=transport,
                ambient=ambient,
            )
            for name, allowed in {"target": connector.limits, **(limits or {})}.items()
        }

        hub = wired(
            environment=ENVIRONMENT,
            name="worker_bench",
            ambient=ambient,
            database=database,
            committer=committer,
            accounts=accounts,
            current=lambda: bundle,
        )
        committer.start()
        for number in range(50):
            link = crossrefs.Link(
                environment=ENVIRONMENT,
                entity="customer",
                ids={"crm": f"cus_{number}", "erp": str(number)},
                thing=f"thing_{number}",
                actor="local",
            )
            await committer.commit(Work(lambda tx, link=link: crossrefs.put(tx, link)))  # type: ignore[misc]
        yield Stand(database=database, committer=committer, intake=hub.intake, worker=hub.worker, budgets=budgets)
        budgets.close()
        await committer.stop()
        await budgets.stop()
        await transport.close()
        database.close()


def _fixed(limits: Limits) -> Callable[[datetime], list[Bound]]:
    known = [of_vendor(limits)]
    return lambda _now: known
