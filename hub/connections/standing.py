"""How one account's budget stands: what is shown to people, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.connections.bounds import Bound, Quota
from hub.connections.breaker import BreakerState
from hub.errors import LimitKind
from hub.sdk.connector import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The last time something kept a request from being served: a limit (`kind`), or the target itself (None)."""

    at: datetime
    kind: LimitKind | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """A quota that applies, and what is gone of it in the time that ends then; None: not asked for yet."""

    quota: Quota
    used: int | None
    ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A budget at one moment; counts are those of this process.

    `limits` is the lowest of all sources but for `quotas`, `by` names the source of each, and `bounds` is what each
    source says. `preparing` have a permit and are made durable before they go out; `waiting` is the row by class of
    urgency.
    """

    budget: str
    limits: Limits
    by: Mapping[str, str]
    bounds: Sequence[Bound]
    learned_rate: float | None
    learned_concurrency: int | None
    in_flight: int
    preparing: int
    waiting: Mapping[int, int]
    started: int
    quotas: Sequence[QuotaUse]
    paused_until: datetime | None
    breaker: BreakerState
    opened_at: datetime | None
    probe_at: datetime | None
    probes: int
    refusal: Refusal | None
    refusals: int
