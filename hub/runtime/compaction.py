"""Giving room back: the database is written anew without its empty pages, while no hub uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hub.errors import Refused
from hub.store import machine
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME


def compact(data: Path) -> int:
    """Rewrite the database; gives the bytes that the disk has back. `Refused` without room for a second copy."""
    database, file = Database(data), data / FILE_NAME
    try:
        before = file.stat().st_size
        free, _whole = machine.room(data)
        if free < before * 2:
            raise Refused("There is too little room to write the database anew.", code="no-room", needed=before * 2)
        with database.writer.connect() as connection:
            own: Any = connection.connection.dbapi_connection
            own.execute("VACUUM")
            own.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return before - file.stat().st_size
    finally:
        database.close()
