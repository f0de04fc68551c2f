"""One account, many attempts, one token: against a sandbox that counts how often it is asked for one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from connectors.netsuite.connector import CONNECTOR
from hub.audit.kinds import AuditKind
from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.connections.refusals import pause_refused
from hub.errors import FixConnection, HubError, RetryLater
from hub.model.ambient import Ambient
from hub.model.exchange import Request, Response
from hub.runtime.clock import SystemClock
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.auth import BearerToken
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport
from hub.store.committer import Committer
from hub.store.database import Database
from hub.store.tables import audit

TOKEN = "/services/rest/auth/oauth2/v1/token"
AT_ONCE = 60
#: What a test of the connection tells.
WHO = {"account": "TSTDRV1234567"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Erp:
    vendor: Running
    account: Account

    async def work(self, number: int = AT_ONCE) -> list[Any]:
        """Let so many attempts be made at once; gives what each brought."""
        return await asyncio.gather(
            *(self.account.connector.ping(self.account) for _ in range(number)), return_exceptions=True
        )

    def refreshes(self) -> int:
        """Give how often the vendor was asked for a token."""
        return sum(entry.path == TOKEN for entry in self.vendor.world.requests.since(0))


def books(erp: Erp) -> Any:
    return erp.vendor.world.books


@pytest.fixture
async def erp() -> AsyncIterator[Erp]:
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    transport = Transport(private_hosts=["127.0.0.1"])
    async with running(find("netsuite")) as vendor:
        wanted = ("account", "restlet_base_url", "client_id", "certificate_id", "algorithm", "private_key")
        given = {"base_url": vendor.url, "timeout": 5, **{name: vendor.announcement[name] for name in wanted}}
        account = Account(
            name="netsuite",
            connector=CONNECTOR,
            settings=CONNECTOR.settings.model_validate(given),
            limiter=Limiter(Limits(concurrency=5), ambient),
            transport=transport,
            ambient=ambient,
        )
        yield Erp(vendor=vendor, account=account)
        await transport.close()


async def test_many_attempts_that_need_a_token_cause_one_refresh_for_each_that_ended(erp: Erp) -> None:
    for expired in range(1, 4):
        assert await erp.work() == [WHO] * AT_ONCE
        assert erp.refreshes() == expired
        # The vendor lets it end early: all that are under way are refused with 401 and go on with one new token.
        books(erp).tokens.revoke_all()
    assert await erp.work() == [WHO] * AT_ONCE
    assert erp.refreshes() == 4


async def test_a_token_is_renewed_before_its_end_and_only_once(erp: Erp) -> None:
    """Its life is so short that it must be renewed again and again; nobody is ever refused, and nobody asks twice."""
    books(erp).tokens.life = 2
    for renewed in range(1, 4):
        assert await erp.work(20) == [WHO] * 20
        assert erp.refreshes() == renewed
        await asyncio.sleep(1.1)
    refused = [entry for entry in erp.vendor.world.requests.since(0) if entry.status == 401]
    assert refused == []


async def test_a_token_endpoint_that_is_down_is_not_stormed(erp: Erp) -> None:
    """Everybody who waits shares in the answer; after a few the breaker lets nobody ask any more."""
    asked = 0

    async def down(_request: Request) -> Response:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.005)
        return Response(status=503)

    token: BearerToken = erp.account._authorizer  # type: ignore[assignment]
    now = erp.account.ambient.now()
    request = Request(method="GET", url=erp.vendor.url)
    found = await asyncio.gather(*(token.headers(request, down, now) for _ in range(500)), return_exceptions=True)
    assert {type(each) for each in found} == {RetryLater}
    assert asked == 1


async def test_whoever_is_broken_off_while_it_fetches_leaves_the_next_to_fetch(erp: Erp) -> None:
    token: BearerToken = erp.account._authorizer  # type: ignore[assignment]
    now, request = erp.account.ambient.now(), Request(method="GET", url=erp.vendor.url)
    reached = asyncio.Event()

    async def hangs(_request: Request) -> Response:
        reached.set()
        await asyncio.sleep(60)
        return Response(status=503)

    async def gives(_request: Request) -> Response:
        return Response(status=200, body=b'{"access_token": "t", "expires_in": 3600}')

    first = asyncio.create_task(token.headers(request, hangs, now))
    await reached.wait()
    others = [asyncio.create_task(token.headers(request, gives, now)) for _ in range(50)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [{"authorization": "Bearer t"}] * 50


async def test_a_credential_that_is_revoked_pauses_the_connection_with_one_alert(erp: Erp, tmp_path: Path) -> None:
    """Though everybody finds out at once; afterwards nobody asks the vendor for a token any more."""
    erp.account.settings.__dict__["certificate_id"] = "a-certificate-that-was-revoked"
    database = Database(tmp_path)
    committer = Committer(database, erp.account.ambient)
    committer.start()
    accounts = {"netsuite": erp.account}

    async def attempt() -> HubError | None:
        try:
            await erp.account.connector.ping(erp.account)
        except HubError as error:
            await pause_refused(accounts, "netsuite", error, committer=committer, environment="test", actor="worker")
            return error
        return None

    found = await asyncio.gather(*(attempt() for _ in range(AT_ONCE)))
    assert all(isinstance(each, FixConnection) for each in found), found
    with database.reading() as connection:
        alerts = connection.execute(audit.select().where(audit.c.kind == AuditKind.CONNECTION_PAUSED.value)).all()
    asked = erp.refreshes()
    await erp.work()
    assert (len(alerts), erp.refreshes()) == (1, asked)
    assert asked <= 5
    assert "NetSuite does not take the certificate" in (erp.account.paused or "")
    await committer.stop()
    database.close()
