"""A hub in one process for a trial: real store, door, engine and client beside a real sandbox, on a leaping clock."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.connections.accounts import Account
from hub.connections.bounds import of_vendor
from hub.connections.budgets import Budgets
from hub.engine.worker import Worker
from hub.intake.door import Intake
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.proof.certification.clock import LeapingClock
from hub.proof.certification.flows import CONNECTION
from hub.proof.certification.vendors import vendor_of
from hub.runtime.wiring import budgets_of, wired
from hub.sandbox.server import Options, Running, running
from hub.sdk.connector import Connector
from hub.sdk.settings import Settings
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.samples import Samples
from hub.sdk.transport import Transport
from hub.store import connections
from hub.store.committer import Committer, Work, Write
from hub.store.database import Database
from hub.workspace.bundle import Bundle

ENVIRONMENT = "certification"
#: How long one attempt may take in real seconds, and where nobody will answer.
PATIENCE, SHORT_PATIENCE = 10.0, 0.4
#: A trial that has not come to its end after so many real seconds, or leaps, is stuck.
LONGEST_SECONDS, MOST_LEAPS = 30.0, 20_000
#: The clock leaps once it was seen so often, a millisecond apart, that nothing goes on; over a long time only when that
#: is beyond doubt.
_LOOKS, _FAR, _MANY_LOOKS = 2, 900.0, 60


class Stuck(Exception):
    """A trial does not come to its end."""


class _Line(Transport):
    """Counts the requests that are under way."""

    def __init__(self, hosts: list[str]) -> None:
        super().__init__(private_hosts=hosts)
        self.under_way = 0

    def rely_on(self, ca_file: str | None) -> None:
        """Trust one more authority, from the first connection on."""
        self._ca_file = ca_file

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        self.under_way += 1
        try:
            return await super().send(request, headers, timeout)
        finally:
            self.under_way -= 1


class _Ledger(Committer):
    """Counts what is being made durable."""

    def __init__(self, database: Database, ambient: Ambient) -> None:
        super().__init__(database, ambient)
        self.under_way = 0
        self._stood: asyncio.Future[Any] | None = None

    def submit(self, write: Write) -> asyncio.Future[Any]:
        future = super().submit(write)
        self._count(future)
        return future

    def stand(self, write: Write) -> asyncio.Future[Any]:
        self._stood = super().stand(write)
        return self._stood

    def call(self) -> None:
        super().call()
        if self._stood is not None and not self._stood.done():
            self._count(self._stood)
        self._stood = None

    def _count(self, future: asyncio.Future[Any]) -> None:
        self.under_way += 1
        future.add_done_callback(self._over_with)

    def _over_with(self, _future: asyncio.Future[Any]) -> None:
        self.under_way -= 1


class _Hand(Worker):
    """Looks only when something is due: the clock leaps to that."""

    poll_seconds = 86_400.0


@dataclass(slots=True, kw_only=True)
class Stand:
    """One hub and one sandbox; `account` is the connection under trial."""

    connector: Connector
    sandbox: Running
    ambient: Ambient
    clock: LeapingClock
    database: Database
    committer: _Ledger
    transport: _Line
    budgets: Budgets
    accounts: dict[str, Account]
    intake: Intake
    worker: Worker
    bundle: Callable[[], Bundle]

    @property
    def account(self) -> Account:
        """Give the connection under trial."""
        return self.accounts[CONNECTION]

    def books(self) -> Mapping[str, Any]:
        """Give what the sandbox has accepted."""
        return self.sandbox.world.books.snapshot()

    @property
    def beside(self) -> Settings:
        """Give the settings of who prepares a trial or looks beside it: that no answer comes soon is no fault there."""
        return self.account.settings.model_copy(update={"timeout": PATIENCE})

    def connect(self, **changed: Any) -> None:
        """Connect anew with other settings, as after somebody has mended them."""
        old = self.account
        settings = self.connector.settings.model_validate({**old.settings.model_dump(), **_plain(old), **changed})
        self.accounts[CONNECTION] = Account(
            name=CONNECTION,
            connector=self.connector,
            settings=settings,
            limiter=old.limiter,
            transport=self.transport,
            ambient=self.ambient,
            paused=old.paused,
        )

    async def resume(self) -> None:
        """Let the connection and what waits for it go on, as a person orders once it is mended."""
        self.account.paused = None
        await self.committer.commit(
            Work(
                lambda transaction: connections.set_state(
                    transaction,
                    environment=ENVIRONMENT,
                    name=CONNECTION,
                    state=connections.ACTIVE,
                    reason="mended",
                    actor="local",
                )
            )
        )

    async def until(self, ended: Callable[[], bool]) -> None:
        """Let time pass until that is so; raises `Stuck` when it does not come about."""
        loop = asyncio.get_running_loop()
        ends, quiet, leaps = loop.time() + LONGEST_SECONDS, 0, 0
        while not (self._is_quiet() and ended()):
            if loop.time() > ends or leaps > MOST_LEAPS:
                raise Stuck
            quiet = quiet + 1 if self._is_quiet() else 0
            ahead = self._until_next()
            if ahead is not None and quiet > (_LOOKS if ahead < _FAR else _MANY_LOOKS):
                leaps, quiet = leaps + 1, 0
                # A little more, so that whoever wakes finds its time has come.
                self.clock.leap(ahead + 0.001)
            await asyncio.sleep(0.001)

    async def pass_by(self, seconds: float) -> None:
        """Let that much time pass, and what was late at the vendor come about."""
        self.clock.leap(seconds)
        while self.sandbox.world.late or not self._is_quiet():
            await asyncio.sleep(0.002)

    def _until_next(self) -> float | None:
        """Give how far the clock may leap: to who wakes next, or to what is late at the vendor and goes first."""
        late = min(self.sandbox.world.late, default=None)
        ahead = self.clock.until_next()
        if late is None or ahead is None:
            return ahead
        return min(ahead, max(late - self.sandbox.world.clock.monotonic(), 0.0))

    def _is_quiet(self) -> bool:
        now = self.sandbox.world.clock.monotonic()
        overdue = any(due <= now for due in self.sandbox.world.late)
        return not (overdue or self.transport.under_way or self.committer.under_way)


def _plain(account: Account) -> dict[str, Any]:
    """Give the secrets among an account's settings in the open, to make settings anew."""
    values = {name: getattr(account.settings, name) for name in type(account.settings).model_fields}
    return {
        name: value.get_secret_value() if hasattr(value, "get_secret_value") else value
        for name, value in values.items()
    }


@cache
def _template() -> Path:
    """Make an empty database once; each trial begins with a copy, because making one takes longest."""
    folder = Path(tempfile.mkdtemp(prefix="concord-certify-"))
    Database(folder).close()
    return folder


@asynccontextmanager
async def stand(
    connector: Connector, samples: Samples, bundle: Bundle, *, patience: float = PATIENCE, skew: float = 0.0
) -> AsyncIterator[Stand]:
    """Serve the seeded sandbox, build a hub beside it whose connection leads there, and take both down."""
    with tempfile.TemporaryDirectory(prefix="concord-certify-") as folder:
        async with running(vendor_of(connector, samples), Options(seed=1)) as sandbox:
            await sandbox.world.books.seed(samples.seed)
            hub = _build(connector, samples, bundle, sandbox, Path(folder), patience, skew)
            hub.committer.on_wake = hub.worker.wake
            hub.committer.start()
            working = asyncio.create_task(hub.worker.run())
            try:
                yield hub
            finally:
                hub.worker.stop()
                hub.worker.hurry()
                await working
                hub.budgets.close()
                await hub.committer.stop()
                await hub.transport.close()
                hub.database.close()


def _build(
    connector: Connector,
    samples: Samples,
    bundle: Bundle,
    sandbox: Running,
    folder: Path,
    patience: float,
    skew: float,
) -> Stand:
    shutil.copytree(_template(), folder, dirs_exist_ok=True)
    clock = LeapingClock(ahead=skew, told=sandbox.world.clock.advance)
    ambient = Ambient(clock=clock, random=random.Random(1))
    database = Database(folder)
    committer = _Ledger(database, ambient)
    transport = _Line([urlsplit(sandbox.url).hostname or "", "localhost"])
    budgets = budgets_of(ENVIRONMENT, ambient, committer)
    given = {**live_settings(connector, samples, sandbox.announcement), "timeout": patience}
    account = Account(
        name=CONNECTION,
        connector=connector,
        settings=connector.settings.model_validate(given),
        limiter=budgets.limiter(CONNECTION, CONNECTION, lambda _now: [of_vendor(connector.limits)]),
        transport=transport,
        ambient=ambient,
    )
    accounts = {CONNECTION: account}

    hub = wired(
        environment=ENVIRONMENT,
        name="worker_certification",
        ambient=ambient,
        database=database,
        committer=committer,
        accounts=accounts,
        current=lambda: bundle,
        worker=_Hand,
    )
    return Stand(
        connector=connector,
        sandbox=sandbox,
        ambient=ambient,
        clock=clock,
        database=database,
        committer=committer,
        transport=transport,
        budgets=budgets,
        accounts=accounts,
        intake=hub.intake,
        worker=hub.worker,
        bundle=lambda: bundle,
    )
