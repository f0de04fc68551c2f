"""How many records of a back-fill come in one event."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    """Bring the tables to this step."""
    op.add_column("backfills", sa.Column("batch", sa.Integer(), nullable=True))
