"""The tables of who and what is spoken to: connections, how far streams were read, drift, secrets, people."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, PrimaryKeyConstraint, String, Table, Text

from hub.store.tables import metadata

connections = Table(
    "connections",
    metadata,
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("state", String, nullable=False),
    Column("reason", Text),
    # Who paused or resumed it: a person, or the worker whose credentials were refused.
    Column("actor", String),
    Column("changed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "name"),
)

cursors = Table(
    "cursors",
    metadata,
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("cursor", Text),
    # Where it was read up to at some earlier moments, so that what comes to light late is found, as JSON.
    Column("trail", Text),
    # Up to which number it was read without a hole, and the holes, where the vendor counts its events, as JSON.
    Column("numbers", Text),
    # The last reading that came to its end, the newest event it has ever given, and what went wrong since.
    Column("read_at", BigInteger),
    Column("newest_at", BigInteger),
    Column("failed_at", BigInteger),
    Column("failures", BigInteger, nullable=False, server_default="0"),
    Column("error", Text),
    # Where events may be missing that the vendor no longer gives, until somebody has seen to it, as JSON.
    Column("gap", Text),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "connection", "stream"),
)

# What connectors without a network keep, by a name of theirs.
embedded_documents = Table(
    "embedded_documents",
    metadata,
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("name", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    PrimaryKeyConstraint("environment", "connection", "name"),
    sqlite_with_rowid=False,
)

rejections = Table(
    "rejections",
    metadata,
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("minute", BigInteger, nullable=False),
    Column("count", Integer, nullable=False),
    PrimaryKeyConstraint("environment", "connection", "reason", "minute"),
)

drift = Table(
    "drift",
    metadata,
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("schema", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("path", String, nullable=False),
    Column("detail", String, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("example", Text),
    Column("event_id", String, nullable=False),
    Column("action", String, nullable=False),
    PrimaryKeyConstraint("environment", "connection", "schema", "kind", "path", "detail"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "name", "version"),
)

people = Table(
    "people",
    metadata,
    Column("id", String, primary_key=True),
    Column("email", String, nullable=False, unique=True),
    Column("name", String, nullable=False),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String, primary_key=True),
    Column("person_id", String, nullable=False),
    Column("csrf", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
