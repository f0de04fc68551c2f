"""When something was changed last: by a moment, or by a day and a time of day, which is all that partners have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hub.sdk.errors import OutcomeUnknown

MOMENT = "LastChangeDateTime"
_TIME = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})S)?")


def changed_at(row: Mapping[str, Any]) -> datetime | None:
    """Give when a record was changed last, or made where it never was; None where it does not tell.

    Where the time of day is not told it is the beginning of the day. Raises `OutcomeUnknown` for what cannot be read.
    """
    if row.get(MOMENT):
        return moment_of(row[MOMENT])
    day, time = _names(row)
    return joined(row[day], row.get(time)) if row.get(day) else None


def latest(row: Mapping[str, Any]) -> datetime | None:
    """Give the latest moment at which a record may have been changed last.

    SAP cuts milliseconds, or seconds, off; where the time of day is not told it may be the end of the day.
    """
    changed = changed_at(row)
    if changed is None:
        return None
    lost = timedelta(milliseconds=1)
    if not row.get(MOMENT):
        lost = timedelta(seconds=1) if row.get(_names(row)[1]) else timedelta(days=1)
    return changed + lost - timedelta(microseconds=1)


def is_exact(row: Mapping[str, Any]) -> bool:
    """Tell whether a partner says when it was changed last: one that never was shows the day as none."""
    return "LastChangeDate" in row and bool(row.get(_names(row)[1]))


def _names(row: Mapping[str, Any]) -> tuple[str, str]:
    """Give the names of day and time: of the last change, or of the creation where there was none."""
    kind = "LastChange" if row.get("LastChangeDate") else "Creation"
    return f"{kind}Date", f"{kind}Time"


def joined(day: Any, time: Any) -> datetime:
    """Give the moment of a day and a time such as PT10H30M00S, both in the tenant's time zone, which is UTC."""
    found = _TIME.fullmatch(str(time or "PT0S"))
    try:
        if found is None:
            raise ValueError(time)
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        parts = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return datetime.combine(date.fromisoformat(str(day)), datetime.min.time(), UTC) + parts
    except (ValueError, OverflowError) as error:
        raise OutcomeUnknown("When it was changed cannot be read.", code="unreadable-answer") from error


def moment_of(text: Any) -> datetime:
    """Read a moment as `read_entity` gives it."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError as error:
        raise OutcomeUnknown("When it was changed cannot be read.", code="unreadable-answer") from error
