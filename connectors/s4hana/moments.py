"""When something was changed last: by a moment, or by a day and a time of day, which is all that partners have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.s4hana.odata import answers
from connectors.s4hana.odata.model import EntitySet

MOMENT = "LastChangeDateTime"
_UNREADABLE = "When it was changed cannot be read."
_TIME = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})S)?")


def changed_at(entity: EntitySet, row: Mapping[str, Any]) -> datetime | None:
    """Give when a record was changed last, or made where it never was; None where it does not tell.

    Where the time of day is not told it is the beginning of the day. Raises `OutcomeUnknown` for what cannot be read.
    """
    if is_told(row, MOMENT):
        return moment_of(entity, row)
    kind = _kind(row)
    return joined(entity, row, kind) if is_told(row, f"{kind}Date") else None


def latest(entity: EntitySet, row: Mapping[str, Any]) -> datetime | None:
    """Give the latest moment at which a record may have been changed last.

    SAP cuts milliseconds, or seconds, off; where the time of day is not told it may be the end of the day.
    """
    changed = changed_at(entity, row)
    if changed is None:
        return None
    lost = timedelta(milliseconds=1)
    if not is_told(row, MOMENT):
        lost = timedelta(seconds=1) if is_told(row, f"{_kind(row)}Time") else timedelta(days=1)
    return changed + lost - timedelta(microseconds=1)


def is_exact(row: Mapping[str, Any]) -> bool:
    """Tell whether a partner says when it was changed last: one that never was shows the day as none."""
    return "LastChangeDate" in row and is_told(row, f"{_kind(row)}Time")


def is_told(row: Mapping[str, Any], name: str) -> bool:
    """Tell whether something stands in a field, be it readable or not."""
    return row.get(name) is not None and row[name] != ""


def _kind(row: Mapping[str, Any]) -> str:
    """Tell by which day and time a record goes: of the last change, or of the creation where there was none."""
    return "LastChange" if is_told(row, "LastChangeDate") else "Creation"


def joined(entity: EntitySet, row: Mapping[str, Any], kind: str) -> datetime:
    """Give the moment of a day and a time such as PT10H30M00S, both in the tenant's time zone, which is UTC."""
    day: Any = row.get(f"{kind}Date")
    time = row[f"{kind}Time"] if is_told(row, f"{kind}Time") else "PT0S"
    found = _TIME.fullmatch(time) if isinstance(time, str) else None
    if found is None:
        raise answers.unreadable(entity, f"{kind}Time", time, _UNREADABLE)
    try:
        hours, minutes, seconds = (int(part or 0) for part in found.groups())
        parts = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + parts
    except (TypeError, ValueError, OverflowError) as error:
        raise answers.unreadable(entity, f"{kind}Date", day, _UNREADABLE) from error


def moment_of(entity: EntitySet, row: Mapping[str, Any]) -> datetime:
    """Read the moment of a record's last change as `read_entity` gives it."""
    text: Any = row.get(MOMENT)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise answers.unreadable(entity, MOMENT, text, _UNREADABLE) from error
