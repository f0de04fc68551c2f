"""On PostgreSQL events and the history of runs lie in partitions, a month each.

Nothing is copied: what is there becomes the partition of all ids up to the end of the present month, and what has an id
of a later one is moved. The unique key of events' names goes: processes that know the step before do without it.
"""

from __future__ import annotations

from datetime import UTC, datetime

from alembic import op

from hub.model.ambient import id_from

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
phase = "post"
without = "0011"

#: Tables in partitions: the column that says in which, and the word its ids begin with.
_PARTITIONED = {"events": ("id", "event"), "steps": ("run_id", "run"), "attempts": ("run_id", "run")}
_KEYS = {"events": ("id",), "steps": ("run_id", "path"), "attempts": ("run_id", "path", "number")}
#: The lock of whoever changes something (`hub/store/shared_groups.py`).
_WRITERS = 0x436F6D6D6974
#: So many months have a partition of their own from the start, after the present one.
_AHEAD = 2


def upgrade() -> None:
    """Bring the tables to this step."""
    if op.get_bind().dialect.name == "sqlite":
        return
    # Who changes something takes this lock first, so that nobody is in the middle with one of the tables in use.
    op.execute(f"SELECT pg_advisory_xact_lock({_WRITERS})")
    now = op.get_bind().exec_driver_sql("SELECT now()").scalar_one().astimezone(UTC)
    number = now.year * 12 + now.month
    months = [datetime(each // 12, each % 12 + 1, 1, tzinfo=UTC) for each in range(number, number + _AHEAD + 1)]
    for table in _PARTITIONED:
        _part(table, months)


def _part(table: str, months: list[datetime]) -> None:
    connection = op.get_bind()
    column, prefix = _PARTITIONED[table]
    first, bounds = f"{table}_first", [id_from(prefix, month) for month in months]
    _compare_bytewise(table)
    indexes = connection.exec_driver_sql(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() "
        "AND tablename = %s AND indexname LIKE 'ix%%'",
        (table,),
    ).all()
    op.execute(f"ALTER TABLE {table} RENAME TO {first}")
    if table == "events":
        # Rows that come by the whole table are told of by its trigger alone.
        op.execute(f"DROP TRIGGER name_events ON {first}")
    op.execute(f"ALTER TABLE {first} RENAME CONSTRAINT pk_{table} TO {first}_pkey")
    for name, _ in indexes:
        op.execute(f"ALTER INDEX {name} RENAME TO {first}_{name.removeprefix(f'ix_{table}_')}_idx")
    if table == "events":
        # The names have it now.
        op.drop_constraint("uq_events_environment_connection_external_id", first, type_="unique")
    op.execute(
        f"CREATE TABLE {table} (LIKE {first} INCLUDING DEFAULTS INCLUDING STORAGE, "
        f"CONSTRAINT pk_{table} PRIMARY KEY ({', '.join(_KEYS[table])})) PARTITION BY RANGE ({column})"
    )
    for _, made in indexes:
        # The whole table's name is in it as it was.
        op.execute(made)
    op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")
    for month, begin, end in zip(months, bounds, bounds[1:], strict=False):
        place = f"FOR VALUES FROM ('{begin}') TO ('{end}')"
        op.execute(f"CREATE TABLE {table}_{month:%Y_%m} PARTITION OF {table} {place}")
    later = f"DELETE FROM {first} WHERE {column} >= '{bounds[0]}' RETURNING *"  # noqa: S608
    op.execute(f"WITH later AS ({later}) INSERT INTO {table} SELECT * FROM later")  # noqa: S608
    op.execute(f"ALTER TABLE {table} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO ('{bounds[0]}')")
    if table == "events":
        # Only now: what was moved has its name already.
        op.execute(
            "CREATE TRIGGER name_events AFTER INSERT ON events REFERENCING NEW TABLE AS stored "
            "FOR EACH STATEMENT EXECUTE FUNCTION name_events()"
        )


def _compare_bytewise(table: str) -> None:
    """Let the texts of a table be compared by their bytes, as all are after a migration: bounds rest on it."""
    columns = op.get_bind().exec_driver_sql(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() "
        "AND table_name = %s AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'",
        (table,),
    )
    changes = ", ".join(f'ALTER COLUMN "{name}" TYPE {kind} COLLATE "C"' for name, kind in columns)
    if changes:
        op.execute(f"ALTER TABLE {table} {changes}")
