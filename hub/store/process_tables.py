"""The tables of the processes that share a database: who holds a lease, and how far each committer has come."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, String, Table, Text

from hub.store.tables import metadata

#: PostgreSQL's clock as it is at the moment, in the form in which times are kept.
CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

#: The workers of all processes. One whose lease is over has lost its runs to whoever takes them back.
workers = Table(
    "workers",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    # What its process records with, and what that process is there for, such as `api,worker`.
    Column("committer", String, nullable=False),
    Column("roles", String, nullable=False),
    Column("version", String, nullable=False),
    # All times are of the database's clock (microseconds).
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    # When it ended in order, or was found to be gone.
    Column("ended_at", BigInteger),
    # The newest step of the tables that its process knows; none where that is older than this column.
    Column("tables", String),
    # The revisions that it cannot make sense of (JSON: their ids).
    Column("refuses", Text),
)

#: The committers of all processes: each raises its number in the transaction of every group, so that it can tell later
#: whether a group is stored whose commit nobody has confirmed.
committers = Table(
    "committers",
    metadata,
    Column("id", String, primary_key=True),
    Column("number", BigInteger, nullable=False),
    # The audit log that it alone appends to; none once another one goes on with it.
    Column("chain", String, unique=True),
    # When its last group was made.
    Column("at", BigInteger, nullable=False),
)
