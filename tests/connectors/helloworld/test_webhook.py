"""The webhook agrees with the published Standard Webhooks example, and the sandbox really sends."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from aiohttp import web

from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.sandbox.app import sandbox
from connectors.helloworld.settings import HelloworldSettings
from connectors.helloworld.webhook import parse, verify
from hub.sandbox.server import running
from hub.sdk.errors import FixConnection, WebhookRejected

# The example of the specification (standard-webhooks.md).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
AT = datetime.fromtimestamp(1614265330, UTC)
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def settings(secret: str = SECRET) -> HelloworldSettings:
    return HelloworldSettings.model_validate(
        {"base_url": "https://hello.example", "api_key": "hello_1", "webhook_secret": secret}
    )


def test_the_published_example_is_trusted() -> None:
    verify(settings(), HEADERS, BODY, AT)


@pytest.mark.parametrize(
    "signature",
    ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=", "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
)
def test_its_neighbours_are_not(signature: str) -> None:
    with pytest.raises(WebhookRejected) as refusal:
        verify(settings(), {**HEADERS, "webhook-signature": signature}, BODY, AT)
    assert refusal.value.code == "bad-signature"


def test_a_secret_that_cannot_be_one_is_for_the_connection() -> None:
    with pytest.raises(FixConnection):
        verify(settings("whsec_not base64"), HEADERS, BODY, AT)


async def test_the_sandbox_sends_until_it_is_answered() -> None:
    received: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        await received.put((headers, await request.read()))
        return web.Response(status=503 if received.qsize() == 1 else 202)

    application = web.Application()
    application.router.add_post("/hook", take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with running(sandbox) as served:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
            greeting = {"id": "g-1", "recipient": "Ada", "language": "en", "text": "Hello!", "version": 1}
            await served.world.books.seed({"webhook_url": url, "greetings": [greeting]})
            attempts = [await asyncio.wait_for(received.get(), 5), await asyncio.wait_for(received.get(), 5)]
            secret = str(served.announcement["webhook_secret"])
    finally:
        await runner.cleanup()
    for headers, body in attempts:
        verify(settings(secret), headers, body, datetime.now(UTC))
        assert [event.type for event in parse(body)] == ["helloworld.greeting.changed"]
    assert attempts[0][0]["webhook-id"] == attempts[1][0]["webhook-id"]
    assert CONNECTOR.webhook is not None
