"""Servers of NATS that can be killed and wiped, and hubs in miniature that keep a feed over them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hub.backbone.backbone import Backbone, Told
from hub.backbone.following import Follower, Wish
from hub.backbone.line import Line, connected
from hub.backbone.settings import NatsSettings, nats_settings
from hub.proof.processes import Child, Processes
from hub.proof.servers.nats import Node, cluster
from hub.runtime import feeding
from hub.runtime.clock import SystemClock, system_ambient
from hub.store import marks, outbox
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.outbox import Fact

#: Nothing here takes long; what does not come by then never will.
PATIENCE = 40.0


class Servers:
    """One server or a cluster, each of which can be started, killed and wiped."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        """Choose ports; nothing runs yet."""
        self.nodes: list[Node] = cluster(folder / "nats", count)
        self.processes = Processes(folder / "logs")
        self.children: dict[str, Child] = {}

    def settings(self, **environ: str) -> NatsSettings:
        """Give the settings of a hub that uses them."""
        found = nats_settings(self.environ(**environ))
        assert found is not None
        return found

    def environ(self, **environ: str) -> dict[str, str]:
        """Give the environment variables of a hub that uses them."""
        return {"CONCORD_NATS": ",".join(node.url for node in self.nodes), **environ}

    def start(self, *names: str) -> None:
        """Start all servers, or those that are named."""
        chosen = [node for node in self.nodes if not names or node.name in names]
        launched = [(node.name, self.processes.launch(node.name, node.command())) for node in chosen]
        for name, process in launched:
            self.children[name] = self.processes.wait(name, process)

    def kill(self, name: str) -> None:
        """End a server as a power cut would."""
        child = self.children.pop(name)
        os.kill(child.hello["pid"], signal.SIGKILL)
        child.process.wait(20)


class Teller:
    """The data of a hub and one process or several that publish its feed; facts are told by number."""

    def __init__(self, folder: Path, environment: str) -> None:
        """Open the data."""
        self.environment = environment
        self.database = Database(folder)
        self.ambient = system_ambient(1)
        self.committer = Committer(self.database, self.ambient)
        self.committer.tells = True
        self.backbones: list[Backbone] = []

    async def open(self) -> None:
        """Begin to commit."""
        self.committer.start()
        await self.committer.commit(Work(lambda transaction: marks.hub_id(transaction, "hub_1")))

    async def close(self) -> None:
        """End everything."""
        for backbone in self.backbones:
            await backbone.stop()
        await self.committer.stop()
        self.database.close()

    def backbone(
        self, settings: NatsSettings, *, name: str = "worker_1", told: Told | None = None, stands_in: bool = False
    ) -> Backbone:
        """Add a process that publishes, and begin."""
        made = feeding.backbone_of(
            settings,
            environment=self.environment,
            database=self.database,
            committer=self.committer,
            ambient=self.ambient,
            name=name,
            stands_in=stands_in,
        )
        assert made is not None
        self.backbones.append(made)
        self.committer.on_told = self._news
        made.start(told or Told())
        return made

    def _news(self) -> None:
        for each in self.backbones:
            each.news()

    async def tell(self, *numbers: int, key: str | None = None) -> None:
        """Have facts made durable, all in one transaction."""
        facts = [
            Fact(
                id=f"fact_{number}",
                environment=self.environment,
                type=f"tried.{'even' if number % 2 == 0 else 'odd'}",
                subject=f"s{number}",
                key=key or f"k{number % 7}",
                data={"number": number},
            )
            for number in numbers
        ]
        await self.committer.commit(Work(lambda transaction: outbox.tell(transaction, facts)))

    async def published(self) -> None:
        """Wait until everything is published."""
        await until(lambda: self.backlog() == 0)

    def backlog(self) -> int:
        """Count what waits."""
        with self.database.reading() as connection:
            return outbox.backlog(connection, self.environment)[0]


async def until(so: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not so():
            await asyncio.sleep(0.01)


async def facts_of(settings: NatsSettings, environment: str, **wish: Any) -> list[int]:
    """Give the numbers of the facts that a feed has, each as often as a deduplicating consumer is given it."""
    follower = Follower(settings, environment, Wish(**{"since": BEGINNING, **wish}))
    return [fact["data"]["number"] async for fact in follower.facts(now=SystemClock().now(), follow=False)]


BEGINNING = SystemClock().now().replace(year=2000)


class Consumer:
    """Follows a feed while other things happen; `numbers` is what it was given."""

    def __init__(self, settings: NatsSettings, environment: str, **wish: Any) -> None:
        """Begin at once."""
        self.numbers: list[int] = []
        self._follower = Follower(settings, environment, Wish(**{"since": BEGINNING, **wish}))
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for fact in self._follower.facts(now=SystemClock().now(), follow=True):
            self.numbers.append(fact["data"]["number"])

    async def has(self, wanted: Sequence[int]) -> None:
        """Wait until it was given all of these, and see that it was given nothing twice."""
        try:
            await until(lambda: self._task.done() or set(self.numbers) >= set(wanted))
        except TimeoutError:
            raise AssertionError(f"missing: {sorted(set(wanted) - set(self.numbers))[:20]}") from None
        if self._task.done():
            self._task.result()
        assert sorted(self.numbers) == sorted(wanted)

    async def stop(self) -> None:
        """End."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def line_to(settings: NatsSettings) -> AsyncIterator[Line]:
    """Give a connection of the test's own, to do to a stream what befalls streams."""
    async with connected(settings, name="test") as line:
        yield line
