"""When a schedule is due: moments computed from wall clock times or spans, in a time zone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from hub.model.flow import Schedule
from hub.model.zones import moment_of, wall_of

#: The shortest span in which two times of a schedule can follow each other.
_SHORTEST = timedelta(seconds=1)


class Trigger(Protocol):
    """Knows when something is due next."""

    def after(self, moment: datetime) -> datetime | None:
        """Give the first due moment after this one, in UTC; None when there is none any more."""
        ...


Triggers = Callable[[Schedule], Trigger]


class WallTrigger:
    """Due at times of a wall clock: `following` gives the first of them after a time, both without a zone.

    A time that the clocks leave out is due at the first moment behind the gap, together with what is due then anyway;
    an hour that comes twice is due at its first coming only.
    """

    def __init__(self, following: Callable[[datetime], datetime | None], zone: ZoneInfo) -> None:
        """Take the times and the zone whose clocks show them."""
        self._following = following
        self._zone = zone

    def after(self, moment: datetime) -> datetime | None:
        """Give the first due moment after this one."""
        wall = self._following(wall_of(moment, self._zone))
        while wall is not None:
            due = moment_of(wall, self._zone)
            if due > moment:
                return due
            # These are the times of an hour that has come already, and comes again.
            wall = self._following(wall)
        return None


def last_dues(trigger: Trigger, first: datetime, now: datetime, most: int) -> list[datetime]:
    """Give the last due moments from `first` to `now`, both included, at most `most` of them, the oldest first.

    It looks back from `now` as far as it must, so that a `first` of long ago costs nothing.
    """
    span = _SHORTEST * most
    while True:
        begin = max(first, now - span)
        found: deque[datetime] = deque(maxlen=most)
        due = trigger.after(begin - timedelta(microseconds=1))
        while due is not None and due <= now:
            found.append(due)
            due = trigger.after(due)
        if begin <= first or len(found) == most:
            return list(found)
        span *= 2
