"""The names of events stand in a table of their own, which the database fills whenever events are stored.

Processes that do not know it store events as before. On SQLite, where the rows themselves are under a unique key, it is
a view of them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
phase = "pre"

_NAMES = ("environment", "connection", "external_id", "event_id", "body_hash")


def upgrade() -> None:
    """Bring the tables to this step."""
    if op.get_bind().dialect.name == "sqlite":
        # The rows themselves are under a unique key there. All that is put together here are names of columns.
        named = "environment, connection, external_id, id AS event_id, body_hash"
        op.execute(f"CREATE VIEW event_names AS SELECT {named} FROM events")  # noqa: S608
        return
    op.create_table(
        "event_names",
        *(sa.Column(name, sa.String(collation="C"), nullable=False) for name in _NAMES),
        sa.PrimaryKeyConstraint("environment", "connection", "external_id", name=op.f("pk_event_names")),
    )
    # Nobody stores an event between the names that are there and the trigger.
    op.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
    filled = "environment, connection, external_id, id, body_hash"
    op.execute(f"INSERT INTO event_names ({', '.join(_NAMES)}) SELECT {filled} FROM events")  # noqa: S608
    op.execute(
        "CREATE FUNCTION name_events() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608
        f"INSERT INTO event_names ({', '.join(_NAMES)}) SELECT {filled} FROM stored; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER name_events AFTER INSERT ON events REFERENCING NEW TABLE AS stored "
        "FOR EACH STATEMENT EXECUTE FUNCTION name_events()"
    )
