"""Two hubs sign in with one refresh token that Salesforce replaces: one does, the others take its session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.salesforce.connector import CONNECTOR
from hub.connections.accounts import Account
from hub.connections.keys import VaultKey
from hub.connections.limiter import Limiter
from hub.connections.redaction import Redactor
from hub.errors import Fatal, FixConnection, HubError
from hub.model.exchange import Request, Response
from hub.runtime.accounts import Vault
from hub.runtime.clock import system_ambient
from hub.runtime.logins import Logins
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport
from hub.store import logins
from hub.store.committer import Committer, Write
from hub.store.control_tables import marks
from hub.store.database import Database
from hub.workspace.compiled_files import ConnectionFile, EnvironmentConnection, EnvironmentFile

NAME = "salesforce"
TOKEN = "/services/oauth2/token"
KEY = VaultKey(material=bytes(range(32)), source="test")


class Way:
    """The way of one process to the data; who is dead records nothing more. A file has one committer for all."""

    def __init__(self, committer: Committer) -> None:
        """Take what commits."""
        self._committer = committer
        self.dead = False

    async def commit(self, write: Write) -> Any:
        """Make something durable."""
        if self.dead:
            raise Fatal
        return await self._committer.commit(write)

    def leave(self, write: Write) -> None:
        """Hand over what nobody waits for."""
        if not self.dead:
            self._committer.leave(write)


class Process:
    """As much of a hub as signs in, over data that others have, too."""

    def __init__(self, world: World, number: int) -> None:
        """Begin as a start does."""
        self.ambient = system_ambient(number)
        self.way = Way(world.committer())
        committer = cast(Committer, self.way)
        self.transport = Transport(private_hosts=["127.0.0.1"])
        redactor = Redactor()
        self.vault = Vault(
            bundle=world.bundle,
            environment=world.environment,
            connectors={NAME: CONNECTOR},
            database=world.database,
            committer=committer,
            key=KEY,
            ambient=self.ambient,
            redactor=redactor,
        )
        self.vault._logins = Logins(
            committer=committer, ambient=self.ambient, key=lambda: KEY, redactor=redactor, lease=world.lease
        )

    def account(self) -> Account:
        """Make the account anew, as after a start or a change."""
        given = {**self.vault.plain_settings(NAME), **self.vault.open(NAME)}
        return Account(
            name=NAME,
            connector=CONNECTOR,
            settings=CONNECTOR.settings.model_validate(given),
            limiter=Limiter(Limits(concurrency=20), self.ambient),
            transport=self.transport,
            ambient=self.ambient,
            keep=self.vault.keeping(NAME),
            alone=self.vault.alone(NAME),
        )


@dataclass(kw_only=True)
class World:
    """An org that replaces refresh tokens, and the data of the hubs."""

    vendor: Running
    database: Database
    bundle: Any
    environment: EnvironmentFile
    lease: float = 90.0
    processes: list[Process] = field(default_factory=list)
    committers: list[Committer] = field(default_factory=list)

    def committer(self) -> Committer:
        """Give a process what commits: its own where the database is one that several can have."""
        if not self.committers or self.database.dialect != "sqlite":
            self.committers.append(Committer(self.database, system_ambient(len(self.committers))))
            self.committers[-1].start()
        return self.committers[-1]

    def process(self) -> Process:
        """Let another process begin."""
        self.processes.append(Process(self, len(self.processes)))
        return self.processes[-1]

    def logged_in(self) -> list[int | None]:
        """Give the statuses of all logins, in order."""
        return [entry.status for entry in self.vendor.world.requests.since(0) if entry.path == TOKEN]

    def standing(self) -> logins.Login:
        """Give how it stands with the login."""
        with self.database.reading() as connection:
            found = logins.find(connection, environment="test", name=NAME)
        assert found is not None
        return found


@asynccontextmanager
async def world(directory: Path, *, lease: float = 90.0) -> AsyncIterator[World]:
    """Serve the org, with a first refresh token in the vault."""
    database = Database(directory)
    async with running(find(NAME)) as vendor:
        await vendor.world.books.seed({"settings": {"rotate_refresh_tokens": True}})
        told = vendor.announcement
        settings = {"base_url": vendor.url, "auth": "refresh_token", "consumer_key": told["consumer_key"]}
        file = ConnectionFile(name=NAME, connector=NAME, title=NAME, owner="team:tests", secret=f"vault:{NAME}")
        here = EnvironmentFile(
            name="test", title="Test", connections={NAME: EnvironmentConnection(settings=settings, secret=None)}
        )
        made = World(
            vendor=vendor,
            database=database,
            bundle=SimpleNamespace(connections={NAME: file}),
            environment=here,
            lease=lease,
        )
        first = {"refresh_token": str(told["refresh_token"]), "consumer_secret": str(told["consumer_secret"])}
        await made.process().vault.store(NAME, first, actor="tests")
        try:
            yield made
        finally:
            for process in made.processes:
                await process.transport.close()
            for committer in made.committers:
                await committer.stop()
            database.close()


async def test_many_calls_of_several_processes_cause_one_login_for_each_session_that_ended(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        accounts = [here.process().account() for _ in range(3)]
        for ended in range(1, 4):
            await asyncio.gather(*(CONNECTOR.ping(account) for account in accounts for _ in range(5)))
            assert here.logged_in() == [200] * ended
            await here.vendor.world.books.seed({"revoke_sessions": True})
        # Accounts that are made anew, because the secret has changed, sign in no more than those before them.
        accounts = [process.account() for process in here.processes]
        await asyncio.gather(*(CONNECTOR.ping(account) for account in accounts for _ in range(5)))
        assert here.logged_in() == [200] * 4
        with here.database.reading() as connection:
            kept = "".join(connection.execute(marks.select().with_only_columns(marks.c.value)).scalars())
        token = await accounts[0]._authorizer.headers(
            Request(method="GET", url=""), unused, here.processes[0].ambient.now()
        )
        assert token["authorization"].removeprefix("Bearer ") not in kept


async def unused(_request: Request) -> Response:
    raise AssertionError("there is a session")


async def test_who_dies_before_the_login_left_costs_the_others_its_lease(tmp_path: Path) -> None:
    async with world(tmp_path, lease=1.0) as here:
        one, two = here.process(), here.process()
        begun = asyncio.Event()

        async def begin() -> None:
            alone = one.vault.alone(NAME)
            assert alone is not None
            async with alone(0) as turn:
                assert turn.stored["refresh_token"]
                begun.set()
                await asyncio.sleep(60)

        dying = asyncio.create_task(begin())
        await begun.wait()
        # Nothing more is heard of it; nobody knows whether the token is alive, and it is.
        one.way.dead = True
        before = asyncio.get_running_loop().time()
        await CONNECTOR.ping(two.account())
        assert asyncio.get_running_loop().time() - before > 0.7
        assert here.logged_in() == [200]
        assert here.standing().number == 1
        assert not here.standing().broken_off
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)


async def test_a_login_whose_answer_was_lost_is_told_of_when_the_token_is_dead(tmp_path: Path) -> None:
    """Salesforce has replaced the token, and nobody knows by which: only a person can authorize the app again."""
    async with world(tmp_path, lease=1.0) as here:
        one, two = here.process(), here.process()
        send, cut = one.transport.send, asyncio.Event()

        async def lost(request: Request, *given: Any, **named: Any) -> Response:
            answer = await send(request, *given, **named)
            if TOKEN in request.url:
                cut.set()
                await asyncio.sleep(60)
            return answer

        one.transport.send = lost  # type: ignore[method-assign]
        dying = asyncio.ensure_future(CONNECTOR.ping(one.account()))
        await cut.wait()
        one.way.dead = True
        with pytest.raises(FixConnection) as refused:
            await CONNECTOR.ping(two.account())
        assert refused.value.code == "refresh-token-ended"
        assert "broken_off" in refused.value.facts
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        # A person authorizes the app, and it goes on.
        books: Any = here.vendor.world.books
        fresh = {**two.vault.open(NAME), "refresh_token": books.logins.refresh_token}
        await two.vault.store(NAME, fresh, actor="user:ana")
        await CONNECTOR.ping(two.account())
        assert not here.standing().broken_off


async def test_a_login_that_fails_lets_the_next_one_try_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        one, two = here.process(), here.process()
        send = one.transport.send

        async def down(request: Request, *given: Any, **named: Any) -> Response:
            return Response(status=503) if TOKEN in request.url else await send(request, *given, **named)

        one.transport.send = down  # type: ignore[method-assign]
        with pytest.raises(HubError):
            await CONNECTOR.ping(one.account())
        async with asyncio.timeout(20):
            await CONNECTOR.ping(two.account())
        assert here.logged_in() == [200]


async def test_a_session_opens_only_for_the_connection_that_it_was_made_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        one, two = here.process(), here.process()
        await CONNECTOR.ping(one.account())
        standing = here.standing()
        assert standing.sealed is not None
        moved = {**here.environment.connections[NAME].settings, "base_url": "http://127.0.0.1:1"}
        two.vault.take(
            here.bundle,
            EnvironmentFile(
                name="test", title="Test", connections={NAME: EnvironmentConnection(settings=moved, secret=None)}
            ),
        )
        alone = two.vault.alone(NAME)
        assert alone is not None
        with pytest.raises(FixConnection) as refused:
            async with alone(0):
                raise AssertionError("it does not open")
        assert refused.value.code == "secret-not-bound"
