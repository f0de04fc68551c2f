"""A running Stripe sandbox, Stripe's own client for it, and a place that takes in its webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from tests.connectors.stripe.partners import Client, Inbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Running]:
    async with running(find("stripe")) as served:
        yield served


@pytest.fixture
def client(sandbox: Running) -> Client:
    return Client(sandbox)


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    box = Inbox()
    application = web.Application()
    application.router.add_post("/hooks", box.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    box.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield box
    await runner.cleanup()
