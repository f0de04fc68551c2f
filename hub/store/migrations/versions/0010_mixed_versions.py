"""What each worker's process knows: the newest tables, and the revisions that it cannot make sense of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
phase = "pre"


def upgrade() -> None:
    """Bring the tables to this step."""
    op.add_column("workers", sa.Column("tables", sa.String(), nullable=True))
    op.add_column("workers", sa.Column("refuses", sa.Text(), nullable=True))
