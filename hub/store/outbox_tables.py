"""The table of what event feeds tell; it is written only where a backbone is configured."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, String, Table, Text

from hub.store.tables import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("environment", String, nullable=False),
    # Its place in the order of commits.
    Column("position", BigInteger, autoincrement=False, nullable=False),
    # What consumers know it by, together with the connection (none: the hub itself says it): the same however often it
    # is published.
    Column("id", String, nullable=False),
    Column("connection", String),
    Column("type", String, nullable=False),
    Column("subject", String, nullable=False),
    # What is about one key is told in one partition.
    Column("key", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    # An event's payload stays in its own row, and goes with it; what the hub itself tells stands here, as JSON.
    Column("event_id", String),
    Column("data", Text),
    PrimaryKeyConstraint("environment", "position"),
    sqlite_with_rowid=False,
)
