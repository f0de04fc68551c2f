"""The log of every request a sandbox received: what it was, what was answered, and whether the caller heard it."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from hub.sandbox.clock import Clock

#: Older entries are forgotten; a long storm stays far below it.
CAPACITY = 500_000

_MARKER: web.RequestKey[str] = web.RequestKey("marker", str)


def mark(request: web.Request, marker: str) -> None:
    """Name the business object a request is about (an external id, an idempotency key), for the log."""
    request[_MARKER] = marker


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request; `status` is what the vendor's code answered, None when it was never asked.

    `replied` is False when the caller heard nothing of it; `fault` is the kind that struck.
    """

    number: int
    at: float
    method: str
    path: str
    body: bytes
    marker: str | None = None
    status: int | None = None
    fault: str | None = None
    replied: bool = False

    def to_json(self) -> dict[str, Any]:
        """Give the entry as JSON values, with the body's SHA-256 instead of the body."""
        return {
            "n": self.number,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "method": self.method,
            "path": self.path,
            "sha256": hashlib.sha256(self.body).hexdigest(),
            "marker": self.marker,
            "status": self.status,
            "fault": self.fault,
            "replied": self.replied,
        }


class RequestLog:
    """Keeps the latest requests in the order they came."""

    def __init__(self, *, clock: Clock) -> None:
        """Start empty."""
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=CAPACITY)
        self._next = 1

    def begin(self, *, method: str, path: str, body: bytes) -> Entry:
        """Note a request before anything is done with it."""
        entry = Entry(number=self._next, at=self._clock.now().timestamp(), method=method, path=path, body=body)
        self._next += 1
        self._entries.append(entry)
        return entry

    def end(self, entry: Entry, request: web.Request) -> None:
        """Take over what the vendor's code said the request was about."""
        entry.marker = request.get(_MARKER)

    def since(self, number: int, *, limit: int = 10_000) -> list[Entry]:
        """Give the entries after `number`, oldest first."""
        return [entry for entry in self._entries if entry.number > number][:limit]

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()
