"""Connectors without a network: what would be a vendor behind a wire is a pure function in the hub's own process.

The engine notices nothing of it. It forms the same requests, makes the intent durable, sends, and makes the outcome
durable; an unknown outcome is resolved by the declared kind. What is sent goes to `answer` instead of a socket, inside
one transaction of the hub's store, so that what it keeps is durable before the answer is given, or not kept at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from hub.model.exchange import Request, Response

#: Requests with these methods change nothing; they are answered beside the writes of others. `QUERY` has a body.
SAFE = frozenset({"GET", "QUERY"})


class Shelf(Protocol):
    """What one connection has kept, by name; of one transaction."""

    def get(self, name: str) -> bytes | None:
        """Give what is kept under a name."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Keep something under a name, in the place of what was there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A mistake in a file of the workspace that the connector reads: where, what, and what to do."""

    path: str
    line: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """How a connector answers by itself; all pure.

    - `folder` is the workspace's folder whose files it reads. `flaws(files)` tells what is wrong with them when the
      workspace is checked, and `read(files)` gives what `answer` needs of them, for files without flaws.
    - `answer(settings, tables, request, shelf, now)` answers a request and keeps what it must. A refusal is an answer;
      what it raises undoes what it kept.
    """

    folder: str
    flaws: Callable[[Mapping[str, bytes]], Sequence[Flaw]]
    read: Callable[[Mapping[str, bytes]], Any]
    answer: Callable[[Any, Any, Request, Shelf, datetime], Response]

    def own(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """Give those files of a workspace that the connector reads."""
        return {path: content for path, content in sorted(files.items()) if path.startswith(f"{self.folder}/")}


@dataclass(slots=True)
class MemoryShelf:
    """A shelf that lasts as long as the object: for trying a connector out."""

    kept: dict[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> bytes | None:
        """Give what is kept under a name."""
        return self.kept.get(name)

    def put(self, name: str, value: bytes) -> None:
        """Keep something under a name."""
        self.kept[name] = value
