"""Making a backup: a copy of the files is checked, described, packed into one file, and put in place at once."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import StaticPool

from hub.connections.vault import unpack
from hub.errors import Conflict, HubError, Refused
from hub.model.ambient import to_micros
from hub.operate.backups import Backup, copy_data, remember
from hub.queries.integrity import verify_logs
from hub.store import archive, damage
from hub.store.archive import Manifest, Part
from hub.store.audit import ChainWriter
from hub.store.committer import Transaction
from hub.store.copying import sync
from hub.store.database import Database
from hub.store.migrating import NEWEST
from hub.store.sqlite import FILE_NAME, owning

Progress = Callable[[str, int, int], None]
Verifier = Callable[[bytes, bytes], bool]

#: A backup is made of a copy, and both need room at the same time; a little is kept for others.
ROOM = 2.2
#: Rows that a manifest counts.
COUNTED = ("events", "runs", "effects", "cases", "audit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup in its place; `signed` tells whether the signatures of its heads could be checked with the hub's key."""

    path: Path
    part: Part
    manifest: Manifest
    signed: bool


def make_backup(
    target: Path,
    copy: Callable[[Path, Callable[[int, int], None]], None],
    *,
    size: int,
    now: Callable[[], datetime],
    verifier: Verifier | None,
    force: bool = False,
    progress: Progress = lambda _what, _done, _of: None,
) -> Made:
    """Have the files copied, check the copy, and put it in place as one file (mode 0600).

    `copy(folder, told)` puts database and heads into a folder; `size` is that of the database. Raises `Refused` for a
    file that is there already (unless `force`) and for too little room, `Fatal` when the copy does not hold.
    """
    if target.exists() and not force:
        raise Refused("The file is there already; name another, or replace it with --force.", code="file-exists")
    _assert_room(target.parent, size)
    with work_folder(target) as folder:
        # What happened while it was copied may be in it or not; a restore looks for it at the targets.
        made_at = now()
        copy(folder, lambda done, of: progress("copied", done, of))
        progress("checked", 0, 1)
        check_copy(folder, verifier)
        progress("checked", 1, 1)
        manifest = describe(folder, made_at)
        archive.pack(folder, manifest, folder / "backup", seconds=int(made_at.timestamp()))
        part = archive.measure(folder / "backup")
        (folder / "backup").replace(target)
        sync(target.parent)
    return Made(path=target, part=part, manifest=manifest, signed=verifier is not None)


def copy_offline(data: Path) -> Callable[[Path, Callable[[int, int], None]], None]:
    """Give the copying for data that no hub uses; nothing in it is changed, not even to newer tables."""

    def copy(folder: Path, told: Callable[[int, int], None]) -> None:
        with owning(data):
            damage.look(data / FILE_NAME)
            copy_data(data, folder, told)

    return copy


def remember_offline(data: Path, told: Mapping[str, Any]) -> None:
    """Write a backup down in data that no hub uses, unless its tables are of an earlier version."""
    with closing(_connect(data / FILE_NAME)) as connection:
        (tables,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if tables != NEWEST:
        return
    database = Database(data)
    try:
        with database.writer.connect() as writing, writing.begin():
            transaction = Transaction(connection=writing, now=to_micros(datetime.fromisoformat(told["made_at"])))
            remember(transaction, Backup(**told), actor="local")
            ChainWriter.load(writing, "main").append(writing, transaction.entries, transaction.now)
    finally:
        database.close()


def check_copy(folder: Path, verifier: Verifier | None) -> None:
    """Check every page, and the audit log to its end; `Fatal` for what does not hold."""
    with _opened(folder / FILE_NAME) as engine, engine.connect() as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(3)").scalars().all()
        if found != ["ok"]:
            raise damage.broken("; ".join(map(str, found)))
        verdict = verify_logs(connection, folder, verifier or (lambda _signature, _message: True))
    if not verdict.holds:
        raise HubError(
            "The audit log of the copy does not hold; see `concord audit verify`.",
            code="audit-broken",
            fault=verdict.faults[0],
        )


def describe(folder: Path, made_at: datetime) -> Manifest:
    """Say what a copy is of, from its own tables, whichever version wrote them."""
    with closing(_connect(folder / FILE_NAME)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

        def rows(table: str, columns: str) -> list[tuple[Any, ...]]:
            found = connection.execute(f"SELECT {columns} FROM {table}") if table in tables else []  # noqa: S608
            return list(found)

        served: dict[str, str] = {}
        if "revisions" in tables:
            newest = connection.execute("SELECT environment, bundle FROM revisions ORDER BY number")
            served = {str(environment): str(bundle) for environment, bundle in newest}
        hubs = [value for name, value in rows("marks", "name, json_extract(value, '$.id')") if name == "hub"]
        sealed = [unpack(row[0]).key_id for row in rows("secrets", "sealed")]
        return Manifest(
            made_at=made_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            version=version("concord-hub"),
            tables=str(rows("alembic_version", "version_num")[0][0]),
            hub=None if not hubs else str(hubs[0]),
            environments=served,
            logs=_logs(rows("audit_heads", "chain, size, chain_hash")),
            vault_keys=tuple(sorted(set(sealed))),
            counts={
                table: int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608
                for table in COUNTED
                if table in tables
            },
            parts={name: archive.measure(folder / name) for name in archive.MEMBERS},
        )


def _logs(rows: list[tuple[Any, ...]]) -> Mapping[str, tuple[int, str]]:
    return {str(log): (int(size), bytes(chain).hex()) for log, size, chain in rows}


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)


@contextmanager
def _opened(path: Path) -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: _connect(path))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def work_folder(target: Path) -> Iterator[Path]:
    """Give a folder of this user alone beside the target, on the same disk; gone afterwards."""
    # It is named before it is made, so that nobody can be told to end between its making and the care for its end.
    folder = target.parent / f".{target.name}.{secrets.token_hex(8)}"
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _assert_room(folder: Path, size: int) -> None:
    if not folder.is_dir():
        raise Refused("There is no such folder to put the backup into.", code="no-folder", folder=str(folder))
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < size * ROOM:
        raise Refused(
            "There is too little room for the backup and the copy that it is made of.",
            code="no-room",
            folder=str(folder),
            needed=f"{int(size * ROOM / 1e6)} MB",
            free=f"{int(free / 1e6)} MB",
        )


def data_size(data: Path) -> int:
    """Give the bytes of a database with its log; `Conflict` where there is none."""
    path = data / FILE_NAME
    if not path.exists():
        raise Conflict("There is no database in the data directory.", code="no-data", directory=str(data))
    wal = Path(f"{path}-wal")
    return path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
