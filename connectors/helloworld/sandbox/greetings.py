"""The service's books: greetings, what happened to them, and how a test fills and reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.helloworld.sandbox.webhooks import Sender
from hub.sandbox.limits import Limiter
from hub.sandbox.paging import after
from hub.sandbox.world import World

_FIELDS = {"id": str, "recipient": str, "language": str, "text": str, "version": int}


class Refusal(Exception):
    """The service refuses a call: HTTP status, error code and sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        """Take what is answered."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a greeting; `body` is how webhooks and the events list show it."""

    id: str
    at: datetime
    body: Mapping[str, Any]


class Greetings:
    """The books of one account."""

    def __init__(self, world: World) -> None:
        """Draw the account's keys from the sandbox's dice and open empty books."""
        self._world = world
        self.api_key = f"hello_{world.random.getrandbits(96):024x}"
        self.sender = Sender(world)
        self.limiter = Limiter(clock=world.clock)
        self._greetings: dict[str, dict[str, Any]] = {}
        self._events: list[Event] = []

    def announce(self) -> Mapping[str, Any]:
        """Give the account's keys."""
        return {"api_key": self.api_key, "webhook_secret": self.sender.secret}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write `greetings` through the same code as the API, and send webhooks to `webhook_url` from now on.

        `limits` are a `rate` (requests a second) and a `concurrency`; None is no limit.
        """
        if set(wish) - {"greetings", "limits", "webhook_url"}:
            raise ValueError("A wish has `greetings`, `limits` and `webhook_url`.")
        limits = wish.get("limits", {})
        self.limiter.rate = limits.get("rate", self.limiter.rate)
        self.limiter.concurrency = limits.get("concurrency", self.limiter.concurrency)
        self.sender.url = wish.get("webhook_url", self.sender.url)
        try:
            written = [self.write(str(greeting.get("id")), greeting) for greeting in wish.get("greetings", ())]
        except Refusal as refusal:
            raise ValueError(refusal.message) from refusal
        return {"greetings": [greeting["id"] for greeting in written]}

    def snapshot(self) -> Mapping[str, Any]:
        """Give every greeting, how often each was written, and all events."""
        return {"greetings": list(self._greetings.values()), "events": [event.body for event in self._events]}

    async def reset(self) -> None:
        """Forget everything but the keys."""
        self._greetings.clear()
        self._events.clear()
        self.sender.url = None
        self.limiter.rate = self.limiter.concurrency = None

    def read(self, identity: str) -> Mapping[str, Any]:
        """Give a greeting."""
        try:
            return self._greetings[identity]
        except KeyError:
            raise Refusal(404, "greeting_not_found", f"There is no greeting {identity}.") from None

    def write(self, identity: str, greeting: Any) -> Mapping[str, Any]:
        """Put a greeting in its place, unless a newer version is there; the same again changes nothing."""
        if not isinstance(greeting, dict) or set(greeting) != set(_FIELDS):
            raise Refusal(422, "greeting_invalid", f"A greeting has {', '.join(_FIELDS)}.")
        for name, kind in _FIELDS.items():
            if not isinstance(greeting[name], kind) or isinstance(greeting[name], bool):
                raise Refusal(422, "greeting_invalid", f"{name} is not of its kind.")
        if greeting["id"] != identity or re.fullmatch(r"[a-z]{2}", greeting["language"]) is None:
            raise Refusal(422, "greeting_invalid", "The id or the language is wrong.")
        present = self._greetings.get(identity)
        if present is not None and greeting["version"] < present["version"]:
            raise Refusal(409, "stale_version", f"Version {present['version']} is already there.")
        if present != greeting:
            self._greetings[identity] = greeting
            self._record(greeting)
        return greeting

    def events(self, *, last: str | None, since: datetime | None, limit: int) -> tuple[Sequence[Event], bool]:
        """Give the events behind `last`, or from `since` on, and whether there are more."""
        if last is not None:
            place = next((place for place, event in enumerate(self._events) if event.id == last), None)
            return after(self._events, position=place, limit=limit)
        return after(
            [event for event in self._events if since is None or event.at >= since], position=None, limit=limit
        )

    def _record(self, greeting: Mapping[str, Any]) -> None:
        now = self._world.clock.now()
        identity = f"evt_{len(self._events) + 1:06}"
        body = {"id": identity, "type": "greeting.changed", "timestamp": now.isoformat(), "data": greeting}
        self._events.append(Event(id=identity, at=now, body=body))
        self.sender.send(identity, body)
