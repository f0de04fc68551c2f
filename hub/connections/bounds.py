"""Limits by source, and the lowest of them: what applies to one external account at this moment."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from hub.connections.quota import LENGTHS
from hub.model.limits import QuotaPer
from hub.sdk.connector import Limits

MICROS = 1_000_000
#: What may start at once when nobody says otherwise: this share of the rate, and at least two.
_BURST = 10
#: Rates are told apart to this part of one.
_PARTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What one source says of an account; `source` is for people, such as `vendor` or `policy night-throttle`."""

    source: str
    concurrency: int | None = None
    rate: float | None = None
    per: int = 1
    burst: int | None = None
    quota: int | None = None
    quota_per: QuotaPer = QuotaPer.DAY
    quota_zone: str = "UTC"

    @property
    def pace(self) -> float | None:
        """Give the requests a second, on average."""
        return None if self.rate is None else self.rate / self.per


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `count` starts in any `micros` microseconds."""

    count: int
    micros: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """At most `count` requests in each calendar time of a zone; `source` says so."""

    count: int
    per: QuotaPer
    zone: str
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lowest:
    """What applies: every window and every quota of every source, and of the other limits the lowest.

    `limits` has no quota: of `quotas` there is the lowest of each calendar time and zone. `every` is how many
    microseconds lie between two starts at the lowest rate. `by` names the source that decides each limit of which one
    applies: `concurrency`, `rate`, `burst`.
    """

    limits: Limits
    windows: tuple[Window, ...] = ()
    every: int | None = None
    burst: int = 1
    quotas: tuple[Quota, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)


#: Gives what every source says at a moment.
Bounds = Callable[[datetime], Sequence[Bound]]


def of_vendor(limits: Limits, source: str = "vendor") -> Bound:
    """Give what a connector declares, as one source."""
    return Bound(
        source=source,
        concurrency=limits.concurrency,
        rate=limits.rate,
        per=limits.per,
        burst=limits.burst,
        quota=limits.quota,
        quota_per=limits.quota_per,
        quota_zone=limits.quota_zone,
    )


def lowest(bounds: Sequence[Bound]) -> Lowest:
    """Give what applies of several sources."""
    by: dict[str, str] = {}
    concurrency, by["concurrency"] = min(
        ((bound.concurrency, bound.source) for bound in bounds if bound.concurrency is not None),
        default=(Limits().concurrency, "default"),
        key=_first,
    )
    paced = [(bound.pace, bound) for bound in bounds if bound.pace is not None]
    slowest = min(paced, key=_first)[1] if paced else None
    burst = 1
    if slowest is not None and slowest.rate is not None:
        by["rate"] = by["burst"] = slowest.source
        burst = usual_burst(slowest.rate)
        said = [(bound.burst, bound.source) for bound in bounds if bound.burst is not None]
        if said:
            burst, by["burst"] = min(said, key=_first)
    return Lowest(
        limits=Limits(
            concurrency=concurrency,
            rate=None if slowest is None else slowest.rate,
            per=1 if slowest is None else slowest.per,
            burst=None if slowest is None else burst,
        ),
        windows=tuple(
            dict.fromkeys(
                window for bound in bounds if bound.rate is not None for window in windows(bound.rate, bound.per)
            )
        ),
        every=None if slowest is None or slowest.pace is None else interval(slowest.pace),
        burst=burst,
        quotas=_quotas(bounds),
        by=by,
    )


def _quotas(bounds: Sequence[Bound]) -> tuple[Quota, ...]:
    """Give the lowest quota of each time and zone, that with the fewest requests for its time first.

    None of them makes another needless: a hundred a day may all go out within an hour that allows ten.
    """
    found: dict[tuple[QuotaPer, str], Quota] = {}
    for bound in bounds:
        if bound.quota is None:
            continue
        known = found.get((bound.quota_per, bound.quota_zone))
        if known is None or bound.quota < known.count:
            quota = Quota(count=bound.quota, per=bound.quota_per, zone=bound.quota_zone, source=bound.source)
            found[quota.per, quota.zone] = quota
    return tuple(sorted(found.values(), key=lambda quota: Fraction(quota.count, LENGTHS[quota.per])))


def windows(rate: float, per: int) -> tuple[Window, ...]:
    """Give the windows that a rate means: a part of one request is counted over as many times as make it whole.

    Two and a half a second are five in two seconds, and never more than three in one.
    """
    share = Fraction(max(math.floor(rate * _PARTS + 1e-6), 1), _PARTS)
    whole = Window(count=share.numerator, micros=per * share.denominator * MICROS)
    if share.denominator == 1 or share < 1:
        return (whole,)
    return whole, Window(count=math.ceil(share), micros=per * MICROS)


def usual_burst(rate: float) -> int:
    """Give how many may start at once where nothing else is said."""
    return min(max(2, math.ceil(rate / _BURST)), max(1, math.floor(rate)))


def interval(pace: float) -> int:
    """Give the microseconds between two starts at so many a second; never a little too few."""
    return max(math.ceil(MICROS / pace - 1e-6), 1)


def _first(pair: tuple[int | float | None, object]) -> int | float:
    return pair[0] or 0
