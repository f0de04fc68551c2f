"""APScheduler's triggers, as the schedules of flows need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from hub.errors import FixData
from hub.intake.moments import Trigger, WallTrigger
from hub.model.cron import BadCron, Cron, read_cron
from hub.model.flow import Schedule
from hub.model.zones import moment_of, zone_of

#: A Monday midnight; what repeats every fifteen minutes, or every week, is counted from here in its own zone.
ANCHOR = datetime(2001, 1, 1)  # noqa: DTZ001 - a time of the wall clock; its zone is the schedule's
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_INSTANT = timedelta(microseconds=1)


@lru_cache(maxsize=512)
def trigger_of(cron: str | None, every: timedelta | None, zone: str) -> Trigger:
    """Give the trigger of a schedule's times; raises `FixData` for times that no lint would have let through."""
    place = zone_of(zone)
    if place is None:
        raise FixData("There is no such time zone.", code="unknown-zone", zone=zone)
    if cron is not None:
        try:
            return WallTrigger(_Walls(read_cron(cron)), place)
        except BadCron as error:
            raise FixData(str(error), code="bad-cron", cron=cron) from None
    if every is None or every < timedelta(seconds=1):
        raise FixData("A schedule has a cron line, or an interval of a second or more.", code="bad-schedule")
    return _Spans(every, moment_of(ANCHOR, place))


def of_schedule(schedule: Schedule) -> Trigger:
    """Give the trigger of a flow's schedule."""
    return trigger_of(schedule.cron, schedule.every, schedule.zone)


class _Walls:
    """The times of a cron line on a clock that is never put forward or back."""

    def __init__(self, cron: Cron) -> None:
        """Make APScheduler's trigger, or two where days of the month and of the week each count by themselves."""
        # Its own reading of a line takes Monday for 0 and both kinds of days together, which no other cron does.
        days = {"day": _listed(cron.days)}
        weekdays = {"day_of_week": ",".join(_WEEKDAYS[value] for value in sorted(cron.weekdays))}
        ways: Sequence[dict[str, str]] = [days, weekdays] if cron.either else [{**days, **weekdays}]
        times = {"month": _listed(cron.months), "hour": _listed(cron.hours), "minute": _listed(cron.minutes)}
        # One that never comes would be looked for until the year 9999.
        self._triggers = [] if cron.never else [CronTrigger(**times, **way, timezone=UTC) for way in ways]

    def __call__(self, wall: datetime) -> datetime | None:
        """Give the first time after this one."""
        begin = (wall + _INSTANT).replace(tzinfo=UTC)
        found = [trigger.get_next_fire_time(None, begin) for trigger in self._triggers]
        return min((each.replace(tzinfo=None) for each in found if each is not None), default=None)


class _Spans:
    """Due again and again after the same span of elapsed time."""

    def __init__(self, every: timedelta, anchor: datetime) -> None:
        """Count from a moment that every process knows, so that all agree on what is due."""
        self._trigger = IntervalTrigger(days=every.days, seconds=every.seconds, start_date=anchor, timezone=UTC)

    def after(self, moment: datetime) -> datetime | None:
        """Give the first due moment after this one."""
        due: datetime | None = self._trigger.get_next_fire_time(None, moment + _INSTANT)
        return due


def _listed(values: frozenset[int]) -> str:
    return ",".join(map(str, sorted(values)))
