"""A store of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.runtime.clock import system_ambient
from hub.store.committer import Committer
from hub.store.database import Database


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Database, Committer]]:
    """Give an open store."""
    database = Database(tmp_path)
    committer = Committer(database, system_ambient(1))
    committer.start()
    yield database, committer
    await committer.stop()
    database.close()
