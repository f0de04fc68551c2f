"""Bringing data back from a backup: checked whole before it is put in place, and marked, so that nothing is sent twice.

What the hub did between the backup and now, the data does not know. The mark `restored` tells the engine: it looks at
the targets, by key, before it sends what may have been sent then.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.audit.kinds import AuditKind
from hub.errors import Fatal, HubError, Refused
from hub.model.ambient import to_micros
from hub.runtime.backups import Verifier, check_copy
from hub.store import archive, heads, marks
from hub.store.archive import Manifest
from hub.store.audit import ChainWriter, Note
from hub.store.committer import Transaction
from hub.store.copying import sync
from hub.store.database import Database
from hub.store.migrating import NEWEST
from hub.store.sqlite import FILE_NAME, LOCK_NAME, RESTORING, owning

Progress = Callable[[str, int, int], None]

#: Files of a process, not of the data; they do not make a folder "not empty" and are left behind.
_ASIDE = "replaced-"
_PASSING = (LOCK_NAME, RESTORING, "hub.json", "api-token")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What was restored, where what lay there before is now, and whether the signatures of the heads were checked."""

    manifest: Manifest
    restored_at: datetime
    moved: Path | None
    signed: bool


def restore_backup(
    source: Path,
    data: Path,
    *,
    force: bool,
    now: datetime,
    verifier: Verifier | None,
    progress: Progress = lambda _what, _done, _of: None,
) -> Restore:
    """Put a backup's data into a directory that no hub uses; gives what was done.

    Raises `Refused` for a directory with data in it unless `force`, which moves that data aside; for a backup of a
    newer version; for one that is damaged; and while the clock is earlier than the backup. Nothing in the directory is
    touched before the backup has been checked.
    """
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with owning(data):
        there = [path for path in data.iterdir() if path.name not in _PASSING]
        if there and not force:
            raise Refused(
                "The data directory is not empty. Name another with --data, or move what is in it aside with --force.",
                code="data-not-empty",
                directory=str(data),
            )
        draft = data / RESTORING
        if draft.exists():
            shutil.rmtree(draft)
        draft.mkdir(mode=0o700)
        try:
            manifest = _check(source, draft, verifier, progress)
            _assert_later(manifest, now)
            _mark(draft, source, manifest, now)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        moved = _put_in_place(data, draft, there, now)
    return Restore(manifest=manifest, restored_at=now, moved=moved, signed=verifier is not None)


def _check(source: Path, draft: Path, verifier: Verifier | None, progress: Progress) -> Manifest:
    manifest = archive.unpack(source, draft, progress=lambda done, of: progress("read", done, of))
    if manifest.tables > NEWEST:
        raise Refused(
            "The backup was made by a newer version of Concord. Restore it with that one.",
            code="newer-backup",
            version=manifest.version,
        )
    progress("checked", 0, 1)
    try:
        check_copy(draft, verifier)
    except HubError as error:
        raise Refused(
            "The backup does not hold: take an older one.", code="backup-damaged", reason=str(error)[:300]
        ) from error
    progress("checked", 1, 1)
    return manifest


def _assert_later(manifest: Manifest, now: datetime) -> None:
    # What happened before the restore may have been sent by the hub of then: that moment must not be too early.
    if now < datetime.fromisoformat(manifest.made_at):
        raise Refused(
            "The backup was made later than the machine's clock shows. Set the clock first: the hub tells by it which "
            "writes may have been made since the backup.",
            code="clock-behind",
            made_at=manifest.made_at,
            now=now.isoformat(timespec="seconds"),
        )


def _mark(draft: Path, source: Path, manifest: Manifest, now: datetime) -> None:
    """Bring the tables to this version, and write down from when the data is."""
    digest = archive.measure(source).sha256
    made_at = datetime.fromisoformat(manifest.made_at)
    database = Database(draft)
    try:
        with database.writer.connect() as connection, connection.begin():
            transaction = Transaction(connection=connection, now=to_micros(now))
            earlier = marks.restored(connection)
            unknown_from = made_at if earlier is None else min(earlier.unknown_from, made_at)
            marks.put(
                transaction,
                marks.RESTORED,
                {
                    "backup_at": made_at.isoformat(),
                    "unknown_from": unknown_from.isoformat(),
                    "file": source.name,
                    "sha256": digest,
                },
            )
            for log, (size, _chain) in manifest.logs.items():
                note = Note(
                    kind=AuditKind.DATA_RESTORED,
                    actor="local",
                    facts={"backup_at": manifest.made_at, "sha256": digest, "entries": size},
                )
                ChainWriter.load(connection, log).append(connection, [note], transaction.now)
    finally:
        database.close()
    # Closing takes the log into the database; only then it may be moved alone.
    if Path(f"{draft / FILE_NAME}-wal").exists():
        raise Fatal("The restored database could not be closed.", code="restore-unfinished")


def _put_in_place(data: Path, draft: Path, there: list[Path], now: datetime) -> Path | None:
    old = [path for path in there if not path.name.startswith(_ASIDE)]
    moved = data / f"{_ASIDE}{now:%Y%m%dT%H%M%SZ}" if old else None
    if moved is not None:
        moved.mkdir(mode=0o700)
        # The database goes first and comes last: in between the directory says that a restore is not finished.
        for path in sorted(old, key=lambda path: path.name != FILE_NAME):
            path.replace(moved / path.name)
            sync(data)
        sync(moved)
    for name in (heads.FILE_NAME, FILE_NAME):
        (draft / name).replace(data / name)
        sync(data)
    shutil.rmtree(draft)
    return moved
