"""An event: a fact received from outside, immutable and deduplicated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Via(StrEnum):
    """How an event reached the hub."""

    WEBHOOK = "webhook"
    POLL = "poll"
    API = "api"


class EventState(StrEnum):
    """What became of an event: it started runs, no flow wanted it, or it could not be read."""

    ACCEPTED = "accepted"
    UNROUTED = "unrouted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    """What a connector's `parse` or a stream makes of a vendor's bytes.

    `type` is prefixed with the connector (`stripe.invoice.finalized`); `data` is the CloudEvents data, which flows
    see as `data`; `record` is the business object in the shape of `schema`, which flows see as `record`.
    """

    external_id: str
    type: str
    occurred_at: datetime
    data: Mapping[str, Any]
    subject: str = ""
    schema: str | None = None
    record: Mapping[str, Any] | None = None
