"""The stream of a feed: made where there is none, brought to what the settings ask, and seen as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.backbone.line import Line, Unwilling
from hub.backbone.names import all_of, stream_of
from hub.backbone.settings import NatsSettings
from hub.errors import Conflict
from hub.model.ambient import to_micros

_SECOND = 1_000_000_000
#: Who publishes the same once more within so many seconds is recognised by the stream itself.
DUPLICATES_SECONDS = 120
#: Under this name the stream says of which data's feed it is.
OWNER = "concord-hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A stream as its server tells of it; numbers are those of messages, times microseconds (0: there is none)."""

    made: str
    messages: int
    size: int
    first: int
    last: int
    first_at: int
    config: Mapping[str, Any]
    copies: int

    @property
    def takes_batches(self) -> bool:
        """Tell whether it takes several messages all or none."""
        return self.config.get("allow_atomic") is True

    @property
    def holes(self) -> int:
        """Count the messages that are missing between the first and the last."""
        return self.last + 1 - self.first - self.messages if self.messages else 0


async def look(line: Line, environment: str) -> Seen | None:
    """See the stream of an environment's feed; None where there is none."""
    found = await line.ask(f"STREAM.INFO.{stream_of(environment)}")
    return None if found is None else _seen(found)


async def prepared(line: Line, environment: str, settings: NatsSettings, *, owner: str) -> Seen:
    """Give the stream, made or changed to what the settings ask; `owner` names the data that it tells of.

    Raises `Conflict` where the stream is another hub's, and `Unwilling` where the server does not make it.
    """
    name, wanted = stream_of(environment), _wanted(environment, settings, owner)
    if line.takes_batches:
        wanted["allow_atomic"] = True
    found = await line.ask(f"STREAM.INFO.{name}")
    if found is None:
        made = await line.ask(f"STREAM.CREATE.{name}", wanted)
        if made is None:
            raise Unwilling("The server makes no stream: JetStream is not on for this account.", stream=name)
        return _seen(made)
    config = found["config"]
    other = (config.get("metadata") or {}).get(OWNER)
    if other != owner:
        raise Conflict(
            f"The stream {name} belongs to another hub that serves an environment of this name. Give each its own "
            "account in NATS, or delete the stream where that hub is no more.",
            code="feed-of-another-hub",
            stream=name,
        )
    if any(config.get(key) != value for key, value in wanted.items() if key != "metadata"):
        changed = await line.ask(f"STREAM.UPDATE.{name}", {**config, **wanted})
        found = changed or found
    return _seen(found)


def _wanted(environment: str, settings: NatsSettings, owner: str) -> dict[str, Any]:
    kept = round(settings.kept.total_seconds()) * _SECOND
    return {
        "name": stream_of(environment),
        "subjects": [all_of(environment)],
        "storage": "file",
        "retention": "limits",
        "discard": "old",
        "max_age": kept,
        "max_bytes": settings.max_bytes or -1,
        "num_replicas": settings.wanted_replicas,
        "duplicate_window": min(DUPLICATES_SECONDS * _SECOND, kept),
        "metadata": {OWNER: owner},
    }


def _seen(found: Mapping[str, Any]) -> Seen:
    state, cluster = found["state"], found.get("cluster") or {}
    return Seen(
        made=str(found["created"]),
        messages=int(state["messages"]),
        size=int(state["bytes"]),
        first=int(state["first_seq"]),
        last=int(state["last_seq"]),
        first_at=_micros(str(state["first_ts"])) if state["messages"] else 0,
        config=found["config"],
        copies=1 + sum(bool(each.get("current")) for each in cluster.get("replicas") or ()),
    )


def _micros(moment: str) -> int:
    """Read a time of NATS, which has nine digits of a second."""
    return max(0, to_micros(datetime.fromisoformat(moment)))
