"""Outbound messages: what changed is posted to subscribers as SOAP, for a day or until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

from connectors.salesforce.sandbox import envelopes
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.soql.conditions import condition_for
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Faults of messages; `match.path` is compared with the object's name.
KINDS = frozenset({"message_duplicate", "message_lost", "message_torn"})
#: Notifications in one message.
MOST = 100
_FIRST_WAIT, _LONGEST_WAIT, _LIFE = 15.0, 7200.0, 86_400.0
#: How often the clock is looked at while something waits: it may be moved ahead.
_LOOK = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Who hears of which changes: `id` is the action's, `when` a condition on the record as in SOQL."""

    id: str
    kind: str
    fields: tuple[str, ...]
    url: str
    on: frozenset[str]
    when: str | None
    with_session: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One change of one record; what stands in it is read when it is sent."""

    id: str
    record: str


@dataclass(slots=True, kw_only=True)
class _Message:
    """Notifications that travel together; `due` and `ends` are the clock's monotonic seconds."""

    subscription: Subscription
    notifications: tuple[Notification, ...]
    due: float
    ends: float
    attempts: int = 0


class Messages:
    """The org's outbound messages; `log` keeps every attempt with what it was answered."""

    def __init__(self, org: Org) -> None:
        """Send nothing before `start`."""
        self._org = org
        self._subscriptions: dict[str, Subscription] = {}
        self._fresh: dict[str, list[Notification]] = {}
        self._waiting: list[_Message] = []
        self._something = asyncio.Event()
        self._posts: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._client: aiohttp.ClientSession | None = None
        self.log: deque[dict[str, Any]] = deque(maxlen=100_000)
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Count the notifications that are not acknowledged and not given up."""
        return (
            sum(map(len, self._fresh.values()))
            + sum(len(one.notifications) for one in self._waiting)
            + len(self._posts)
        )

    def subscribe(self, said: Mapping[str, Any]) -> Subscription:
        """Add a subscriber; raises `ValueError` for one that makes no sense."""
        org = self._org
        surplus = set(said) - {"object", "fields", "url", "on", "when", "session"}
        kind = org.schema.find(str(said.get("object", "")))
        if kind is None or surplus:
            raise ValueError(
                f"subscriptions: {dict(said)!r} needs object and url, and may have fields, on, when, session"
            )
        fields = [kind.field(str(name)) for name in said.get("fields", ["Id"])]
        if None in fields:
            raise ValueError(f"subscriptions: {said['fields']!r} are not all fields of {kind.name}")
        when = said.get("when")
        if when is not None:
            try:
                condition_for(org, kind, str(when))
            except Refusal as refusal:
                raise ValueError(f"subscriptions: {refusal.message}") from refusal
        subscription = Subscription(
            id=org.ids.next("04k"),
            kind=kind.name,
            fields=tuple(field.name for field in fields if field is not None),
            url=str(said["url"]),
            on=frozenset(said.get("on", ("insert", "update", "undelete"))),
            when=when,
            with_session=bool(said.get("session", False)),
        )
        self._subscriptions[subscription.id] = subscription
        return subscription

    def unsubscribe_all(self) -> None:
        """Forget all subscribers and what waits for them."""
        self._subscriptions.clear()
        self._fresh.clear()
        self._waiting.clear()
        self.log.clear()
        self.dropped = 0

    def noticed(self, action: str, record: Record) -> None:
        """Queue a write for whoever wants to hear of it; undone with the write."""
        for subscription in self._subscriptions.values():
            if subscription.kind != record.kind or action not in subscription.on:
                continue
            kind = self._org.schema.get(record.kind)
            if subscription.when and not condition_for(self._org, kind, subscription.when)(record):
                continue
            queue = self._fresh.setdefault(subscription.id, [])
            queue.append(Notification(id=self._org.ids.next("04l"), record=record.id))
            self._something.set()
            self._org.store.when_undone(queue.pop)

    async def start(self) -> None:
        """Begin to send."""
        if self._org.world.post is None:
            # Whoever receives on loopback has a certificate of a test authority, which nobody here could check.
            self._client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=False))
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop sending; what is not delivered stays undelivered."""
        running = [*self._posts, *([self._loop] if self._loop else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._client is not None:
            await self._client.close()

    async def _run(self) -> None:
        while True:
            # Who has nothing to send does not look: in virtual time looking is most of what a simulated day costs.
            await self._something.wait()
            await asyncio.sleep(_LOOK)
            self._gather()
            now = self._org.clock.monotonic()
            due = [one for one in self._waiting if one.due <= now]
            self._waiting = [one for one in self._waiting if one.due > now]
            for message in due:
                post = asyncio.create_task(self._send(message))
                self._posts.add(post)
                post.add_done_callback(self._posts.discard)
            if not self._waiting:
                self._something.clear()

    def _gather(self) -> None:
        """Make messages of what is new, up to a hundred notifications in each."""
        now = self._org.clock.monotonic()
        for id, queue in self._fresh.items():
            subscription = self._subscriptions.get(id)
            while queue and subscription is not None:
                taken = tuple(queue[:MOST])
                del queue[:MOST]
                self._waiting.append(
                    _Message(subscription=subscription, notifications=taken, due=now, ends=now + _LIFE)
                )

    async def _send(self, message: _Message) -> None:
        org, subscription = self._org, message.subscription
        message.attempts += 1
        faults = org.world.faults
        if faults.hit("message_lost", path=subscription.kind):
            acknowledged, status = False, None
        else:
            body = envelopes.notifications(org, subscription, message.notifications)
            if faults.hit("message_duplicate", path=subscription.kind):
                await self._post(subscription.url, body)
            if faults.hit("message_torn", path=subscription.kind):
                body = body[: len(body) * 2 // 3]
            acknowledged, status = await self._post(subscription.url, body)
        self._note(message, status, acknowledged=acknowledged)
        if acknowledged:
            return
        wait = min(_FIRST_WAIT * 2 ** (message.attempts - 1), _LONGEST_WAIT)
        message.due = org.clock.monotonic() + wait / org.settings.message_speed
        if message.due >= message.ends or subscription.id not in self._subscriptions:
            self.dropped += len(message.notifications)
            return
        self._waiting.append(message)
        self._something.set()

    async def _post(self, url: str, body: bytes) -> tuple[bool, int | None]:
        """Post a message; tells whether it was acknowledged, and the status, None where nobody answered."""
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "User-Agent": "SFDC-Callout/68.0"}
        seconds = self._org.settings.message_seconds
        if self._org.world.post is not None:
            # A simulation tells the status alone.
            status = await self._org.world.post(url, headers, body, seconds)
            return status == 200, status
        assert self._client is not None
        timeout = aiohttp.ClientTimeout(total=seconds)
        try:
            async with self._client.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                told = await answer.read()
                return answer.status == 200 and envelopes.is_acknowledged(told), answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False, None

    def _note(self, message: _Message, status: int | None, *, acknowledged: bool) -> None:
        self.log.append(
            {
                "at": self._org.clock.now(),
                "action": message.subscription.id,
                "object": message.subscription.kind,
                "notifications": [one.id for one in message.notifications],
                "records": [one.record for one in message.notifications],
                "attempt": message.attempts,
                "status": status,
                "acknowledged": acknowledged,
            }
        )

    def told(self) -> list[dict[str, Any]]:
        """Give every attempt for the books."""
        return [{**one, "at": one["at"].isoformat()} for one in self.log]
