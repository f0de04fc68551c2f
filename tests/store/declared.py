"""What a database has otherwise than the code declares it."""

from __future__ import annotations

from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from hub.store.tables import metadata

#: Declared for both databases, and another thing in one of them: see `hub/store/partitions.py`. Indexes of one kind of
#: database alone are not in the other.
_OTHERWISE = {
    "sqlite": {("table", "event_names"), ("index", "ix_events_arrived"), ("index", "ix_events_held")},
    "postgresql": {
        ("unique_constraint", "uq_events_environment_connection_external_id"),
        ("index", "ix_events_received_at"),
        ("index", "ix_events_kept"),
    },
}


def differences(connection: Connection) -> list[Any]:
    """Give what is missing or left over of columns, indexes and constraints; parts of tables count with the whole."""
    dialect = connection.dialect.name
    parts = set() if dialect == "sqlite" else set(connection.exec_driver_sql(_PARTS).scalars())

    def compared(_thing: Any, name: str | None, kind: str, *_: Any) -> bool:
        return (kind, name) not in _OTHERWISE[dialect] and not (kind == "table" and name in parts)

    context = MigrationContext.configure(connection, opts={"include_object": compared})
    return list(compare_metadata(context, metadata))


_PARTS = "SELECT relname FROM pg_class WHERE relispartition"
