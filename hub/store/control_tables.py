"""The tables of what people and time decide: approvals, holds, budgets, schedules, back-fills, published revisions."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    text,
)

from hub.store.tables import metadata

approvals = Table(
    "approvals",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("entity", String),
    Column("flow", String, nullable=False),
    Column("run_id", String, nullable=False),
    Column("path", String, nullable=False),
    Column("business_key", String, nullable=False),
    # The policy and rule that asked, and the revision it stood in.
    Column("policy", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("rule", String),
    Column("bundle", String, nullable=False),
    Column("needed", Integer, nullable=False),
    # Who may agree by now, as a JSON list.
    Column("roles", Text, nullable=False),
    # What is approved: the record as people see it, and the hash that a write is compared with when it goes out.
    Column("record", Text, nullable=False),
    Column("record_hash", String, nullable=False),
    Column("money_minor", BigInteger),
    Column("money_currency", String),
    Column("state", String, nullable=False),
    Column("reason", Text),
    Column("deadline_at", BigInteger),
    Column("escalate_at", BigInteger),
    Column("escalate_to", String),
    Column("escalated_at", BigInteger),
    # How long it holds once it is given (microseconds), and then until when.
    Column("valid_for", BigInteger),
    Column("valid_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Index("ix_approvals_state", "environment", "state", "created_at"),
    Index("ix_approvals_run_id", "run_id"),
    # A step of a run asks for one thing at a time.
    Index(
        "uq_approvals_live",
        "run_id",
        "path",
        unique=True,
        sqlite_where=text("state IN ('pending', 'approved')"),
        postgresql_where=text("state IN ('pending', 'approved')"),
    ),
)

#: One row for each person and approval: who began the work has theirs from the start, and so can never agree to it.
approval_votes = Table(
    "approval_votes",
    metadata,
    Column("approval_id", String, ForeignKey("approvals.id", name="fk_approval_votes_approval_id"), nullable=False),
    Column("actor", String, nullable=False),
    Column("verdict", String, nullable=False),
    Column("role", String),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("approval_id", "actor"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    # `run`, `flow` or `key` (of a flow); `name` is the run or the flow. A connection's hold is its state.
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("key", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("ended_by", String),
    Column("ended_reason", Text),
    # One hold of a thing is in force at a time.
    Index(
        "ix_holds_in_force",
        "environment",
        "kind",
        "name",
        "key",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
)

budgets = Table(
    "budgets",
    metadata,
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    # What was learned of the account's limits, as JSON.
    Column("learned", Text),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "name"),
)

#: What was used of each quota of an account in each of its last times.
quotas = Table(
    "quotas",
    metadata,
    Column("environment", String, nullable=False),
    Column("name", String, nullable=False),
    Column("per", String, nullable=False),
    Column("zone", String, nullable=False),
    Column("begins", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    # How much of it counts in an earlier time too, because the clock was put back.
    Column("carried", BigInteger, nullable=False),
    # The times of a quota in the order in which the clock showed them.
    Column("number", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "name", "per", "zone", "begins"),
)

schedules = Table(
    "schedules",
    metadata,
    Column("environment", String, nullable=False),
    Column("flow", String, nullable=False),
    # The times that the flow's file said when the moments below were reckoned, as JSON.
    Column("spec", String, nullable=False),
    Column("next_at", BigInteger),
    Column("last_due_at", BigInteger),
    Column("held", Boolean, nullable=False),
    # Who holds it, why and since when.
    Column("held_by", String),
    Column("held_reason", Text),
    Column("held_at", BigInteger),
    # When it was first seen in a bundle.
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "flow"),
)

firings = Table(
    "firings",
    metadata,
    Column("environment", String, nullable=False),
    Column("flow", String, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("state", String, nullable=False),
    Column("event_id", String),
    # How many earlier ones nobody makes up for, and the open run because of which this one was skipped.
    Column("missed", BigInteger, nullable=False),
    Column("open_run", String),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "flow", "due_at"),
)

#: What somebody has been told of and is not over.
alarms = Table(
    "alarms",
    metadata,
    Column("environment", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since", BigInteger),
    Column("raised_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "kind", "subject"),
)

backfills = Table(
    "backfills",
    metadata,
    Column("id", String, primary_key=True),
    Column("environment", String, nullable=False),
    Column("connection", String, nullable=False),
    Column("stream", String, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),
    # Where it goes on, and the newest event that it has come to.
    Column("cursor", Text),
    Column("reached", BigInteger),
    Column("state", String, nullable=False),
    Column("read", BigInteger, nullable=False),
    Column("new", BigInteger, nullable=False),
    Column("error", Text),
    Column("actor", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # Of all records of a kind: how many they are, and which flows they start (a JSON list).
    Column("total", BigInteger),
    Column("flows", Text),
    # Of records that come many in one event: how many.
    Column("batch", Integer),
    Index("ix_backfills_state", "environment", "state"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("environment", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("bundle", String, nullable=False),
    Column("commit", String),
    Column("dirty", Boolean, nullable=False),
    Column("how", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("reason", Text),
    Column("report", Text),
    Column("published_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("environment", "number"),
)

#: Facts about the data as a whole: when it was restored and from what, when it was last backed up and pruned.
marks = Table(
    "marks",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
