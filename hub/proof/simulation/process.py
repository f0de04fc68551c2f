"""One life of a simulated hub process: all parts as they ship, over the database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from hub.connections.accounts import Account
from hub.connections.budgets import Budgets, remembered
from hub.errors import Fatal, HubError, NotFound, WebhookRejected
from hub.model.ambient import Ambient
from hub.model.approval import Verdict
from hub.proof.simulation.clock import VirtualClock
from hub.proof.simulation.committing import AtCommit, InlineCommitter
from hub.proof.simulation.loop import Life, VirtualLoop
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.story import Story
from hub.runtime.composition import Composition
from hub.runtime.incoming import Incoming
from hub.runtime.wiring import budgets_of, wired
from hub.sdk.transport import Transport
from hub.store import approvals, connections, marks, runs
from hub.store.committer import Work
from hub.workspace.bundle import Bundle

#: Seconds between two readings of the vendors' streams.
READS_EVERY = 240.0
#: A worker that nobody wakes looks again only after so many seconds: a look must not hide that a wake-up was lost.
LOOKS_EVERY = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """Where a simulated process works: its environment, its workspace, its accounts, and its way out.

    `wire` makes the transport of one life, which it may end; `accounts` makes the accounts that use it.
    """

    environment: str
    bundle: Bundle
    accounts: Callable[[Ambient, Transport, Budgets], dict[str, Account]]
    wire: Callable[[Life, Callable[[], None]], Transport]


class Process:
    """One process from its start to its death; what it made durable is all that is left of it."""

    def __init__(
        self,
        name: str,
        *,
        loop: VirtualLoop,
        clock: VirtualClock,
        database: MemoryDatabase,
        premises: Premises,
        story: Story,
        chance: Random,
        reads_every: Callable[[], float],
        befalls: Callable[[], AtCommit],
        struck: Callable[[AtCommit], None],
        died: Callable[[Process], None],
        sleeps: Callable[[Process], None],
        recovered: Callable[[], None],
        composition: Composition,
    ) -> None:
        """Wire everything as the composition root does; nothing runs yet."""
        self.life = Life(name)
        self._loop = loop
        self._environment = premises.environment
        self._reads_every = reads_every
        self._story = story
        self._died = died
        self._recovered = recovered
        self._database = database
        ambient = Ambient(clock=clock, random=Random(chance.getrandbits(64)))
        self.committer = InlineCommitter(
            database,
            ambient,
            chance=chance,
            befalls=befalls,
            struck=struck,
            killed=self.kill,
            sleeps=lambda: sleeps(self),
            chain=name,
        )
        self.budgets = budgets_of(premises.environment, ambient, self.committer)
        self.budgets.remember(remembered(database, environment=premises.environment))
        self.accounts = premises.accounts(ambient, premises.wire(self.life, self.kill), self.budgets)
        _pause(self.accounts, database, premises.environment)
        self.bundle = premises.bundle

        with database.reading() as reading:
            restored = marks.restored(reading)
        parts = wired(
            environment=premises.environment,
            name=name,
            ambient=ambient,
            database=database,
            committer=self.committer,
            accounts=self.accounts,
            current=lambda: self.bundle,
            restored=restored,
            intake=composition.intake,
            worker=composition.worker,
        )
        self.worker, self.intake = parts.worker, parts.intake
        self.worker.poll_seconds = LOOKS_EVERY
        self.incoming = Incoming(
            environment=premises.environment,
            ambient=ambient,
            database=database,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
            intake=self.intake,
            poll_seconds=READS_EVERY,
        )
        self.orders, self.run_orders = parts.orders, parts.run_orders
        self.effect_orders, self.hold_orders = parts.effect_orders, parts.hold_orders
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

    async def vote(self, approval_id: str, actor: str, verdict: Verdict) -> None:
        """Count a person's vote; their password was asked for at the door."""
        await self.committer.commit(
            Work(
                lambda tx: approvals.vote(
                    tx, approval_id, environment=self._environment, actor=actor, verdict=verdict, reason="ordered"
                )
            )
        )

    async def _work(self) -> None:
        self.committer.start()
        try:
            taken = await self.committer.commit(
                Work(lambda tx: runs.recover(tx, environment=self._environment, actor=self.life.name))
            )
        except HubError as error:
            # A process that cannot even begin ends, and is started again.
            self._story.tell(self.life.name, f"cannot begin: {error.code}")
            self.kill()
            return
        self._recovered()
        if taken:
            self._story.tell(self.life.name, f"takes up {taken} runs that an earlier process left")
        self.budgets.start()
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
            await asyncio.sleep(self._reads_every())

    def _durability_gone(self, _error: BaseException) -> None:
        """Stop a little later, as a process does that was told: what is under way may still come out."""
        self._loop.call_later(0.05, self.kill)


def _pause(accounts: Mapping[str, Account], database: MemoryDatabase, environment: str) -> None:
    """Let connections rest that were paused before the process began."""
    with database.reading() as reading:
        states = connections.states(reading, environment=environment)
    for name, account in accounts.items():
        state = states.get(name)
        if state is not None and state["state"] == connections.PAUSED:
            account.paused = state["reason"]
