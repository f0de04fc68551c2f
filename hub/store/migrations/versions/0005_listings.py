"""What a back-fill of all records of a kind goes by: how many there are, and which flows it starts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    """Bring the tables to this step."""
    op.add_column("backfills", sa.Column("total", sa.BigInteger(), nullable=True))
    op.add_column("backfills", sa.Column("flows", sa.Text(), nullable=True))
