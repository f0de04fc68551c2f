"""The audit log as people read it: what happened, by whom, about what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.model.ambient import of_micros
from hub.queries.actors import called
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import audit as stored
from hub.store import people


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One entry: its place in its log, its kind with the sentence that explains it, and its facts."""

    log: str
    sequence: int
    at: datetime
    kind: str
    explanation: str
    actor: str
    actor_name: str
    subjects: Mapping[str, str]
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage:
    """Some entries, newest first, and from where the older ones go on (None: there are none)."""

    lines: tuple[AuditLine, ...]
    older: str | None


def recent(view: View, *, limit: int = 100) -> tuple[AuditLine, ...]:
    """List the newest entries."""
    return page(view, limit=limit).lines


def page(view: View, *, before: str | None = None, limit: int = 100) -> AuditPage:
    """List the newest entries, or those before what a page said (`older`); what is no such word is left out."""
    bounds = _bounds(before)
    with view.database.reading() as connection:
        rows = stored.recent(connection, limit=limit, before=bounds)
        names = people.names(connection)
        ends = {head.log: bounds.get(head.log, head.size + 1) for head in stored.logs(connection)}
    lines = tuple(_line(row, names) for row in rows)
    # Those of a log come in order, the newest first.
    ends |= {line.log: line.sequence for line in lines}
    more = any(sequence > 1 for sequence in ends.values())
    return AuditPage(lines=lines, older=",".join(f"{log}:{end}" for log, end in ends.items()) if more else None)


def _bounds(before: str | None) -> dict[str, int]:
    """Read from which number on the entries of each log are older."""
    parts = [each.rpartition(":") for each in (before or "").split(",")]
    return {log: int(end) for log, _, end in parts if log and end.isdecimal() and len(end) < 19}


def _line(row: Mapping[str, Any], names: Mapping[str, str]) -> AuditLine:
    entry = exact_json.loads(row["entry"])
    actor = entry["actor"]
    return AuditLine(
        log=row["chain"],
        sequence=row["sequence"],
        at=of_micros(row["at"]),
        kind=row["kind"],
        explanation=_explanation(row["kind"]),
        actor=actor,
        actor_name=called(actor, names),
        subjects=entry["subjects"],
        facts=entry["facts"],
    )


def _explanation(kind: str) -> str:
    try:
        return AuditKind(kind).explanation  # type: ignore[call-arg]
    except ValueError:
        return kind
