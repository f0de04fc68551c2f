"""The reference consumer of a feed: each fact once, from a moment on, through everything that may befall the stream.

What it remembers is in memory: a consumer that must go on where it was after its own end keeps what it has taken, by
`source` and `id`, where it keeps its results.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.backbone.line import Away, Line, NoStream, connected
from hub.backbone.names import stream_of, wanted
from hub.backbone.settings import NatsSettings
from hub.backbone.stream import Seen, look
from hub.errors import FixData
from hub.sdk import exact_json

#: So many of the last facts are known again when they come once more.
REMEMBERED = 200_000
#: A page that is not full ends after so many seconds; and so long is waited before another try.
_PAGE_SECONDS, _PAUSE = 5.0, 0.3

Envelope = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Which part of a feed is wanted: from when on (None: what comes from now on), which types, and which key.

    A `type` that ends in `.*` stands for all that begin so.
    """

    since: datetime | None = None
    type: str | None = None
    key: str | None = None

    def fits(self, envelope: Envelope) -> bool:
        """Tell whether a fact is of the wanted type and key: a partition has more than one key in it."""
        if self.key is not None and envelope.get("partitionkey") != self.key:
            return False
        if self.type is None or self.type == "*":
            return True
        told = str(envelope.get("type"))
        return told.startswith(self.type[:-1]) if self.type.endswith(".*") else told == self.type


class Follower:
    """Reads one environment's feed; `facts` may be gone through once."""

    def __init__(self, settings: NatsSettings, environment: str, wish: Wish, *, name: str = "concord feed") -> None:
        """Take what is wanted; `name` is what the servers' monitoring shows."""
        self._settings = settings
        self._environment = environment
        self._wish = wish
        self._name = name
        self._remembered: OrderedDict[tuple[str, str], None] = OrderedDict()
        #: The stream, and the number of the last message that was read of it.
        self._made = ""
        self._number = 0
        self._began: datetime | None = wish.since
        #: Called when the connection is lost or cannot be made, with the reason.
        self.on_away: Callable[[str], None] = lambda _reason: None

    async def facts(self, *, now: datetime, follow: bool) -> AsyncGenerator[Envelope]:
        """Give the facts; with `follow` for ever, else those that are there by now.

        `now` is where a follower begins that was not told since when. Without `follow`, raises `Away` when NATS does
        not answer and `NoStream` when there is no feed.
        """
        while True:
            try:
                async with connected(self._settings, name=self._name) as line:
                    async for envelope in self._over(line, now=now, follow=follow):
                        yield envelope
            except (Away, NoStream) as error:
                if not follow:
                    raise
                self.on_away(str(error))
                await asyncio.sleep(_PAUSE)
            else:
                return

    async def _over(self, line: Line, *, now: datetime, follow: bool) -> AsyncGenerator[Envelope]:
        seen = await look(line, self._environment)
        if seen is None:
            raise NoStream(stream=stream_of(self._environment))
        subjects = wanted(self._environment, key=self._wish.key, type=self._wish.type)
        begin = self._begin(seen, now)
        async with line.reading(stream_of(self._environment), begin, subjects=subjects) as reading:
            left = reading.pending
            while follow or left:
                async for message in reading.page(_PAGE_SECONDS):
                    self._number, left = message.number, message.left
                    envelope = self._new(message.content)
                    if envelope is not None:
                        yield envelope
                    if not (follow or left):
                        break

    def _begin(self, seen: Seen, now: datetime) -> dict[str, Any]:
        if self._made == seen.made and seen.last >= self._number > 0:
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": self._number + 1}
        fresh, self._made, self._number = not self._made, seen.made, 0
        if fresh and self._began is None:
            # From the stream's end: what this machine's clock says does not matter.
            self._began = now
            return {"deliver_policy": "by_start_sequence", "opt_start_seq": seen.last + 1}
        assert self._began is not None
        # What was told again stands behind its time, and is known again.
        return {"deliver_policy": "by_start_time", "opt_start_time": self._began.isoformat()}

    def _new(self, content: bytes) -> Envelope | None:
        """Read a message; None where it is not wanted, or was there before."""
        try:
            envelope: dict[str, Any] = exact_json.loads(content)
            name = (str(envelope["source"]), str(envelope["id"]))
            recorded = datetime.fromisoformat(str(envelope["recordedtime"]))
        except (FixData, KeyError, TypeError, ValueError):
            return None
        early = self._wish.since is not None and recorded < self._wish.since
        if early or not self._wish.fits(envelope) or name in self._remembered:
            return None
        self._remembered[name] = None
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return envelope
