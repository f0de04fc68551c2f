"""What each external account may be asked for, which source says so, what was learned, and who waits for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.connections.accounts import Account
from hub.connections.bounds import Bound
from hub.connections.breaker import BreakerState
from hub.connections.standing import QuotaUse, Refusal
from hub.model.limits import QuotaPer
from hub.model.run import Priority

#: What may be limited, in the order in which it is shown.
LIMITED = ("concurrency", "rate", "burst", "quota")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What one source says; `decides` names what applies because of it."""

    source: str
    concurrency: int | None
    rate: float | None
    per: int
    burst: int | None
    quota: int | None
    quota_per: QuotaPer
    quota_zone: str
    decides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaStanding:
    """A quota that applies; `used` in the time that ends then is None until it has been asked for."""

    count: int
    per: QuotaPer
    zone: str
    source: str
    used: int | None
    ends: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The budget of one external account; counts are those of this process, but for `waiting_runs` and the quotas.

    `rate` requests may start in `per` seconds, of which `burst` at once. `preparing` requests are made durable before
    they go out, `waiting` are in the row by class of urgency, and `waiting_runs` wait for it in the database.
    """

    name: str
    connections: tuple[str, ...]
    sources: tuple[Source, ...]
    concurrency: int
    rate: float | None
    per: int
    burst: int | None
    learned_concurrency: int | None
    learned_rate: float | None
    in_flight: int
    preparing: int
    waiting: Mapping[str, int]
    waiting_runs: int
    started: int
    quotas: tuple[QuotaStanding, ...]
    paused_until: datetime | None
    breaker: BreakerState
    opened_at: datetime | None
    probe_at: datetime | None
    probes: int
    last_refusal: Refusal | None
    refusals: int


def budget_of(account: Account, accounts: Mapping[str, Account], waiting: Mapping[str, int]) -> Budget:
    """Give the budget of a connection; `waiting` is how many runs wait durably for each budget."""
    standing = account.limiter.standing()
    limits, by = standing.limits, standing.by
    return Budget(
        name=standing.budget or account.name,
        connections=tuple(sorted(each.name for each in accounts.values() if each.limiter is account.limiter)),
        sources=tuple(_source(bound, by, standing.quotas) for bound in standing.bounds if _says(bound)),
        concurrency=limits.concurrency,
        rate=limits.rate,
        per=limits.per,
        burst=limits.burst,
        learned_concurrency=standing.learned_concurrency,
        learned_rate=None if standing.learned_rate is None else round(standing.learned_rate, 2),
        in_flight=standing.in_flight,
        preparing=standing.preparing,
        waiting={Priority(priority).name.lower(): number for priority, number in standing.waiting.items()},
        waiting_runs=waiting.get(standing.budget, 0),
        started=standing.started,
        quotas=tuple(_quota(use) for use in standing.quotas),
        paused_until=standing.paused_until,
        breaker=standing.breaker,
        opened_at=standing.opened_at,
        probe_at=standing.probe_at,
        probes=standing.probes,
        last_refusal=standing.refusal,
        refusals=standing.refusals,
    )


def _says(bound: Bound) -> bool:
    return any(getattr(bound, name) is not None for name in LIMITED)


def _quota(use: QuotaUse) -> QuotaStanding:
    quota = use.quota
    return QuotaStanding(
        count=quota.count, per=quota.per, zone=quota.zone, source=quota.source, used=use.used, ends=use.ends
    )


def _source(bound: Bound, by: Mapping[str, str], quotas: Sequence[QuotaUse]) -> Source:
    deciding = [name for name in LIMITED if by.get(name) == bound.source and getattr(bound, name) is not None]
    said = (bound.source, bound.quota, bound.quota_per, bound.quota_zone)
    if said in [(use.quota.source, use.quota.count, use.quota.per, use.quota.zone) for use in quotas]:
        deciding.append("quota")
    return Source(
        source=bound.source,
        concurrency=bound.concurrency,
        rate=bound.rate,
        per=bound.per,
        burst=bound.burst,
        quota=bound.quota,
        quota_per=bound.quota_per,
        quota_zone=bound.quota_zone,
        decides=tuple(deciding),
    )
