"""Decisions with their inputs, drift of payloads and what became of kept events, and the published revisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    """Bring the tables to this step."""
    op.add_column("steps", sa.Column("answer", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("answer_schema", sa.Text(), nullable=True))
    op.add_column("bundles", sa.Column("commit", sa.String(), nullable=True))
    op.add_column("bundles", sa.Column("dirty", sa.Boolean(), nullable=True))
    op.add_column("events", sa.Column("flags", sa.Text(), nullable=True))
    op.add_column("events", sa.Column("release", sa.Text(), nullable=True))
    for name, condition in (("ix_events_kept", "state <> 'accepted'"), ("ix_events_flagged", "flags IS NOT NULL")):
        op.create_index(
            name,
            "events",
            ["environment", "id"],
            sqlite_where=sa.text(condition),
            postgresql_where=sa.text(condition),
        )
    op.create_table(
        "decisions",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("connection", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_run_id"), "decisions", ["run_id"])
    op.create_index(op.f("ix_decisions_event_id"), "decisions", ["event_id"])
    op.create_index("ix_decisions_policy", "decisions", ["policy", "at"])
    op.create_table(
        "drift",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("schema", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("example", sa.Text(), nullable=True),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "connection", "schema", "kind", "path", "detail", name=op.f("pk_drift")),
    )
    op.create_table(
        "revisions",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("commit", sa.String(), nullable=True),
        sa.Column("dirty", sa.Boolean(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "number", name=op.f("pk_revisions")),
    )
