"""What one running sandbox is made of: its clock, its dice, its faults, its books and its request log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Any, Protocol

from hub.sandbox.clock import Clock
from hub.sandbox.evolving import Change
from hub.sandbox.faults import FaultEngine
from hub.sandbox.request_log import RequestLog

#: Posts a webhook; gives the status that it was answered with, or None when nobody answered.
Post = Callable[[str, Mapping[str, str], bytes, float], Awaitable[int | None]]


class Books(Protocol):
    """What a vendor holds: the truth that a hub is judged by."""

    def announce(self) -> Mapping[str, Any]:
        """Give what a client must know at start beside the address, such as keys (all values are invented)."""
        ...

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create what the wish asks for, through the same code as the vendor's API, and tell what was made.

        Raises `ValueError` with a sentence for a wish that makes no sense.
        """
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """Give everything that was accepted, as JSON values."""
        ...

    async def reset(self) -> None:
        """Forget everything."""
        ...


class EmptyBooks:
    """Books of a sandbox that keeps none."""

    def announce(self) -> Mapping[str, Any]:
        """Announce nothing."""
        return {}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        """Refuse every wish that asks for something."""
        if wish:
            raise ValueError("This sandbox has no books to seed.")
        return {}

    def snapshot(self) -> Mapping[str, Any]:
        """Give nothing."""
        return {}

    async def reset(self) -> None:
        """Nothing to forget."""


class World:
    """One running sandbox; a vendor's `build` sets `books` and reads the rest.

    `random` is seeded: what a vendor draws from it is the same for the same seed. Faults have dice of their own.
    """

    def __init__(
        self, *, name: str, seed: int, fault_kinds: frozenset[str] = frozenset(), clock: Clock | None = None
    ) -> None:
        """Start with an empty log, no faults, and dice from `seed`; `fault_kinds` are the vendor's own.

        A simulation brings its own clock.
        """
        self.name = name
        self.seed = seed
        self.clock = clock or Clock()
        self.random = Random(f"{name}:{seed}")  # dice of a simulation, nothing secret
        self.faults = FaultEngine(seed=f"{name}:{seed}", clock=self.clock, vendor_kinds=fault_kinds)
        self.requests = RequestLog(clock=self.clock)
        self.books: Books = EmptyBooks()
        #: What is under way, in a few numbers; shown by the control API's `health`.
        self.progress: Callable[[], Mapping[str, Any]] = dict
        #: How a webhook is posted (address, headers, body, seconds), giving the status; None: over HTTP.
        self.post: Post | None = None
        #: When requests whose caller was let down will be executed, by the clock's monotonic seconds.
        self.late: list[float] = []
        #: Fields that say which thing an answer is about, beside `id` and its like: faults change them.
        self.names: frozenset[str] = frozenset()
        #: How its answers have changed since the vendor's present release.
        self.changes: Sequence[Change] = ()
        #: Where the sandbox listens; known once it serves.
        self.url = ""

    async def reset(self) -> None:
        """Go back to the start: books, log, faults, shapes and dice."""
        await self.books.reset()
        self.requests.clear()
        self.faults.replace([])
        self.changes = ()
        self.random.seed(f"{self.name}:{self.seed}")
