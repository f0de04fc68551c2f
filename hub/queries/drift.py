"""Drift and schemas as lists and pages show them: what differs since when, and which versions are in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from hub.model.ambient import of_micros, to_micros
from hub.queries.view import View
from hub.schemas.drift import DriftKind
from hub.schemas.series import Series, VersionTerms
from hub.schemas.versions import split, version_key
from hub.store import drift as stored
from hub.store.tables import events
from hub.workspace.bundle import Bundle

#: How far back the use of schemas is counted.
IN_USE = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """One way in which payloads of a connection differ from a schema: how often, since when, with an example.

    `event_id` is the latest event that showed it, `action` what was done with that one. The example is None for who
    may not see payloads, and where there is none; so is the detail of a new value, which is that value.
    """

    connection: str
    schema: str
    series: str
    kind: str
    path: str
    detail: str | None
    count: int
    first_seen: datetime
    last_seen: datetime
    example: str | None
    event_id: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRow:
    """One version of a series: its terms, and the events of the last seven days that claimed it.

    `read_as` is the registered version that a claimed one is read as; None where it is registered itself.
    """

    name: str
    version: str
    deprecated: date | None
    sunset: date | None
    note: str
    read_as: str | None
    events: int
    last_seen: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """A series of schemas with its versions, the newest first, and what drifts in it."""

    name: str
    title: str
    owner: str
    compatibility: str
    versions: tuple[VersionRow, ...]
    drift: tuple[DriftRow, ...]

    @property
    def in_use(self) -> bool:
        """Tell whether events claimed it lately, or differ from it."""
        return bool(self.drift) or any(version.events for version in self.versions)


def listing(
    view: View,
    *,
    payloads: bool,
    connection: str | None = None,
    schema: str | None = None,
    kind: str | None = None,
) -> tuple[DriftRow, ...]:
    """List what differs, what was seen last at first; `schema` is a version's name or a whole series'."""
    with view.database.reading() as reading:
        rows = stored.listing(reading, environment=view.environment)
    found = (_row(row, payloads=payloads) for row in rows)
    return tuple(
        row
        for row in found
        if (connection is None or row.connection == connection)
        and (schema is None or schema in (row.schema, row.series))
        and (kind is None or row.kind == kind)
    )


def series(view: View, bundle: Bundle, *, payloads: bool) -> tuple[SeriesRow, ...]:
    """List every series that is registered, those that drift at first, then those in use, then the others."""
    used = _used(view)
    drifted: dict[str, list[DriftRow]] = {}
    for row in listing(view, payloads=payloads):
        drifted.setdefault(row.series, []).append(row)
    rows = [
        SeriesRow(
            name=each.name,
            title=each.title,
            owner=each.owner,
            compatibility=each.mode.value,
            versions=_versions(bundle, each, used),
            drift=tuple(drifted.get(each.name, ())),
        )
        for each in bundle.registry.by_name.values()
    ]
    return tuple(sorted(rows, key=lambda row: (not row.drift, not row.in_use, row.name)))


def _used(view: View) -> Mapping[str, tuple[int, datetime]]:
    """Count the events of late by the schema they claim."""
    statement = (
        select(events.c.schema, func.count(), func.max(events.c.received_at))
        .where(
            events.c.environment == view.environment,
            events.c.received_at >= to_micros(view.now() - IN_USE),
            events.c.schema.is_not(None),
        )
        .group_by(events.c.schema)
    )
    with view.database.reading() as connection:
        return {name: (number, of_micros(last)) for name, number, last in connection.execute(statement)}


def _versions(bundle: Bundle, of: Series, used: Mapping[str, tuple[int, datetime]]) -> tuple[VersionRow, ...]:
    terms: dict[str, VersionTerms | None] = {version.name: version.terms for version in of.versions}
    for name in used:
        if split(name)[0] == of.name:
            terms.setdefault(name, None)
    rows = []
    for name, said in terms.items():
        known = said or VersionTerms()
        number, last = used.get(name, (0, None))
        resolved = bundle.registry.resolve(name)
        rows.append(
            VersionRow(
                name=name,
                version=split(name)[1],
                deprecated=known.deprecated,
                sunset=known.sunset,
                note=known.note,
                read_as=resolved.name if resolved is not None and not resolved.registered else None,
                events=number,
                last_seen=last,
            )
        )
    return tuple(sorted(rows, key=lambda row: version_key(row.version), reverse=True))


def detail_of(finding: Mapping[str, Any], *, payloads: bool) -> str | None:
    """Give a finding's detail; that of a new value is a part of the payload, and only for who may see it."""
    return finding["detail"] if payloads or finding["kind"] != DriftKind.NEW_VALUE else None


def _row(row: Mapping[str, Any], *, payloads: bool) -> DriftRow:
    return DriftRow(
        connection=row["connection"],
        schema=row["schema"],
        series=split(row["schema"])[0],
        kind=row["kind"],
        path=row["path"],
        detail=detail_of(row, payloads=payloads),
        count=row["count"],
        first_seen=of_micros(row["first_seen"]),
        last_seen=of_micros(row["last_seen"]),
        example=row["example"] if payloads else None,
        event_id=row["event_id"],
        action=row["action"],
    )
