"""Accounts against sandboxes over real HTTP: limits kept to, refusals in every form, outages and tokens that end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connectors.helloworld.connector import CONNECTOR as HELLO
from connectors.helloworld.sandbox.app import sandbox as hello_sandbox
from connectors.netsuite.connector import CONNECTOR as NETSUITE
from connectors.netsuite.sandbox.app import sandbox as netsuite_sandbox
from hub.connections.accounts import Account
from hub.connections.breaker import BreakerState
from hub.connections.limiter import Limiter
from hub.errors import HubError, LimitReached, RetryLater
from hub.model.exchange import Request
from hub.model.limits import Asker
from hub.runtime.clock import system_ambient
from hub.sandbox.server import Running, running
from hub.sdk.connector import Limits
from hub.sdk.transport import Transport


@asynccontextmanager
async def account(limits: Limits, **wish: Any) -> AsyncIterator[tuple[Account, Running]]:
    """Serve a greeting service and give an account of it."""
    async with running(hello_sandbox) as served:
        await served.world.books.seed({"limits": wish})
        settings = HELLO.settings.model_validate(
            {
                "base_url": served.url,
                "api_key": served.announcement["api_key"],
                "webhook_secret": served.announcement["webhook_secret"],
            }
        )
        ambient = system_ambient(1)
        transport = Transport(private_hosts=["127.0.0.1"])
        made = Account(
            name="hello",
            connector=HELLO,
            settings=settings,
            limiter=Limiter(limits, ambient, name="hello", topic="limit:test:hello"),
            transport=transport,
            ambient=ambient,
        )
        try:
            yield made, served
        finally:
            await transport.close()


def ping(served: Running) -> Request:
    return Request(method="GET", url=f"{served.url}/v1/ping")


async def keep_asking(made: Account, served: Running, seconds: float, workers: int) -> list[HubError]:
    """Ask all the time; gives what went wrong."""
    ends = asyncio.get_running_loop().time() + seconds
    errors: list[HubError] = []

    async def work(number: int) -> None:
        while asyncio.get_running_loop().time() < ends:
            try:
                await made.ask(ping(served), Asker(key=str(number)), patient=True)
            except HubError as error:
                errors.append(error)
                await asyncio.sleep(0.01)

    await asyncio.gather(*(work(number) for number in range(workers)))
    return errors


async def test_a_vendor_that_really_refuses_has_nothing_to_refuse() -> None:
    """Both sides know the limit; the vendor counts in a sliding second when a request arrives."""
    async with account(Limits(concurrency=4, rate=60), rate=60, concurrency=4) as (made, served):
        assert await keep_asking(made, served, 3.0, 20) == []
        books: Any = served.world.books
        assert books.limiter.refused == 0
        assert books.limiter.highest <= 4
        assert made.limiter.standing().started >= 60


async def test_what_the_headers_say_is_left_is_not_exceeded() -> None:
    """The hub believes in a hundred times as much; the vendor says with each answer what is left."""
    async with account(Limits(concurrency=4, rate=2000), rate=20) as (made, served):
        await keep_asking(made, served, 3.0, 10)
        books: Any = served.world.books
        # Only those that were under way before the first answer can be too many.
        assert books.limiter.refused <= 8
        assert made.limiter.standing().started >= 40


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("2", 2.0, 2.2),
        ("date", 1.0, 4.5),
        ("-5", 0.0, 0.2),
        ("3600", 3600.0, 3630.0),
        ("1000000000", 43_200.0, 43_230.0),
        ("soon", 0.0, 0.2),
    ],
)
async def test_a_wish_to_wait_in_every_form(asked: str, least: float, most: float) -> None:
    async with account(Limits()) as (made, served):
        if asked == "date":
            asked = format_datetime(made.ambient.now() + timedelta(seconds=3), usegmt=True)
        served.world.faults.replace([{"kind": "429", "times": 1, "retry_after": asked}])
        with pytest.raises(LimitReached) as told:
            await made.send(ping(served))
        assert least <= (told.value.after or 0.0) <= most
        assert told.value.on == "limit:test:hello"


async def test_a_target_that_wants_to_be_left_alone_is_asked_by_nobody() -> None:
    """A 503 with a wish holds the whole account back, not only the run that met it; and no probe goes out."""
    async with account(Limits()) as (made, served):
        served.world.faults.replace([{"kind": "503", "times": 1, "retry_after": "3600"}])
        with pytest.raises(RetryLater) as told:
            await made.send(ping(served))
        assert told.value.on == "limit:test:hello"
        before = len(served.world.requests.since(0))
        with pytest.raises(LimitReached) as other:
            await made.send(ping(served))
        assert (other.value.code, len(served.world.requests.since(0))) == ("paused", before)
        assert 3590.0 <= (other.value.after or 0.0) <= 3630.0


async def test_an_outage_opens_the_breaker_once_and_it_closes_again() -> None:
    """While it is open, nothing reaches the vendor but its probes."""
    async with account(Limits(concurrency=4)) as (made, served):
        served.world.faults.replace([{"kind": "503"}])
        errors = await keep_asking(made, served, 1.0, 8)
        assert made.limiter.standing().breaker is BreakerState.OPEN
        assert len(served.world.requests.since(0)) <= 20
        assert any(isinstance(error, LimitReached) and error.code == "target-down" for error in errors)
        assert any(isinstance(error, RetryLater) and error.on == "limit:test:hello" for error in errors)
        served.world.faults.replace([])
        async with asyncio.timeout(20):
            while made.limiter.is_open:
                await asyncio.sleep(0.05)
        await made.send(ping(served))
        assert made.limiter.standing().breaker is BreakerState.CLOSED


async def test_refusals_of_data_open_no_breaker() -> None:
    async with account(Limits()) as (made, served):
        missing = Request(method="GET", url=f"{served.url}/v1/greetings/nobody")
        for _ in range(40):
            with pytest.raises(HubError):
                await made.send(missing)
        assert made.limiter.standing().breaker is BreakerState.CLOSED


async def test_tokens_that_end_in_the_middle_are_renewed_once() -> None:
    """Forty requests are under way when every token ends: one token is fetched, and all come through."""
    async with running(netsuite_sandbox) as served:
        named = NETSUITE.settings.model_fields
        told = {name: value for name, value in served.announcement.items() if name in named}
        settings = NETSUITE.settings.model_validate({**told, "base_url": served.url})
        ambient, transport = system_ambient(1), Transport(private_hosts=["127.0.0.1"])
        await served.world.books.seed({"settings": {"concurrency": 40, "latency": 0.02}})
        made = Account(
            name="erp",
            connector=NETSUITE,
            settings=settings,
            limiter=Limiter(Limits(concurrency=40), ambient),
            transport=transport,
            ambient=ambient,
        )
        try:
            for _ in range(3):
                await asyncio.gather(*(NETSUITE.ping(made) for _ in range(40)))
                await served.world.books.seed({"settings": {"revoke_tokens": True}})
            await asyncio.gather(*(NETSUITE.ping(made) for _ in range(40)))
        finally:
            await transport.close()
        asked = [entry for entry in served.world.requests.since(0) if entry.path.endswith("/token")]
        # One at the beginning, and one each time the tokens had ended.
        assert len(asked) == 4
