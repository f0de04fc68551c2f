"""Who a Stripe sandbox deals with in tests: Stripe's own client library, and a receiver of its webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import stripe
from aiohttp import web

from hub.sandbox.server import Running

Answer = TypeVar("Answer")


class Client:
    """Stripe's own library, which blocks, used from beside the event loop that serves the sandbox."""

    def __init__(self, sandbox: Running, key: str | None = None) -> None:
        self._http = stripe.RequestsClient(timeout=20)
        self.stripe = stripe.StripeClient(
            key or str(sandbox.announcement["api_key"]),
            base_addresses={"api": sandbox.url},
            http_client=self._http,
            max_network_retries=0,
        )

    def close(self) -> None:
        """Close the library's connections of this thread."""
        self._http.close()  # type: ignore[no-untyped-call]

    async def __call__(self, work: Callable[[stripe.StripeClient], Answer]) -> Answer:
        """Do something with the library and wait for it."""

        def run() -> Answer:
            try:
                return work(self.stripe)
            finally:
                # The library keeps its connections by thread.
                self.close()

        return await asyncio.to_thread(run)


@dataclass(slots=True, kw_only=True)
class Inbox:
    """What came in, in the order it came; `statuses` are answered first, then 200."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    #: What stood behind `?` in the address that was called.
    asked: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    most_at_once: int = 0
    delay: float = 0.0
    _running: int = 0

    async def take(self, request: web.Request) -> web.Response:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        self.bodies.append(await request.read())
        self.signatures.append(request.headers["Stripe-Signature"])
        self.asked.append(request.query_string)
        await asyncio.sleep(self.delay)
        self._running -= 1
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    def events(self, secret: str) -> list[Any]:
        """Give the events, each verified by Stripe's own library."""
        return [
            stripe.Webhook.construct_event(body, signature, secret)
            for body, signature in zip(self.bodies, self.signatures, strict=True)
        ]


async def settled(sandbox: Running, *, within: float = 10.0) -> dict[str, Any]:
    """Wait until nothing is planned or under way any more, and give the books."""
    async with asyncio.timeout(within):
        while True:
            progress = sandbox.world.progress()
            if not progress["planned"] and not progress["deliveries_waiting"]:
                return dict(sandbox.world.books.snapshot())
            await asyncio.sleep(0.01)
