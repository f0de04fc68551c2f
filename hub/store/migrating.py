"""Bringing a database to the newest tables, by the steps in `hub/store/migrations/versions`."""

from __future__ import annotations

from sqlalchemy import Connection

from hub.errors import Fatal

#: The newest step in `hub/store/migrations/versions`.
NEWEST = "0011"
#: Gives something where there are tables.
_BEGUN = {
    "sqlite": "SELECT name FROM sqlite_master WHERE name = 'alembic_version'",
    "postgresql": "SELECT to_regclass('alembic_version')::text",
}


def revision(connection: Connection) -> str | None:
    """Give the step that a database has come to, asked in the caller's transaction; None for one without tables."""
    if connection.exec_driver_sql(_BEGUN[connection.dialect.name]).scalar() is None:
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def is_newest(found: str | None) -> bool:
    """Tell whether nothing is to be done; `Fatal` for tables of a version that is yet to come."""
    if found is not None and found > NEWEST:
        raise Fatal(
            "The data was written by a newer version of Concord. Start that one, or use a copy from before it.",
            code="newer-data",
            tables=found,
            known=NEWEST,
        )
    return found == NEWEST


def upgrade(connection: Connection) -> None:
    """Take the steps that are missing; within a transaction of the caller's they count together, or not at all."""
    # Alembic takes a third of a second to import, and nearly every start finds the newest tables.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
