"""Quotas: requests counted in calendar times of a zone, taken in blocks that are durable before they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hub.model.limits import QuotaPer

#: Seconds of each time, to compare quotas of different ones.
LENGTHS: Mapping[QuotaPer, int] = {
    QuotaPer.HOUR: 3600,
    QuotaPer.DAY: 86_400,
    QuotaPer.WEEK: 604_800,
    QuotaPer.MONTH: 2_592_000,
}
#: A block is this part of what is left of a quota, and never more than `LARGEST_BLOCK`: as much is lost by a crash.
_PART = 50
LARGEST_BLOCK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One time of a quota: from its beginning until the next one's, in UTC."""

    begins: datetime
    ends: datetime


def term(moment: datetime, per: QuotaPer, zone: str) -> Term:
    """Give the time of a quota that a moment belongs to.

    Days begin at midnight in the zone, or at the first moment after it on a day that has no midnight.
    """
    here = ZoneInfo(zone)
    local = moment.astimezone(here)
    if per is QuotaPer.HOUR:
        # Counted in UTC, so that the hour that comes twice is two hours.
        begins = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        odd = timedelta(minutes=(local.utcoffset() or timedelta()) / timedelta(minutes=1) % 60)
        begins -= odd
        if moment - begins >= timedelta(hours=1):
            begins += timedelta(hours=1)
        return Term(begins=begins, ends=begins + timedelta(hours=1))
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match per:
        case QuotaPer.DAY:
            first, following = day, day + timedelta(days=1)
        case QuotaPer.WEEK:
            first = day - timedelta(days=day.weekday())
            following = first + timedelta(days=7)
        case QuotaPer.MONTH:
            first = day.replace(day=1)
            following = (first + timedelta(days=32)).replace(day=1)
    return Term(begins=_moment(first, here), ends=_moment(following, here))


def block(left: int) -> int:
    """Give how many of so many unused requests are taken at once."""
    return min(max(left // _PART, 1), LARGEST_BLOCK, left)


def _moment(local: datetime, zone: ZoneInfo) -> datetime:
    # The same wall time read anew: its offset may be another than that of the moment it was made from.
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)
