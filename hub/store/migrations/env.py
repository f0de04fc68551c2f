"""Alembic's entry: migrations run on the connection that the hub has opened."""

from __future__ import annotations

from alembic import context

from hub.store import (  # noqa: F401 - declares their tables
    account_tables,
    control_tables,
    outbox_tables,
    process_tables,
    thing_tables,
)
from hub.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
