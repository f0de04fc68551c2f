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


def recent(view: View, *, before: int | None = None, limit: int = 100) -> tuple[AuditLine, ...]:
    """List the newest entries, from before the number `before`."""
    with view.database.reading() as connection:
        rows = stored.recent(connection, limit=limit, before=before)
        names = people.names(connection)
    return tuple(_line(row, names) for row in rows)


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
