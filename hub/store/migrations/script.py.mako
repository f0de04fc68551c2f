"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None
# `pre` only adds; `post` takes something away, and names the step `without` which nobody needs it any more.
phase = "pre"


def upgrade() -> None:
    """Bring the tables to this step."""
    ${upgrades if upgrades else "pass"}
