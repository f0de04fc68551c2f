"""Backups and restores of data that an earlier version wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from hub.runtime.backups import copy_offline, data_size, make_backup
from hub.runtime.restores import restore_backup
from hub.store import marks
from hub.store.database import Database
from hub.store.migrating import NEWEST
from hub.store.sqlite import FILE_NAME

pytestmark = pytest.mark.embedded("backups of its file")

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENT = {
    "id": "event_1", "environment": "test", "connection": "stripe", "external_id": "evt_1", "type": "told",
    "subject": "", "occurred_at": 1, "received_at": 1, "via": "webhook", "state": "accepted", "deliveries": 1,
    "data": "{}", "body_hash": "00",
}  # fmt: skip


def written_by(step: str, folder: Path) -> None:
    """Write a database as the version did that ended with this step of the migrations."""
    folder.mkdir()
    config = Config()
    config.set_main_option("script_location", "hub.store:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(f"sqlite:///{folder / FILE_NAME}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, step)
        places = ", ".join(f":{name}" for name in EVENT)
        connection.execute(text(f"insert into events ({', '.join(EVENT)}) values ({places})"), EVENT)  # noqa: S608
    engine.dispose()


@pytest.mark.parametrize("step", ["0001", "0002"])
def test_a_backup_of_older_tables_gets_the_newer_ones(tmp_path: Path, step: str) -> None:
    """Made without a hub and without changing anything; what it holds is there, and known to be restored."""
    written_by(step, tmp_path / "old")
    before = (tmp_path / "old" / FILE_NAME).read_bytes()
    size = data_size(tmp_path / "old")
    made = make_backup(tmp_path / "old.tar", copy_offline(tmp_path / "old"), size=size, now=lambda: NOW, verifier=None)
    assert made.manifest.tables == step
    assert (tmp_path / "old" / FILE_NAME).read_bytes() == before
    later = NOW + timedelta(hours=1)
    done = restore_backup(tmp_path / "old.tar", tmp_path / "new", force=False, now=later, verifier=None)
    assert done.manifest == made.manifest
    database = Database(tmp_path / "new")
    with database.reading() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == NEWEST
        assert connection.execute(text("SELECT external_id FROM events")).scalar() == "evt_1"
        restored = marks.restored(connection)
    database.close()
    assert restored is not None
    assert (restored.backup_at, restored.restored_at) == (NOW, later)
