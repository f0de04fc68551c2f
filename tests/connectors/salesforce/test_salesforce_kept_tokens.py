"""A refresh token that Salesforce has replaced is in the vault before it is used, and a restart goes on with it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.salesforce.connector import CONNECTOR
from hub.connections.accounts import Account
from hub.connections.diagnosis import diagnose
from hub.connections.keys import VaultKey
from hub.connections.limiter import Limiter
from hub.connections.redaction import MASK, Redactor
from hub.errors import FixConnection, StorageFull
from hub.model.ambient import Ambient
from hub.runtime.accounts import Vault
from hub.runtime.clock import SystemClock
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport
from hub.store import secrets
from hub.store.committer import Committer
from hub.store.database import Database
from hub.workspace.compiled_files import ConnectionFile, EnvironmentConnection, EnvironmentFile

NAME = "salesforce"


@dataclass(kw_only=True)
class Hub:
    """As much of a hub as signs in."""

    vendor: Running
    ambient: Ambient
    transport: Transport
    database: Database
    vault: Vault
    accounts: list[Account] = field(default_factory=list)

    def started(self, **changed: Any) -> Account:
        """Give the account as a process makes it when it starts."""
        given = {**self.vault.plain_settings(NAME), **self.vault.open(NAME)}
        account = Account(
            name=NAME,
            connector=CONNECTOR,
            settings=CONNECTOR.settings.model_validate(given),
            limiter=Limiter(Limits(concurrency=5), self.ambient),
            transport=self.transport,
            ambient=self.ambient,
            keep=changed.get("keep", self.vault.keeping(NAME)),
        )
        self.accounts.append(account)
        return account

    def version(self) -> int:
        """Give how often the secret was stored."""
        with self.database.reading() as reading:
            return secrets.newest_version(reading, environment="test", name=NAME)


@asynccontextmanager
async def hub(directory: Path) -> AsyncIterator[Hub]:
    """Serve an org that replaces refresh tokens, beside a vault that has the first one."""
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    database, transport = Database(directory), Transport(private_hosts=["127.0.0.1"])
    committer = Committer(database, ambient)
    committer.start()
    async with running(find(NAME)) as vendor:
        await vendor.world.books.seed({"settings": {"rotate_refresh_tokens": True}})
        told = vendor.announcement
        settings: Mapping[str, Any] = {
            "base_url": vendor.url,
            "auth": "refresh_token",
            "consumer_key": told["consumer_key"],
        }
        file = ConnectionFile(name=NAME, connector=NAME, title=NAME, owner="team:tests", secret=f"vault:{NAME}")
        here = EnvironmentFile(
            name="test", title="Test", connections={NAME: EnvironmentConnection(settings=settings, secret=None)}
        )
        bundle: Any = SimpleNamespace(connections={NAME: file})
        vault = Vault(
            bundle=bundle,
            environment=here,
            connectors={NAME: CONNECTOR},
            database=database,
            committer=committer,
            key=VaultKey(material=bytes(range(32)), source="test"),
            ambient=ambient,
            redactor=Redactor(),
        )
        first = {"refresh_token": str(told["refresh_token"]), "consumer_secret": str(told["consumer_secret"])}
        await vault.store(NAME, first, actor="tests")
        made = Hub(vendor=vendor, ambient=ambient, transport=transport, database=database, vault=vault)
        yield made
        await transport.close()
        await committer.stop()
        database.close()


async def test_each_start_goes_on_with_the_token_that_came_last(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        for place in range(3):
            account = here.started()
            await CONNECTOR.ping(account)
            assert here.version() == place + 2
            kept = here.vault.open(NAME)
            assert kept["consumer_secret"] == here.vendor.announcement["consumer_secret"]
            assert kept["refresh_token"] != account.settings.refresh_token.get_secret_value()  # type: ignore[attr-defined]
            assert here.vault.redactor.scrub(kept["refresh_token"]) == MASK


async def test_a_test_of_the_connection_leaves_the_account_in_use_a_living_token(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        account = here.started()
        await CONNECTOR.ping(account)
        found = await diagnose(account, production=None, private_hosts=frozenset({"127.0.0.1"}))
        assert found.works, found.failed
        await here.vendor.world.books.seed({"revoke_sessions": True})
        await CONNECTOR.ping(account)
        await CONNECTOR.ping(here.started())


async def test_nothing_is_signed_with_a_session_whose_token_is_not_durable(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        vault, full = here.vault.keeping(NAME), [True]
        assert vault is not None

        async def keep(used: Mapping[str, str], renewed: Mapping[str, str]) -> None:
            if full:
                raise StorageFull
            await vault(used, renewed)

        account = here.started(keep=keep)
        with pytest.raises(StorageFull):
            await CONNECTOR.ping(account)
        assert not any("/services/data" in entry.path for entry in here.vendor.world.requests.since(0))
        full.clear()
        # The one that was stored is dead, and the one that came lives on in memory until there is room.
        await CONNECTOR.ping(account)
        await CONNECTOR.ping(here.started())


async def test_what_a_person_has_stored_meanwhile_stays(tmp_path: Path) -> None:
    async with hub(tmp_path) as here:
        account = here.started()
        await here.vault.store(NAME, {"refresh_token": "stored-by-a-person"}, actor="user:ana")
        await CONNECTOR.ping(account)
        assert here.vault.open(NAME) == {"refresh_token": "stored-by-a-person"}
        with pytest.raises(FixConnection) as refusal:
            await CONNECTOR.ping(here.started())
        assert refusal.value.code == "refresh-token-ended"
