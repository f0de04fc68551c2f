"""One life of a simulated hub process: all parts as they ship, over the database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from random import Random

from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.engine.parts import Parts
from hub.errors import Fatal, HubError, NotFound, WebhookRejected
from hub.model.ambient import Ambient
from hub.operate.effects import EffectOrders
from hub.operate.holds import HoldOrders
from hub.operate.orders import Orders
from hub.operate.runs import RunOrders
from hub.proof.simulation import company
from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.committing import AtCommit, InlineCommitter
from hub.proof.simulation.connector import CONNECTOR
from hub.proof.simulation.loop import Life, VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.story import Story
from hub.proof.simulation.vendor import Vendor
from hub.proof.simulation.wire import Sky, Wire
from hub.runtime.composition import Composition
from hub.runtime.incoming import Incoming
from hub.sdk.settings import Settings
from hub.store import connections, runs
from hub.store.committer import Work
from hub.workspace.bundle import Bundle

#: Seconds between two readings of the vendors' streams.
READS_EVERY = 240.0
#: A worker that nobody wakes looks again only after so many seconds: a look must not hide that a wake-up was lost.
LOOKS_EVERY = 86_400.0


class Process:
    """One process from its start to its death; what it made durable is all that is left of it."""

    def __init__(
        self,
        name: str,
        *,
        loop: VirtualLoop,
        clock: VirtualClock,
        database: MemoryDatabase,
        vendors: Mapping[str, Vendor],
        sky: Sky,
        story: Story,
        chance: Random,
        befalls: Callable[[], AtCommit],
        struck: Callable[[AtCommit], None],
        died: Callable[[Process], None],
        composition: Composition,
    ) -> None:
        """Wire everything as the composition root does; nothing runs yet."""
        self.life = Life(name)
        self._loop = loop
        self._sky = sky
        self._story = story
        self._died = died
        self._database = database
        ambient = Ambient(clock=clock, random=Random(chance.getrandbits(64)))
        self.committer = InlineCommitter(
            database,
            ambient,
            chance=chance,
            befalls=befalls,
            struck=struck,
            killed=self.kill,
            chain=name,
        )
        wire = Wire(
            {vendor.host: vendor for vendor in vendors.values()},
            sky,
            loop=loop,
            life=self.life,
            now=clock.now,
            kill=self.kill,
            chance=chance,
            story=story,
        )
        self.accounts = _accounts(vendors, ambient, wire, database)
        self.bundle = company.compiled()

        async def shelf(_bundle_id: str) -> Bundle:
            return self.bundle

        self.worker = composition.worker(
            Parts(
                environment=company.ENVIRONMENT,
                worker=name,
                ambient=ambient,
                database=database,
                committer=self.committer,
                accounts=self.accounts,
                bundle=shelf,
                current=lambda: self.bundle,
            )
        )
        self.worker.poll_seconds = LOOKS_EVERY
        self.intake = composition.intake(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
        )
        self.incoming = Incoming(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            database=database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
            intake=self.intake,
            poll_seconds=READS_EVERY,
        )
        self.orders = Orders(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            database=database,
            committer=self.committer,
            accounts=self.accounts,
        )
        self.run_orders = RunOrders(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            database=database,
            committer=self.committer,
            current=lambda: self.bundle,
            bundle=shelf,
        )
        self.effect_orders = EffectOrders(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            database=database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
        )
        self.hold_orders = HoldOrders(
            environment=company.ENVIRONMENT,
            ambient=ambient,
            database=database,
            committer=self.committer,
            orders=self.orders,
            bundle=lambda: self.bundle,
        )
        self.committer.on_wake = self.worker.wake
        self.committer.on_death = self._durability_gone
        #: Done once the process takes work.
        self.ready: asyncio.Future[None] = loop.create_future()

    def start(self) -> None:
        """Begin to live: recover what an earlier process left, and work."""
        self._story.tell(self.life.name, "starts")
        self._loop.live(self.life, self._work())

    def kill(self) -> None:
        """End at once, as `kill -9` would."""
        if not self.life.ended:
            self._loop.kill(self.life)
            self._story.tell(self.life.name, "is dead")
            self._died(self)

    async def door(self, name: str, headers: Mapping[str, str], body: bytes) -> int:
        """Take a webhook, and give the status that the real door answers."""
        try:
            await self.intake.webhook(name, headers, body)
        except NotFound:
            return 404
        except WebhookRejected:
            return 401
        except HubError:
            return 503
        return 202

    async def _work(self) -> None:
        self.committer.start()
        try:
            taken = await self.committer.commit(
                Work(lambda tx: runs.recover(tx, environment=company.ENVIRONMENT, actor=self.life.name))
            )
        except HubError as error:
            # A process that cannot even begin ends, and is started again.
            self._story.tell(self.life.name, f"cannot begin: {error.code}")
            self.kill()
            return
        if taken:
            self._story.tell(self.life.name, f"takes up {taken} runs that an earlier process left")
        self.ready.set_result(None)
        reading = asyncio.create_task(self._read_streams())
        try:
            await self.worker.run()
        except Fatal:
            self._durability_gone(Fatal())
        reading.cancel()

    async def _read_streams(self) -> None:
        while True:
            await self.incoming.polls.read_all()
            await asyncio.sleep(LOOKS_EVERY if self._sky.is_clear else READS_EVERY)

    def _durability_gone(self, _error: BaseException) -> None:
        """Stop a little later, as a process does that was told: what is under way may still come out."""
        self._loop.call_later(0.05, self.kill)


def _accounts(
    vendors: Mapping[str, Vendor], ambient: Ambient, wire: Wire, database: MemoryDatabase
) -> dict[str, Account]:
    with database.reading() as reading:
        states = connections.states(reading, environment=company.ENVIRONMENT)
    accounts = {}
    for name, vendor in vendors.items():
        state = states.get(name)
        accounts[name] = Account(
            name=name,
            connector=CONNECTOR,
            settings=Settings(base_url=f"https://{vendor.host}", timeout=company.TIMEOUT),
            limiter=Limiter(CONNECTOR.limits, ambient),
            transport=wire,
            ambient=ambient,
            paused=state["reason"] if state is not None and state["state"] == connections.PAUSED else None,
        )
    return accounts
