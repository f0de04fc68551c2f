"""Migrations bring a database to exactly the tables that the code knows."""

from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hub.store.database import NEWEST, Database
from hub.store.tables import metadata


def test_the_newest_step_is_the_one_the_code_expects() -> None:
    """Otherwise a start would think that nothing is to be done."""
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST


def test_migrated_tables_are_the_declared_ones(tmp_path: Path) -> None:
    """No column, index or constraint is missing or left over."""
    database = Database(tmp_path)
    with database.writer.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    """The newest tables are recognised."""
    Database(tmp_path).close()
    Database(tmp_path).close()
