"""Approvals, holds, schedules, back-fills, budgets and bulk requests; order, priority and compensation of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "post"
without = "0003"


def upgrade() -> None:
    """Bring the tables to this step."""
    _new_tables()
    _new_columns()


def _new_tables() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=True),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("business_key", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("bundle", sa.String(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("record_hash", sa.String(), nullable=False),
        sa.Column("money_minor", sa.BigInteger(), nullable=True),
        sa.Column("money_currency", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("deadline_at", sa.BigInteger(), nullable=True),
        sa.Column("escalate_at", sa.BigInteger(), nullable=True),
        sa.Column("escalate_to", sa.String(), nullable=True),
        sa.Column("escalated_at", sa.BigInteger(), nullable=True),
        sa.Column("valid_for", sa.BigInteger(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index("ix_approvals_run_id", ["run_id"], unique=False)
        batch_op.create_index("ix_approvals_state", ["environment", "state", "created_at"], unique=False)
        batch_op.create_index(
            "uq_approvals_live",
            ["run_id", "path"],
            unique=True,
            sqlite_where=sa.text("state IN ('pending', 'approved')"),
            postgresql_where=sa.text("state IN ('pending', 'approved')"),
        )

    op.create_table(
        "alarms",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.Column("raised_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "kind", "subject", name=op.f("pk_alarms")),
    )
    op.create_table(
        "approval_votes",
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name="fk_approval_votes_approval_id"),
        sa.PrimaryKeyConstraint("approval_id", "actor", name=op.f("pk_approval_votes")),
    )
    op.create_table(
        "awaited",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "run_id", name=op.f("pk_awaited")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_awaited_run_id", "awaited", ["run_id"])

    op.create_table(
        "backfills",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("reached", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backfills")),
    )
    with op.batch_alter_table("backfills", schema=None) as batch_op:
        batch_op.create_index("ix_backfills_state", ["environment", "state"], unique=False)

    op.create_table(
        "batches",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("body_hash", sa.String(), nullable=False),
        sa.Column("references", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index("ix_batches_run_id", ["run_id"], unique=False)

    op.create_table(
        "budgets",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("learned", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "name", name=op.f("pk_budgets")),
    )
    op.create_table(
        "quotas",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("per", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("carried", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "name", "per", "zone", "begins", name=op.f("pk_quotas")),
    )
    op.create_table(
        "firings",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=True),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("open_run", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "flow", "due_at", name=op.f("pk_firings")),
    )
    _create_holds()
    op.create_table(
        "marks",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
    )
    op.create_table(
        "schedules",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("flow", sa.String(), nullable=False),
        sa.Column("spec", sa.String(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=True),
        sa.Column("last_due_at", sa.BigInteger(), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("held_by", sa.String(), nullable=True),
        sa.Column("held_reason", sa.Text(), nullable=True),
        sa.Column("held_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "flow", name=op.f("pk_schedules")),
    )
    with op.batch_alter_table("connections", schema=None) as batch_op:
        batch_op.add_column(sa.Column("actor", sa.String(), nullable=True))


def _new_columns() -> None:
    with op.batch_alter_table("cursors", schema=None) as batch_op:
        batch_op.add_column(sa.Column("trail", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("numbers", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("read_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("newest_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("failed_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("error", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("gap", sa.Text(), nullable=True))
        batch_op.alter_column("cursor", existing_type=sa.TEXT(), nullable=True)

    with op.batch_alter_table("crossrefs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("run_id", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("path", sa.String(), nullable=True))
        batch_op.create_index(
            "ix_crossrefs_run_id",
            ["run_id"],
            unique=False,
            sqlite_where=sa.text("run_id IS NOT NULL"),
            postgresql_where=sa.text("run_id IS NOT NULL"),
        )

    _change_effects()
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("position", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("edited_from", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("cause", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("pruned_at", sa.BigInteger(), nullable=True))
        batch_op.create_index("ix_events_about", ["environment", "type", "subject"], unique=False)
        batch_op.create_index(
            "ix_events_edited_from",
            ["edited_from"],
            unique=False,
            sqlite_where=sa.text("edited_from IS NOT NULL"),
            postgresql_where=sa.text("edited_from IS NOT NULL"),
        )

    # Of events of before nothing better is known than when they were received.
    op.execute(
        "UPDATE events SET position = placed.number FROM "
        "(SELECT id, row_number() OVER (ORDER BY received_at, id) AS number FROM events) AS placed "
        "WHERE placed.id = events.id"
    )
    op.execute("INSERT INTO counters (name, value) SELECT 'event', count(*) FROM events HAVING count(*) > 0")
    with op.batch_alter_table("steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("checksum", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_runs_newer",
            ["business_key"],
            unique=False,
            sqlite_where=sa.text("generation > 0"),
            postgresql_where=sa.text("generation > 0"),
        )
        batch_op.add_column(sa.Column("deaths", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("got_to", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("priority", sa.Integer(), server_default="20", nullable=False))
        batch_op.add_column(sa.Column("ordered_by", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("stopping", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("stopping_order", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("parent_run", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("parent_path", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("approvals", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("output", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("pruned_at", sa.BigInteger(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_runs_claimable"), sqlite_where=sa.text("claimable_at IS NOT NULL"))
        batch_op.create_index(
            "ix_runs_claimable",
            ["environment", "priority", "claimable_at", "position"],
            unique=False,
            sqlite_where=sa.text("claimable_at IS NOT NULL"),
            postgresql_where=sa.text("claimable_at IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_runs_wait_on"), sqlite_where=sa.text("wait_on IS NOT NULL"))
        batch_op.create_index(
            "ix_runs_wait_on",
            ["wait_on", "priority", "flow", "position"],
            unique=False,
            sqlite_where=sa.text("wait_on IS NOT NULL"),
            postgresql_where=sa.text("wait_on IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_runs_behind",
            ["environment", "flow", "key", "position"],
            unique=False,
            sqlite_where=sa.text("wait_kind = 'order'"),
            postgresql_where=sa.text("wait_kind = 'order'"),
        )
        batch_op.create_index(
            "ix_runs_parent",
            ["parent_run"],
            unique=False,
            sqlite_where=sa.text("parent_run IS NOT NULL"),
            postgresql_where=sa.text("parent_run IS NOT NULL"),
        )


def _create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("ended_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(
            "ix_holds_in_force",
            ["environment", "kind", "name", "key"],
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        )


def _change_effects() -> None:
    with op.batch_alter_table("effects", schema=None) as batch_op:
        batch_op.add_column(sa.Column("status", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("repeats", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("renewals", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("object", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("base", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("version", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("moment", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("batch", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("reference", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("undoes", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("approvals", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("settlement", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("event_id", sa.String(), nullable=True))
        batch_op.drop_index("ix_effects_run_id")
        batch_op.create_index("ix_effects_run_id", ["run_id", "path"])
        batch_op.create_index(
            "ix_effects_object",
            ["environment", "object"],
            unique=False,
            sqlite_where=sa.text("object IS NOT NULL"),
            postgresql_where=sa.text("object IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_effects_newer",
            ["business_key", "path"],
            unique=False,
            sqlite_where=sa.text("generation > 0"),
            postgresql_where=sa.text("generation > 0"),
        )
        batch_op.create_index(
            "ix_effects_undoes",
            ["undoes"],
            unique=False,
            sqlite_where=sa.text("undoes IS NOT NULL"),
            postgresql_where=sa.text("undoes IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_effects_batch",
            ["batch"],
            unique=False,
            sqlite_where=sa.text("batch IS NOT NULL"),
            postgresql_where=sa.text("batch IS NOT NULL"),
        )
