"""Master data: aliases, what became of each thing, parents, and duplicates that are kept apart for a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
phase = "post"
without = "0006"


def upgrade() -> None:
    """Bring the tables to this step."""
    with op.batch_alter_table("crossrefs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("rank", sa.Integer(), server_default="0", nullable=False))
        batch_op.drop_constraint(op.f("uq_crossrefs_environment_entity_thing_system"), type_="unique")
        batch_op.create_unique_constraint(
            op.f("uq_crossrefs_environment_entity_thing_system_rank"),
            ["environment", "entity", "thing", "system", "rank"],
        )
    _create_history()
    op.create_table(
        "parents",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("parent", sa.String(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "entity", "thing", name=op.f("pk_parents")),
    )
    op.create_index("ix_parents_parent", "parents", ["environment", "entity", "parent"])
    _create_matches()
    # What stands is where the history begins; who tied it when there was none is in the audit log.
    op.execute(
        "INSERT INTO thing_history "
        "(position, environment, entity, thing, what, system, id, rank, at, actor, run_id, path) "
        "SELECT row_number() OVER (ORDER BY updated_at, environment, entity, thing, system, id), environment, entity, "
        "thing, 'tied', system, id, 0, updated_at, 'before', run_id, path FROM crossrefs"
    )
    op.execute("INSERT INTO counters (name, value) SELECT 'thing', count(*) FROM thing_history HAVING count(*) > 0")


def _create_history() -> None:
    op.create_table(
        "thing_history",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("thing", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=True),
        sa.Column("id", sa.String(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("was_rank", sa.Integer(), nullable=True),
        sa.Column("other", sa.String(), nullable=True),
        sa.Column("was", sa.String(), nullable=True),
        sa.Column("change", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_thing_history")),
    )
    op.create_index("ix_thing_history_thing", "thing_history", ["environment", "entity", "thing", "position"])
    op.create_index("ix_thing_history_id", "thing_history", ["environment", "id", "position"])
    for name, columns, some in (
        ("ix_thing_history_other", ["environment", "entity", "other"], "other IS NOT NULL"),
        ("ix_thing_history_change", ["change"], "change IS NOT NULL"),
    ):
        op.create_index(name, "thing_history", columns, sqlite_where=sa.text(some), postgresql_where=sa.text(some))


def _create_matches() -> None:
    op.create_table(
        "matched_records",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("keys", sa.Text(), nullable=True),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("pruned_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("environment", "entity", "system", "id", name=op.f("pk_matched_records")),
    )
    op.create_index("ix_matched_records_at", "matched_records", ["environment", "at"])
    op.create_table(
        "match_keys",
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "entity", "hash", "system", "id", name=op.f("pk_match_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_match_keys_id", "match_keys", ["environment", "entity", "system", "id"])
    op.create_table(
        "match_pairs",
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("environment", sa.String(), nullable=False),
        sa.Column("entity", sa.String(), nullable=False),
        sa.Column("policy", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("other_system", sa.String(), nullable=False),
        sa.Column("other_id", sa.String(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("found_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("change", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("pair", name=op.f("pk_match_pairs")),
    )
    op.create_index("ix_match_pairs_state", "match_pairs", ["environment", "state", "found_at"])
    op.create_index("ix_match_pairs_id", "match_pairs", ["environment", "entity", "system", "id"])
    op.create_index("ix_match_pairs_other_id", "match_pairs", ["environment", "entity", "other_system", "other_id"])
    merged = sa.text("change IS NOT NULL")
    op.create_index("ix_match_pairs_change", "match_pairs", ["change"], sqlite_where=merged, postgresql_where=merged)
