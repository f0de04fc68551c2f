"""Time zones by their names, and what a wall clock's time is as a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_SECOND = timedelta(seconds=1)


@cache
def zone_names() -> frozenset[str]:
    """Name every time zone that can be used."""
    return frozenset(available_timezones())


def zone_of(name: str) -> ZoneInfo | None:
    """Give a time zone by its name (`Europe/Vienna`); None when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def wall_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """Give what the clocks of a zone show at a moment, without a zone."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give the moment at which the clocks of a zone show a time, in UTC.

    A time that comes twice, because the clocks are put back, is its first coming. One that is left out, because they
    are put forward, is the first moment behind the gap.
    """
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if wall_of(moment, zone) == wall:
        return moment
    before, after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    offset = before.astimezone(zone).utcoffset()
    before, after = before.replace(microsecond=0), after.replace(microsecond=0)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
