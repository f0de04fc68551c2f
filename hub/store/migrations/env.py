"""Alembic's entry: migrations run on the connection that the hub has opened."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo
from sqlalchemy import text

from hub.sdk import exact_json
from hub.store import (  # noqa: F401 - declares their tables
    account_tables,
    control_tables,
    migrating,
    outbox_tables,
    process_tables,
    thing_tables,
)
from hub.store.tables import metadata

#: The step that makes the table of marks.
_MARKS_SINCE = "0003"


def _tell(
    ctx: MigrationContext,
    step: MigrationInfo,
    heads: Collection[Any],
    run_args: Mapping[str, Any],
) -> None:
    """Write down with a step which one a process must know at least: older ones cannot read it in newer steps."""
    taken = step.up_revision_id
    if ctx.connection is not None and taken is not None and taken >= _MARKS_SINCE:
        value = exact_json.dumps({"least": migrating.least_at(taken)}).decode()
        ctx.connection.execute(
            text(
                "INSERT INTO marks (name, value, at) VALUES (:name, :value, 0) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ),
            {"name": migrating.MARK, "value": value},
        )


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
    on_version_apply=_tell,
)
with context.begin_transaction():
    context.run_migrations()
