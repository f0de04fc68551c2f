"""Limits of an account at a vendor, and who asks for a place under them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.model.run import Priority

#: A vendor is taken at its word up to so many seconds, half a day: a write whose outcome is unknown has to be repeated
#: while its key is known, for a day at least. What is asked for beyond is taken as this.
LONGEST_PAUSE = 43_200.0


class QuotaPer(StrEnum):
    """The time for which a quota counts: a calendar one, beginning anew in the quota's time zone."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """Up to `count` requests of a quota of `quota`, in the time of it that begins then (microseconds)."""

    per: QuotaPer
    zone: str
    begins: int
    quota: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for a place: how urgent the work is, and the flow and key between which places are shared evenly."""

    priority: int = Priority.NORMAL
    flow: str = ""
    key: str = ""
