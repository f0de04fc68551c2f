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

    Raises `OutcomeUnknown` for what cannot be read.
    """
    if row.get(MOMENT):
        return moment_of(row[MOMENT])
    changed = row.get("LastChangeDate")
    if not changed and not row.get("CreationDate"):
        return None
    return joined(changed or row["CreationDate"], row.get("LastChangeTime" if changed else "CreationTime"))


def latest(row: Mapping[str, Any]) -> datetime | None:
    """Give the latest moment at which a record may have been changed last: SAP cuts milliseconds, or seconds, off."""
    changed = changed_at(row)
    lost = timedelta(milliseconds=1) if row.get(MOMENT) else timedelta(seconds=1)
    return None if changed is None else changed + lost - timedelta(microseconds=1)


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
