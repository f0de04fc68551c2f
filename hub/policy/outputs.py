"""Whether a value may stand as an output of a policy, and the order of moments among outputs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from hub.model.durations import duration
from hub.model.kinds import Kind, kind_of, shown
from hub.policy.form import Given

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def fault(declared: Given, value: Any) -> str | None:
    """Say what is wrong with an output's value, as the end of a sentence; None when it fits."""
    kind = kind_of(value)
    if kind not in declared.shape.kinds:
        return f"is {_wanted(declared)}, and {shown(value)} is not"
    if declared.shape.values is not None and value not in declared.shape.values:
        return f"is {_wanted(declared)}, and {shown(value)} is not"
    if kind is Kind.NUMBER:
        whole = not declared.shape.whole or value == int(value)
        low, high = declared.least, declared.most
        if not whole or (low is not None and value < low) or (high is not None and value > high):
            return f"is {_wanted(declared)}, and {shown(value)} is not"
    if declared.shape.format == "date-time" and moment(value) is None:
        return f"is {_wanted(declared)}, and {shown(value)} is not"
    if declared.shape.format == "duration" and not duration(value):
        return f"is {_wanted(declared)}, and {shown(value)} is not"
    if kind is Kind.STRING and not value.strip():
        return "may not be empty"
    return None


def moment(text: str) -> datetime | None:
    """Read a date (its beginning in UTC) or a moment with its offset; None when it is neither."""
    try:
        if _DATE.fullmatch(text):
            return datetime.combine(date.fromisoformat(text), time(), UTC)
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if read.tzinfo is None else read.astimezone(UTC)


def _wanted(declared: Given) -> str:
    shape = declared.shape
    if shape.values is not None:
        return " or ".join(f"`{value}`" for value in shape.values)
    if shape.format == "date-time":
        return "a date such as `2026-01-31` or a moment such as `2026-01-31T18:00:00Z`"
    if shape.format == "duration":
        return "a span of time such as `PT4H` or `P2D`"
    if Kind.NUMBER in shape.kinds:
        noun = "a whole number" if shape.whole else "a number"
        return f"{noun} from {_plain(declared.least)} to {_plain(declared.most)}"
    return "a text"


def _plain(number: Decimal | None) -> str:
    return "any" if number is None else f"{number:f}"
