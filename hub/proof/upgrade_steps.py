"""Steps of the migrations that only a rehearsal has: each kind of step that an upgrade can bring, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_HEAD = '''"""{what}"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hub.store.migrations.indexes import LateIndex, make

revision = "{name}"
down_revision = "{before}"
branch_labels = None
depends_on = None
phase = "{phase}"
'''

_ADDS = '''

def upgrade() -> None:
    """Add a table, and columns to tables that are in use all the time."""
    op.create_table(
        "rehearsed",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("older", sa.String()),
    )
    op.add_column("runs", sa.Column("rehearsed", sa.Text(), nullable=True))
    op.add_column("steps", sa.Column("rehearsed", sa.Integer(), server_default="0", nullable=False))
'''

_INDEXES = '''late = (
    LateIndex(name="ix_rehearsed_runs", table="runs", columns=("environment", "updated_at")),
    LateIndex(name="ix_rehearsed_events", table="events", columns=("received_at",), where="state = 'accepted'"),
)


def upgrade() -> None:
    """Make indexes on tables that may be large."""
    make(late)
'''

_TAKES_AWAY = '''without = "{since}"


def upgrade() -> None:
    """Take away a column."""
    op.drop_column("rehearsed", "older")
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """The names of the steps: one that adds, one that makes indexes beside the work, and one that takes away."""

    adds: str
    indexes: str
    takes_away: str


def write(versions: Path) -> Rehearsed:
    """Put the steps behind the newest of a folder of steps; gives their names."""
    newest = max(path.name[:4] for path in versions.glob("[0-9][0-9][0-9][0-9]_*.py"))
    names = [f"{int(newest) + number:04}" for number in (1, 2, 3)]
    parts = (
        ("pre", "A rehearsal adds something.", _ADDS),
        ("pre", "A rehearsal makes indexes.", _INDEXES),
        ("post", "A rehearsal takes something away.", _TAKES_AWAY.replace("{since}", names[0])),
    )
    for before, name, (phase, what, body) in zip([newest, *names], names, parts, strict=False):
        head = _HEAD.format(what=what, name=name, before=before, phase=phase)
        (versions / f"{name}_rehearsal.py").write_text(head + body)
    return Rehearsed(adds=names[0], indexes=names[1], takes_away=names[2])
