"""Sends events to webhook endpoints: signed, several at once, again after a failure, and wrong when a fault says so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.endpoints import signing_secrets
from connectors.stripe.sandbox.event_list import matches
from connectors.stripe.sandbox.events import Event
from connectors.stripe.sandbox.thin_events import ThinEvent
from connectors.stripe.sandbox.versions import has_event
from hub.sandbox.exact_json import dumps

#: Faults of deliveries; `match.path` is compared with the event's type.
KINDS = frozenset({"webhook_duplicate", "webhook_shuffle", "webhook_malformed", "webhook_torn", "webhook_lost"})

#: A wait of more seconds goes by the sandbox's clock.
_SHORT = 60.0
#: Stripe's own waits before each further attempt: live for three days, in its sandboxes for some hours.
SCHEDULES: Mapping[str, Sequence[float]] = {
    "live": (300, 1800, 7200, 18_000, 36_000, 36_000, 43_200, 43_200, 43_200),
    "sandbox": (300, 3600, 7200),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try to deliver one event to one endpoint; only a `counting` one is tried again."""

    event: Event | ThinEvent
    endpoint: str
    attempt: int = 1
    fault: str | None = None
    counting: bool = True


class Sender:
    """Delivers what happens in an account; `log` keeps every attempt with the status it was answered with."""

    def __init__(self, account: Account) -> None:
        """Send nothing before `start`."""
        self._account = account
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue()
        self._dispatcher: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._timers: set[asyncio.TimerHandle] = set()
        self._client: aiohttp.ClientSession | None = None
        self._planned: set[int] = set()
        self.log: list[dict[str, Any]] = []

    @property
    def waiting(self) -> int:
        """Count the deliveries that are queued, under way, or waiting for their next attempt."""
        return self._queue.qsize() + len(self._posts) + len(self._timers) + len(self._planned)

    async def start(self) -> None:
        """Begin to send."""
        self._dispatcher = asyncio.create_task(self._dispatch())
        if self._account.world.post is not None:
            return
        # Whoever receives on loopback has a certificate of a test authority, which nobody here could check.
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=False),
            headers={"User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)"},
        )

    async def stop(self) -> None:
        """Stop sending; what is not delivered stays undelivered."""
        self.forget()
        running = [*self._posts, *([self._dispatcher] if self._dispatcher else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def forget(self) -> None:
        """Drop everything that waits, and the log."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self._planned.clear()
        while not self._queue.empty():
            self._queue.get_nowait()
        self.log.clear()

    def publish(self, event: Event) -> None:
        """Queue an event for every endpoint that wants it, with the faults that the dice throw.

        What happens in a connected account goes to the endpoints that were made for those.
        """
        faults = self._account.world.faults
        for endpoint in self._account.endpoints.oldest_first():
            if endpoint.get("deleted") or endpoint["status"] != "enabled":
                continue
            if (endpoint["id"] in self._account.connect_endpoints) is (event.account is None):
                continue
            if not any(matches(pattern, event.type) for pattern in endpoint["enabled_events"]):
                continue
            if not has_event(event.type, endpoint["api_version"] or event.api_version):
                continue
            delivery = Delivery(event=event, endpoint=endpoint["id"])
            event.pending.add(endpoint["id"])
            if faults.hit("webhook_lost", path=event.type):
                self._note(delivery, None, fault="webhook_lost")
                continue
            if faults.hit("webhook_malformed", path=event.type):
                self._queue.put_nowait(
                    Delivery(event=event, endpoint=endpoint["id"], fault="webhook_malformed", counting=False)
                )
            late = faults.hit("webhook_shuffle", path=event.type)
            self._later(delivery, faults.pick(late.seconds) if late else 0.0)
            twice = faults.hit("webhook_duplicate", path=event.type)
            if twice:
                again = Delivery(event=event, endpoint=endpoint["id"], fault="webhook_duplicate", counting=False)
                self._later(again, faults.pick(twice.seconds))

    def publish_thin(self, event: ThinEvent) -> None:
        """Queue a thin event for every destination that wants it."""
        for destination in self._account.destinations.oldest_first():
            origin = "@self" if event.context is None else "@accounts"
            wanted = event.type in destination["enabled_events"] or "*" in destination["enabled_events"]
            if wanted and destination["status"] == "enabled" and origin in destination["events_from"]:
                event.pending.add(destination["id"])
                self._later(Delivery(event=event, endpoint=destination["id"]), 0.0)

    def _later(self, delivery: Delivery, seconds: float) -> None:
        if seconds <= 0:
            self._queue.put_nowait(delivery)
            return
        if seconds > _SHORT:
            self._by_clock(delivery, seconds)
            return

        def fire() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(delivery)

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)

    def _by_clock(self, delivery: Delivery, seconds: float) -> None:
        """Wait by the sandbox's clock, which may be moved ahead."""
        place = id(delivery)

        def due() -> None:
            if place in self._planned:
                self._planned.discard(place)
                self._queue.put_nowait(delivery)

        self._planned.add(place)
        self._account.agenda.plan(self._account.now() + round(seconds), due)

    async def _dispatch(self) -> None:
        while True:
            delivery = await self._queue.get()
            # How many are sent at once may be changed by the seed while this runs.
            while len(self._posts) >= self._account.switches.webhook_concurrency:
                self._freed.clear()
                await self._freed.wait()
            post = asyncio.create_task(self._deliver(delivery))
            self._posts.add(post)
            post.add_done_callback(self._done)

    def _done(self, post: asyncio.Task[None]) -> None:
        self._posts.discard(post)
        self._freed.set()

    async def _deliver(self, delivery: Delivery) -> None:
        found = self._told(delivery)
        if found is None:
            return
        url, body = found
        fault = delivery.fault
        if fault == "webhook_malformed":
            body = body[: len(body) * 2 // 3]
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(body, self._account.now(), signing_secrets(self._account, delivery.endpoint)),
        }
        if fault is None and self._account.world.faults.hit("webhook_torn", path=delivery.event.type):
            fault, body = "webhook_torn", body[: len(body) // 2]
        status = await self._post(url, headers, body)
        self._note(delivery, status, fault=fault)
        if not delivery.counting:
            return
        if status is not None and 200 <= status < 300:
            delivery.event.pending.discard(delivery.endpoint)
            return
        switches = self._account.switches
        if delivery.attempt <= len(switches.webhook_waits):
            again = Delivery(event=delivery.event, endpoint=delivery.endpoint, attempt=delivery.attempt + 1)
            self._later(again, switches.webhook_waits[delivery.attempt - 1] / switches.webhook_speed)

    def _told(self, delivery: Delivery) -> tuple[str, bytes] | None:
        """Give where a delivery goes and what it says; None when nobody wants it any more."""
        event = delivery.event
        if isinstance(event, ThinEvent):
            destination = self._account.destinations.get(delivery.endpoint)
            if destination is None or destination["status"] != "enabled":
                return None
            return destination["webhook_endpoint"]["url"], dumps(event.notification())
        endpoint = self._account.endpoints.get(delivery.endpoint)
        if endpoint is None or endpoint.get("deleted") or endpoint["status"] != "enabled":
            return None
        return endpoint["url"], dumps(event.to_wire(endpoint["api_version"]))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int | None:
        seconds = self._account.switches.webhook_timeout
        if self._account.world.post is not None:
            return await self._account.world.post(url, headers, body, seconds)
        if self._client is None:
            return None
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._client.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _note(self, delivery: Delivery, status: int | None, *, fault: str | None) -> None:
        self.log.append(
            {
                "event": delivery.event.id,
                "type": delivery.event.type,
                "object": delivery.event.subject,
                "endpoint": delivery.endpoint,
                "attempt": delivery.attempt,
                "at": self._account.world.clock.now(),
                "status": status,
                "fault": fault,
            }
        )


def sign(body: bytes, timestamp: int, secrets: list[str]) -> str:
    """Give the `Stripe-Signature` header: one v1 for each secret that signs now, and the old scheme's v0."""
    message = b"%d." % timestamp + body
    digests = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
    legacy = hmac.new(b"legacy", message, hashlib.sha256).hexdigest()
    return ",".join([f"t={timestamp}", *(f"v1={digest}" for digest in digests), f"v0={legacy}"])
