"""Backups of a running hub: its files are copied while it works, and what was made of them is remembered."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.errors import Conflict, Refused
from hub.store import heads, marks
from hub.store.audit import Note
from hub.store.committer import Committer, Transaction, Work
from hub.store.copying import copy_database
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Copying:
    """How far the copying has come, in pages; `problem` tells why it ended without a copy."""

    going: bool = False
    done: int = 0
    of: int = 0
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that was made and verified: of which moment, how large, its hash, and its audit entries."""

    made_at: str
    bytes: int
    sha256: str
    entries: int


class Backups:
    """Copies the data of one process; one copy at a time."""

    def __init__(self, *, database: Database, committer: Committer) -> None:
        """Take the collaborators; nothing is copied yet."""
        self._database = database
        self._committer = committer
        self._copying: asyncio.Task[None] | None = None
        self._stopping = False
        self.state = Copying()

    def start(self, folder: Path) -> None:
        """Begin to copy database and signed heads into a folder that belongs to this user alone.

        Raises `Conflict` while another copy is made, and `Refused` for a folder that others could look into, or where
        the data is on a server.
        """
        if self._database.dialect != "sqlite":
            raise Refused(
                "A backup of this kind copies a file, and this data is on PostgreSQL: use the server's own tools "
                "(docs/operations.md).",
                code="data-on-server",
            )
        if self.state.going:
            raise Conflict("A backup is being made already; wait for its end.", code="backup-going")
        _assert_private(folder)
        self.state = Copying(going=True)
        self._copying = asyncio.create_task(asyncio.to_thread(self._copy, folder))

    async def made(self, backup: Backup, *, actor: str) -> None:
        """Remember the last backup."""

        def work(transaction: Transaction) -> None:
            remember(transaction, backup, actor=actor)

        await self._committer.commit(Work(work))

    def _copy(self, folder: Path) -> None:
        try:
            copy_data(self._database.directory, folder, self._tell)
        except Exception as error:  # noqa: BLE001 - whoever waits for the copy is told, whatever it was
            self.state = replace(self.state, going=False, problem=f"{type(error).__name__}: {error}"[:300])
        else:
            self.state = replace(self.state, going=False)

    async def stop(self) -> None:
        """Break off a copy that is being made."""
        self._stopping = True
        if self._copying is not None:
            await self._copying

    def _tell(self, done: int, of: int) -> None:
        if self._stopping:
            raise Conflict("The hub stops; no backup was made.", code="stopping")
        self.state = replace(self.state, done=done, of=of)


def copy_data(directory: Path, folder: Path, progress: Callable[[int, int], None]) -> None:
    """Copy the signed heads, then the database: its log is then at least as long as they say."""
    heads.copy(directory, folder)
    copy_database(directory / FILE_NAME, folder / FILE_NAME, progress=progress)


def remember(transaction: Transaction, backup: Backup, *, actor: str) -> None:
    """Write down the last backup, with its audit entry."""
    facts: dict[str, Fact] = {
        "made_at": backup.made_at,
        "bytes": backup.bytes,
        "sha256": backup.sha256,
        "entries": backup.entries,
    }
    marks.put(transaction, marks.BACKUP, facts)
    transaction.entries.append(Note(kind=AuditKind.BACKUP_MADE, actor=actor, facts=facts))


def _assert_private(folder: Path) -> None:
    try:
        found = os.lstat(folder)
    except OSError as error:
        raise Refused("The folder for the copy cannot be used.", code="no-folder", reason=error.strerror) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise Refused("The folder for the copy must belong to the hub's user alone (mode 0700).", code="open-folder")
