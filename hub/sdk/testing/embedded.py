"""Trying out a connector without a network: its own function answers, over a shelf in memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from hub.sdk.embedded import Embedded, MemoryShelf
from hub.sdk.exact_json import loads
from hub.sdk.settings import Settings
from hub.sdk.transport import Transport
from hub.sdk.values import Request, Response


class MemoryTransport(Transport):
    """Answers requests as the hub does, but keeps what is kept for as long as the object lasts."""

    def __init__(self, embedded: Embedded, settings: Settings, files: Mapping[str, bytes]) -> None:
        """Begin with an empty shelf; `files` are those of the workspace."""
        super().__init__()
        own = embedded.own(files)
        assert not embedded.flaws(own), f"the files of the samples have flaws: {embedded.flaws(own)}"
        self._answer = embedded.answer
        self._settings = settings
        self._tables = embedded.read(own)
        self.shelf = MemoryShelf()

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Answer one request."""
        return self._answer(self._settings, self._tables, request, self.shelf, datetime.now(UTC))

    def snapshot(self) -> Mapping[str, Any]:
        """Give everything that is kept, by name."""
        return {name: loads(value) for name, value in self.shelf.kept.items()}

    def running(self) -> Any:
        """Stand where a sandbox does: its world has the books, and it announces nothing."""
        return SimpleNamespace(world=SimpleNamespace(books=self), announcement={})
