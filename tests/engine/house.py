"""A hub in miniature for tests: real store, intake and worker over the vendor in memory, and a fast clock."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

from sqlalchemy import func, select

from hub.connections.accounts import Account
from hub.connections.bounds import of_vendor
from hub.connections.budgets import Budgets, StoredBudgets, remembered
from hub.connections.hands import SHARE
from hub.engine.parts import Parts
from hub.engine.worker import Worker
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.model.event import InboundEvent, Via
from hub.operate.effects import EffectOrders
from hub.operate.holds import HoldOrders
from hub.operate.orders import Orders
from hub.operate.runs import RunOrders
from hub.runtime.settings import IN_HAND
from hub.sdk.connector import Connector, Limits
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.store import runs, tables
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.marks import Restored
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.engine.vendor import BASE, Vendor, connector

#: A test's second lasts this many of the clock's.
SPEED = 50.0


class FastClock:
    """Real time, faster."""

    def __init__(self) -> None:
        """Begin at a round moment."""
        self._began = time.monotonic()
        self._zero = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """Give the moment."""
        return self._zero + timedelta(seconds=(time.monotonic() - self._began) * SPEED)

    def leap(self, time: timedelta) -> None:
        """Let time pass at once."""
        self._zero += time

    async def sleep(self, seconds: float) -> None:
        """Wait a fiftieth of that."""
        await asyncio.sleep(seconds / SPEED)


def loop(steps: str, *, step: str = "", **settings: object) -> str:
    """Write a loop over the lines of an event; `step` is what its step says besides, `settings` what the loop says."""
    said = {"each": "data.lines", "as": "line", "by": "line.id", **settings}
    lines = [step] if step else []
    lines += ["foreach:", *(f"  {name}: {value}" for name, value in said.items()), "  steps:", indent(steps, "    ")]
    return "\n  - id: lines\n" + indent("\n".join(lines), "    ")


def bundle(flow: str, **files: str) -> Bundle:
    """Compile a workspace with one flow and the vendor's connection; the same is compiled once."""
    return _bundle(flow, tuple(files.items()))


@cache
def _bundle(flow: str, files: tuple[tuple[str, str], ...]) -> Bundle:
    return bundle_for(connector, flow, **dict(files))


def bundle_for(connector: Connector, flow: str, **files: str) -> Bundle:
    """Compile a workspace with one flow and a connection of another vendor's."""
    content = {
        "flows/tested.yaml": flow,
        "connections/vendor.yaml": "connection: vendor\nconnector: vendor\n",
        "policies/patient.yaml": (
            "policy: patient\nkind: retry\nattempts: 60\nfirst: 0.02\nfactor: 1.5\nceiling: 0.5\njitter: 0.5\n"
        ),
        **{name.replace("__", "/"): text for name, text in files.items()},
    }
    compiled, lints = compile_bundle({path: text.encode() for path, text in content.items()}, catalogue_of([connector]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


class House:
    """One life of a process over a data directory; `crash` ends it as kill -9 would, `stop` in order."""

    def __init__(
        self,
        directory: Path,
        vendor: Vendor | Transport,
        bundle: Bundle,
        *,
        connector: Connector = connector,
        settings: Settings | None = None,
        seed: int = 1,
        clock: FastClock | None = None,
        committer: Callable[[Database, Ambient], Committer] = Committer,
        worker: type[Worker] = Worker,
        limits: Limits | None = None,
        share: int = SHARE,
        restored: Restored | None = None,
    ) -> None:
        """Open the directory; `limits` stand in the place of the connector's, `share` is that of a worker's hands."""
        self.ambient = Ambient(clock=clock or FastClock(), random=random.Random(seed))
        self.database = Database(directory)
        self.committer = committer(self.database, self.ambient)
        self.vendor = vendor
        self.budgets = Budgets(
            environment="test",
            ambient=self.ambient,
            store=StoredBudgets(environment="test", committer=self.committer),
            share=share,
        )
        self.accounts: dict[str, Account] = {}
        self.connect("vendor", vendor, connector, settings=settings, limits=limits)
        self.bundle = bundle

        async def shelf(_bundle_id: str) -> Bundle:
            return bundle

        self.parts = Parts(
            environment="test",
            worker="worker_test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=shelf,
            current=lambda: self.bundle,
            capacity=IN_HAND,
            restored=restored,
        )
        self.worker = worker(self.parts)
        self.intake = Intake(
            environment="test",
            ambient=self.ambient,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: bundle,
        )
        self.orders = Orders(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
        )
        self.run_orders = RunOrders(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            current=lambda: self.bundle,
            bundle=shelf,
        )
        self.hold_orders = HoldOrders(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            orders=self.orders,
            bundle=lambda: self.bundle,
        )
        self.effect_orders = EffectOrders(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
        )
        self._task: asyncio.Task[None] | None = None

    def connect(
        self,
        name: str,
        vendor: Vendor | Transport,
        connector: Connector = connector,
        *,
        settings: Settings | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Add a connection with a budget of its own."""
        bound = of_vendor(limits or connector.limits)
        self.accounts[name] = Account(
            name=name,
            connector=connector,
            settings=settings or Settings(base_url=BASE),
            limiter=self.budgets.limiter(name, name, lambda _now: [bound]),
            transport=vendor,  # type: ignore[arg-type]
            ambient=self.ambient,
        )

    async def start(self) -> None:
        """Recover and begin to work."""
        self.committer.on_wake = self.worker.wake
        self.committer.start()
        self.budgets.remember(remembered(self.database, environment="test"))
        await self.committer.commit(Work(lambda tx: runs.recover(tx, environment="test", actor="worker_test")))
        self._task = asyncio.create_task(self.worker.run())
        self.budgets.start()

    async def stop(self) -> None:
        """End in order."""
        self.worker.stop()
        if self._task is not None:
            await self._task
        self.budgets.close()
        await self.committer.stop()
        self.database.close()

    async def crash(self) -> None:
        """End as a killed process would: nothing more is recorded, and nobody is told."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if self._task is not None:
            left.add(self._task)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.committer.stop()
        self.database.close()

    async def give(self, *events: Mapping[str, Any], schema: str | None = None) -> None:
        """Let events arrive, one after the other; each has `id` and whatever the flow reads."""
        for event in events:
            await self.intake.accept("vendor", [_event(event, schema)], Via.API)

    async def pay(self, *subjects: str, name: str = "paid") -> None:
        """Let the events `vendor.thing.paid` about these subjects come, all in one delivery; `name` is in their ids."""
        now = self.ambient.now()
        events = [
            InboundEvent(
                external_id=f"{name}_{subject}",
                subject=subject,
                data={"id": subject},
                type="vendor.thing.paid",
                occurred_at=now,
                schema=None,
            )
            for subject in subjects
        ]
        await self.intake.accept("vendor", events, Via.API)

    async def settled(
        self, *, seconds: float = 60.0, waiting: Sequence[str] = (), behind: bool = False
    ) -> dict[str, int]:
        """Wait until nothing moves by itself any more; gives the number of runs by state.

        Runs that wait for `waiting` are at rest, and so (`behind`) are those that queue behind them.
        """
        seen = None
        async with asyncio.timeout(seconds):
            while True:
                # Counting costs more than what is waited for, and only a commit changes what is counted.
                version = self.database.looking.exec_driver_sql(_VERSIONS[self.database.dialect]).scalar()
                if version != seen:
                    seen = version
                    counted, moving = self._counted((*waiting, "order") if behind else waiting)
                if moving == 0 and self.worker.in_flight == 0:
                    return counted
                await asyncio.sleep(0.005)

    def _counted(self, resting: Sequence[str]) -> tuple[dict[str, int], int]:
        with self.database.reading() as connection:
            counted = runs.counts(connection, environment="test").get("tested", {})
            kinds = runs.waiting_kinds(connection, environment="test")
            queue = select(func.count()).where(tables.runs.c.wait_kind == "order")
            kinds["order"] = connection.execute(queue).scalar() or 0
        moving = sum(counted.get(state, 0) for state in ("queued", "running", "waiting", "compensating"))
        return counted, moving - sum(kinds.get(kind, 0) for kind in resting)


#: What is another one after each commit.
_VERSIONS = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT pg_current_snapshot()::text"}


def _event(event: Mapping[str, Any], schema: str | None) -> InboundEvent:
    return InboundEvent(
        external_id=str(event["id"]),
        type="vendor.thing.made",
        occurred_at=datetime.fromisoformat(event.get("at", "2026-01-01T00:00:00+00:00")),
        data=event,
        schema=schema,
    )
