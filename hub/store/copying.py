"""A consistent copy of a database that is in use: page by page from one moment, while commits go on."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

#: Pages of one step; between two steps others get the processor and the disk.
STEP_PAGES = 512
PAUSE_SECONDS = 0.002
#: Memory of the copy, in KiB, whatever the size of the database.
CACHE_KIB = 4096


def copy_database(
    source: Path, target: Path, *, progress: Callable[[int, int], None] = lambda _done, _of: None
) -> None:
    """Copy a database into a new file (mode 0600), as it is at one moment; `progress(done, of)` is told pages.

    A reading connection of its own keeps the moment, so that the writer is never waited for and never waits; only the
    write-ahead log grows meanwhile. The copy is complete and synced when this returns; a started one is taken away
    after an error.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    try:
        _copy(source, target, progress)
        sync(target)
    except BaseException:
        for leftover in (target, Path(f"{target}-wal"), Path(f"{target}-shm"), Path(f"{target}-journal")):
            leftover.unlink(missing_ok=True)
        raise


def _copy(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    def told(_status: int, left: int, of: int) -> None:
        progress(of - left, of)
        time.sleep(PAUSE_SECONDS)

    address = f"file:{quote(str(source))}?mode=ro"
    with (
        closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=5.0)) as reading,
        closing(sqlite3.connect(target, isolation_level=None)) as writing,
    ):
        for setting in ("synchronous=OFF", "journal_mode=OFF", f"cache_size=-{CACHE_KIB}"):
            writing.execute(f"PRAGMA {setting}")
        reading.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        # What is read in this transaction is of one moment, however long the steps take.
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reading.backup(writing, pages=STEP_PAGES, progress=told)
        # One file that needs no log beside it.
        writing.execute("PRAGMA journal_mode=DELETE")


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
