"""An event: a fact received from outside, immutable and deduplicated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

#: What the hub's own events have in the place of a connection.
HUB = "concord"


class Via(StrEnum):
    """How an event reached the hub."""

    WEBHOOK = "webhook"
    POLL = "poll"
    API = "api"
    FLOW = "flow"
    SCHEDULE = "schedule"
    EDIT = "edit"


#: Why an event is kept back that is about real money at a test account, or the other way round; it starts nothing ever.
MIXED_KINDS = "mixed-kinds"


class EventState(StrEnum):
    """What became of an event: it started runs, no flow wanted it, it waits for a person, or it was turned away.

    Whatever the state, the event is kept whole; a person's order can release it later.
    """

    ACCEPTED = "accepted"
    UNROUTED = "unrouted"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """What a connector's `parse` or a stream makes of a vendor's bytes.

    `type` is prefixed with the connector (`stripe.invoice.finalized`); `data` is the CloudEvents data, which flows
    see as `data`; `record` is the business object in the shape of `schema`, which flows see as `record`. `production`
    is whether the vendor says that it is about real money; None where it does not say.
    """

    external_id: str
    type: str
    occurred_at: datetime
    data: Mapping[str, Any]
    subject: str = ""
    schema: str | None = None
    record: Mapping[str, Any] | None = None
    production: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Which events are meant; None means any.

    - `kind` and `path` are those of a drift finding that the event has; `flagged` asks for any flag at all.
    - `text` is found in the vendor's id, the type or the subject, or is the event's own id.
    """

    state: EventState | None = None
    connection: str | None = None
    type: str | None = None
    schema: str | None = None
    reason: str | None = None
    kind: str | None = None
    path: str | None = None
    flagged: bool = False
    text: str | None = None
