"""A hold: what people can stop for a while, so that nothing new of it goes out until they let it go on."""

from __future__ import annotations

from enum import StrEnum


class HoldKind(StrEnum):
    """What can be held; a `key` is one of a flow. A connection's hold is what screens call paused."""

    RUN = "run"
    KEY = "key"
    FLOW = "flow"
    CONNECTION = "connection"
