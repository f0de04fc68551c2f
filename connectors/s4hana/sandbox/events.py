"""Business events: CloudEvents with keys only, posted to webhooks that have agreed to it, until somebody takes them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from connectors.s4hana.sandbox.agenda import Agenda
from hub.sandbox.exact_json import dumps
from hub.sandbox.world import World

#: Faults of deliveries; `match.path` is compared with the event's type.
KINDS = frozenset({"event_duplicate", "event_lost", "event_shuffle", "event_malformed"})
#: Seconds before each further attempt.
WAITS = (30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0)
SOURCE = "/default/sap.s4.beh/100000001"
_ANSWER_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One business event."""

    id: str
    type: str
    data: Mapping[str, Any]
    at: datetime

    def body(self) -> bytes:
        """Write the event in structured mode."""
        return dumps(
            {
                "specversion": "1.0",
                "type": self.type,
                "source": SOURCE,
                "id": self.id,
                "time": self.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "datacontenttype": "application/json",
                "data": dict(self.data),
            }
        )


@dataclass(slots=True, kw_only=True)
class Webhook:
    """A subscriber; nothing is sent before it has answered the handshake. `types` are patterns."""

    url: str
    types: tuple[str, ...] = ("*",)
    headers: Mapping[str, str] = field(default_factory=dict)
    waits: tuple[float, ...] = WAITS
    agreed: bool = False
    gone: bool = False


class Events:
    """Sends events; `log` keeps every attempt with the status it was answered with."""

    def __init__(self, world: World) -> None:
        """Send to nobody."""
        self._world = world
        self._webhooks: dict[str, Webhook] = {}
        self._agenda = Agenda(world)
        self._tasks: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None
        self.log: list[dict[str, Any]] = []

    @property
    def wanted(self) -> bool:
        """Tell whether anybody subscribes to anything."""
        return bool(self._webhooks)

    @property
    def waiting(self) -> int:
        """Count the deliveries that are under way or wait for their next attempt."""
        return len(self._tasks) + len(self._agenda)

    @property
    def sending(self) -> bool:
        """Tell whether something is on its way just now."""
        return bool(self._tasks)

    def work(self) -> None:
        """Do what is due."""
        self._agenda.catch_up()

    async def start(self) -> None:
        """Open the way out, unless somebody else posts what is sent."""
        if self._world.post is not None:
            return
        # Whoever receives on loopback has a certificate of a test authority, which nobody here could check.
        self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))

    async def stop(self) -> None:
        """Stop sending; what is not delivered stays undelivered."""
        self.forget()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    def forget(self) -> None:
        """Drop subscribers, everything that waits, and the log."""
        self._webhooks.clear()
        self._agenda.forget()
        self.log.clear()

    async def subscribe(self, webhook: Webhook) -> bool:
        """Add a subscriber, ask it for its consent, and tell whether it has given it."""
        self._webhooks[webhook.url] = webhook
        webhook.agreed = await self._handshake(webhook)
        return webhook.agreed

    async def _handshake(self, webhook: Webhook) -> bool:
        if self._world.post is not None or self._client is None:
            return True
        origin = urlsplit(self._world.url).hostname or ""
        headers = {**webhook.headers, "WebHook-Request-Origin": origin, "WebHook-Request-Rate": "120"}
        try:
            async with self._client.options(
                webhook.url,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS),
                allow_redirects=False,
            ) as answer:
                allowed = answer.headers.get("WebHook-Allowed-Origin", "")
                return answer.status < 300 and (allowed in ("*", origin))
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def publish(self, event: Event) -> None:
        """Send an event to all who want its type, at least once."""
        for webhook in list(self._webhooks.values()):
            if not webhook.agreed or webhook.gone:
                continue
            if not any(fnmatchcase(event.type, pattern) for pattern in webhook.types):
                continue
            faults = self._world.faults
            if faults.hit("event_lost", path=event.type):
                self._note(webhook, event, 0, None, fault="event_lost")
                continue
            late = faults.hit("event_shuffle", path=event.type)
            self._plan(webhook, event, 1, faults.pick(late.seconds) if late else 0.0)
            if faults.hit("event_duplicate", path=event.type):
                self._plan(webhook, event, 1, 0.0)

    def _plan(self, webhook: Webhook, event: Event, attempt: int, seconds: float) -> None:
        if seconds > 0:
            self._agenda.plan(seconds, lambda: self._plan(webhook, event, attempt, 0.0))
            return
        task = asyncio.get_running_loop().create_task(self._deliver(webhook, event, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, webhook: Webhook, event: Event, attempt: int) -> None:
        body = event.body()
        fault = None
        if self._world.faults.hit("event_malformed", path=event.type):
            fault, body = "event_malformed", body[: len(body) // 2]
        headers = {
            **webhook.headers,
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "WebHook-Request-Origin": urlsplit(self._world.url).hostname or "",
        }
        status = await self.send(webhook.url, headers, body)
        self._note(webhook, event, attempt, status, fault=fault)
        if fault is not None:
            self._plan(webhook, event, attempt, 0.001)
            return
        if status == 410:
            webhook.gone = True
        elif (status is None or status >= 300) and attempt <= len(webhook.waits):
            self._plan(webhook, event, attempt + 1, max(webhook.waits[attempt - 1], 0.001))

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> int | None:
        """Post something; gives the status, or None when nobody answered."""
        if self._world.post is not None:
            return await self._world.post(url, headers, body, _ANSWER_SECONDS)
        if self._client is None:
            return None
        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        try:
            async with self._client.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _note(self, webhook: Webhook, event: Event, attempt: int, status: int | None, *, fault: str | None) -> None:
        self.log.append(
            {
                "event": event.id,
                "type": event.type,
                "data": dict(event.data),
                "url": webhook.url,
                "attempt": attempt,
                "at": self._world.clock.now(),
                "status": status,
                "fault": fault,
            }
        )
