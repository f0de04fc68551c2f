"""The times of a schedule must be such as come, in a zone that there is, and its alarm later than its next start."""

from __future__ import annotations

from datetime import timedelta

from hub.model.cron import BadCron, longest_pause, read_cron
from hub.model.durations import duration
from hub.model.zones import zone_names
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Node, text_of

SHORTEST = timedelta(seconds=1)


def lint_schedule(schedule: Keyed, lints: Lints) -> None:
    """Add a lint for times that cannot be read or never come, and for an alarm that would come before a start."""
    zone, dead_man = schedule.get("zone"), schedule.get("dead_man")
    if zone is not None and text_of(zone) not in zone_names():
        message = f"There is no time zone `{text_of(zone)}`."
        lints.error(zone, "unknown-zone", message, nearest(text_of(zone), zone_names()))
    pause = _pause(schedule, lints)
    if dead_man is None or pause is None:
        return
    longest = duration(text_of(dead_man))
    if longest is not None and longest <= pause:
        message = f"Up to {_told(pause)} lie between two starts, so that this alarm would come without any fault."
        lints.warn(dead_man, "dead-man-too-short", message, f"Write more than {_told(pause)}.")


def _pause(schedule: Keyed, lints: Lints) -> timedelta | None:
    """Give the longest time between two starts; None after a lint."""
    every, cron = schedule.get("every"), schedule.get("cron")
    if every is not None:
        span = duration(text_of(every))
        if span is None or span < SHORTEST:
            lints.error(every, "too-often", "A flow starts once in a second at the most.", "Write `PT1S` or more.")
            return None
        return span
    return None if cron is None else _pause_of(cron, lints)


def _pause_of(cron: Node, lints: Lints) -> timedelta | None:
    try:
        read = read_cron(text_of(cron))
    except BadCron as error:
        lints.error(cron, "bad-cron", str(error), 'Such as `"0 6 * * MON-FRI"`: at six on working days.')
        return None
    if read.never:
        lints.error(cron, "never-due", "No month has such a day, so that it never starts.", "Choose another day.")
        return None
    return longest_pause(read)


def _told(span: timedelta) -> str:
    hours, rest = divmod(int(span.total_seconds()), 3600)
    if rest:
        return f"{hours * 60 + rest // 60} minutes"
    return f"{hours // 24} days" if hours % 24 == 0 and hours > 24 else f"{hours} hours"
