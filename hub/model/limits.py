"""Limits of an account at a vendor, and who asks for a place under them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.model.run import Priority


class QuotaPer(StrEnum):
    """The time for which a quota counts: a calendar one, beginning anew in the quota's time zone."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for a place: how urgent the work is, and the flow and key between which places are shared evenly."""

    priority: int = Priority.NORMAL
    flow: str = ""
    key: str = ""
