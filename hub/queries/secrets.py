"""Which secrets the vault holds: names, versions and ages, never values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.model.ambient import of_micros
from hub.queries.view import View
from hub.store import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRow:
    """One secret's newest version."""

    name: str
    version: int
    stored_at: datetime


def listing(view: View) -> tuple[SecretRow, ...]:
    """List the secrets by name."""
    with view.database.reading() as connection:
        rows = secrets.listing(connection, environment=view.environment)
    return tuple(
        SecretRow(name=row["name"], version=row["version"], stored_at=of_micros(row["created_at"])) for row in rows
    )
