"""On PostgreSQL events are found by their arrival, and those that started no run, in blocks of the table.

An index with an entry for each event costs as much as a sixth of storing it. What has arrived together lies together,
so that an index of blocks finds it, and those that no flow wanted besides. What was kept back is rare, and stays in an
index of its own. Processes that do not know this step ask as before and are only slower.
"""

from __future__ import annotations

from alembic import op

from hub.store.migrations.indexes import LateIndex, make

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None
phase = "post"
without = "0012"

late = (
    LateIndex(
        name="ix_events_arrived",
        table="events",
        columns=("received_at", "state"),
        using="brin",
        options="autosummarize = on",
    ),
    LateIndex(
        name="ix_events_held",
        table="events",
        columns=("environment", "id"),
        where="state <> 'accepted' AND state <> 'unrouted'",
    ),
)


def upgrade() -> None:
    """Bring the tables to this step."""
    if op.get_bind().dialect.name == "sqlite":
        return
    make(late)
    for index in ("ix_events_received_at", "ix_events_kept"):
        op.execute(f"DROP INDEX {index}")
