"""Damage to the files, looked for before anything is changed: a torn log, a broken page, an end that is missing.

SQLite itself takes a write-ahead log up to the first frame that does not fit and says nothing of what came after. That
is right after a power cut, which can lose only what was never acknowledged, and wrong after a flipped bit or a file
that somebody cut short. The rules here tell the two apart by what is known to have been synced.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, select

from hub.errors import Fatal
from hub.store import heads
from hub.store.tables import audit_heads

#: How long a start may look for broken pages; `concord doctor --deep` takes the time it needs.
LOOK_SECONDS = 1.0
#: What to do is the same whatever is broken.
WHAT_TO_DO = (
    "Nothing was changed. Keep a copy of the data directory, look with `concord doctor --deep`, and bring back the "
    "newest backup with `concord restore FILE --force`; the hub then compares with the targets before it sends."
)

_WAL_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_WAL_MAGIC = 0x377F0682
#: The head of the log's index in shared memory, in the byte order of the machine: version, unused, change, flags,
#: page size, last frame, pages, checksum of frames, salts (as in the log), checksum. It stands there twice.
_INDEX_HEAD = struct.Struct("=IIIBBHII2I8s2I")
_INDEX_BACKFILL = struct.Struct("=I")
_INDEX_VERSION = 3007000


@dataclass(frozen=True, slots=True)
class WalFiles:
    """What the write-ahead log and its index said before SQLite looked at them.

    `commits` are the numbers (from 1) of the commit frames of the log's present generation, `promised` is the last
    frame that a process knew to be synced and not yet in the database.
    """

    size: int = 0
    sound: bool = True
    commits: tuple[int, ...] = ()
    promised: int = 0


def look(database: Path, *, seconds: float = LOOK_SECONDS) -> bool:
    """Look at the files of a database that nobody has open; `Fatal` for damage.

    Gives false when there was no time for all pages.
    """
    if not database.exists():
        return True
    if Path(f"{database}-journal").exists():
        # A first start was broken off before there was a write-ahead log; opening it to write takes that back.
        return False
    index = Path(f"{database}-shm")
    kept = index.read_bytes() if index.exists() else None
    before = _look_at_wal(database)
    try:
        whole = look_at_pages(database, seconds=seconds)
        check_wal(before, _index(index)[0])
    except Fatal:
        # The next start must see what this one saw.
        if kept is not None:
            index.write_bytes(kept)
        raise
    return whole


def _look_at_wal(database: Path) -> WalFiles:
    # Never while this process has the database open: closing the index would let go of SQLite's locks on it.
    last, backfilled, salts = _index(Path(f"{database}-shm"))
    promised = last if last > backfilled else 0
    wal = Path(f"{database}-wal")
    header = _start_of(wal, _WAL_HEADER.size)
    size = wal.stat().st_size if header else 0
    if size < _WAL_HEADER.size:
        return WalFiles(size=size, promised=promised)
    magic, _version, page, *_rest, first, second = _WAL_HEADER.unpack(header)
    if magic & ~1 != _WAL_MAGIC or _checksum(header[:24], big=bool(magic & 1)) != (first, second) or page == 0:
        return WalFiles(size=size, sound=False)
    generation, commits = header[16:24], []
    with wal.open("rb", buffering=0) as file:
        places = range(_WAL_HEADER.size, size - page - _FRAME_HEADER.size + 1, page + _FRAME_HEADER.size)
        for number, at in enumerate(places, start=1):
            frame = os.pread(file.fileno(), _FRAME_HEADER.size, at)
            if _FRAME_HEADER.unpack(frame)[1] and frame[8:16] == generation:
                commits.append(number)
    # Another generation's index tells nothing of this log.
    return WalFiles(size=size, commits=tuple(commits), promised=promised if salts == generation else 0)


def _start_of(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return b""


def _index(path: Path) -> tuple[int, int, bytes]:
    """Give the log's last frame by its index, how many frames are in the database, and which generation they are of."""
    index, size = _start_of(path, 4096), _INDEX_HEAD.size
    if len(index) < 2 * size + _INDEX_BACKFILL.size or index[:size] != index[size : 2 * size]:
        return 0, 0, b""
    version, _unused, _change, ready, _order, _page, last, *_rest = _INDEX_HEAD.unpack_from(index)
    if version != _INDEX_VERSION or not ready:
        return 0, 0, b""
    (backfilled,) = _INDEX_BACKFILL.unpack_from(index, 2 * size)
    return last, backfilled, index[32:40]


def _checksum(content: bytes, *, big: bool) -> tuple[int, int]:
    """Give SQLite's checksum of a log's header."""
    first = second = 0
    words = struct.unpack(f"{'>' if big else '<'}{len(content) // 4}I", content)
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second


def check_wal(before: WalFiles, recovered: int) -> None:
    """Compare what SQLite took from the log (`recovered`, its last frame) with what was there; `Fatal` for a loss.

    A power cut leaves at most one commit that was not synced. So a second one behind the end of what fits, an index
    that knows of later frames, and frames below a header that cannot be read mean that acknowledged work is gone.
    """
    beyond = [number for number in before.commits if number > recovered]
    if not before.sound and before.size > _WAL_HEADER.size:
        reason = "its header cannot be read"
    elif before.promised > recovered:
        reason = f"it ends at frame {recovered}, and frame {before.promised} was synced"
    elif len(beyond) > 1:
        reason = f"frame {recovered + 1} is broken, and {len(beyond)} commits follow it"
    else:
        return
    raise Fatal(
        f"The write-ahead log is damaged: acknowledged work is missing. {WHAT_TO_DO}", code="log-damaged", found=reason
    )


def look_at_pages(database: Path, *, seconds: float = LOOK_SECONDS) -> bool:
    """Look for broken pages as long as the time allows, changing nothing; false when there was no time for all.

    Raises `Fatal` for what is found. The log's index is afterwards as SQLite has recovered it.
    """
    ends = time.monotonic() + seconds
    with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)) as connection:
        connection.set_progress_handler(lambda: time.monotonic() > ends, 20_000)
        try:
            found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return False
            if is_damage(error):
                raise broken(error) from error
            raise
    if found != ["ok"]:
        raise broken("; ".join(found))
    return True


def check_end(connection: Connection, directory: Path) -> None:
    """Compare where the audit log ends with the last signed head, which lies outside the database; `Fatal` for less."""
    last = heads.last(directory)
    if last is None:
        return
    ends = {row.chain: row.size for row in connection.execute(select(audit_heads.c.chain, audit_heads.c.size))}
    for log in last.head.logs:
        if ends.get(log.log, 0) < log.size:
            raise Fatal(
                "The database ends before its last signed head: it is older than what this directory has already "
                f"vouched for, or its end is gone. {WHAT_TO_DO}",
                code="end-missing",
                log=log.log,
                entries=ends.get(log.log, 0),
                vouched_for=log.size,
            )


def broken(reason: object) -> Fatal:
    """Give the error for a database that SQLite cannot read."""
    return Fatal(f"The database is damaged. {WHAT_TO_DO}", code="database-damaged", found=str(reason)[:300])


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Tell whether an error says that the file itself is broken."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
