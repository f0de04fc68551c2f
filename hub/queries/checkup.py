"""A check-up: single findings about a hub and its machine, each with what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Mark(StrEnum):
    """How a finding is: good, good to know, to be seen to, or wrong."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


_RANK = (Mark.OK, Mark.NOTE, Mark.WARN, Mark.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line: what was looked at, how it is, what was found, and what to do where there is something to do."""

    name: str
    mark: Mark
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckUp:
    """All findings, in the order in which a person reads them."""

    findings: Sequence[Finding]

    @property
    def mark(self) -> Mark:
        """Give the worst of them."""
        return max((finding.mark for finding in self.findings), key=_RANK.index, default=Mark.OK)


def ok(name: str, found: str) -> Finding:
    """Give a finding that is as it must be."""
    return Finding(name=name, mark=Mark.OK, found=found)


def note(name: str, found: str, advice: str = "") -> Finding:
    """Give a finding that is good to know."""
    return Finding(name=name, mark=Mark.NOTE, found=found, advice=advice)


def warn(name: str, found: str, advice: str) -> Finding:
    """Give a finding that somebody should see to."""
    return Finding(name=name, mark=Mark.WARN, found=found, advice=advice)


def fail(name: str, found: str, advice: str) -> Finding:
    """Give a finding that is wrong."""
    return Finding(name=name, mark=Mark.FAIL, found=found, advice=advice)


def look(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> list[Finding]:
    """Make one check; what it cannot look at is a finding too."""
    try:
        found = check()
        return [found] if isinstance(found, Finding) else list(found)
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other checks are made
        return [fail(name, f"cannot be looked at: {plain(error)}", "See the other lines for why, and the hub's log.")]


def plain(error: Exception) -> str:
    """Say what went wrong in one line, without the statement that a database library tells with it."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def span(time: timedelta) -> str:
    """Give a span of time as people say it."""
    seconds = max(0, round(time.total_seconds()))
    for size, word in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}"
    return f"{seconds} seconds"
