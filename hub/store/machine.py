"""What lies under the data: the file system, its room, how long a sync takes, and who may read the files."""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import time
from dataclasses import dataclass
from pathlib import Path

#: File systems whose locks and syncs cannot be relied on: SQLite must not lie there.
NETWORK = re.compile(
    r"nfs4?|cifs|smb3|smbfs|ncpfs|afs|ceph|glusterfs|lustre|fuse\.(sshfs|s3fs|rclone|glusterfs|ceph.*)"
)
#: File systems that forget everything with the machine.
MEMORY = frozenset({"tmpfs", "ramfs"})
#: The first version of SQLite that can corrupt a log with several writers, and the first that no longer can.
WAL_RESET = ((3, 7, 0), (3, 51, 3))
#: Syncs that are timed.
_SYNCS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Syncs:
    """How long syncs of one page took, in seconds: the middle one and the longest."""

    median: float
    longest: float


def file_system(path: Path) -> str:
    """Name the kind of file system that a path lies on; empty where the machine does not tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place, found = str(path.resolve()), ("", "")
    for line in lines:
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), before.split()[4])
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        # Of two on one point the later one is what is seen.
        if inside and len(point) >= len(found[0]):
            found = (point, after.split()[0])
    return found[1]


def is_network(kind: str) -> bool:
    """Tell whether a kind of file system lies on another machine."""
    return NETWORK.fullmatch(kind) is not None


def room(path: Path) -> tuple[int, int]:
    """Give the bytes that are free for this user, and those of the whole file system."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def time_syncs(directory: Path) -> Syncs:
    """Write and sync a page some times in a file of its own, which is gone afterwards."""
    path = directory / f".sync-{os.getpid()}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        taken = []
        for number in range(_SYNCS):
            began = time.perf_counter()
            os.pwrite(handle, bytes([number]) * 4096, 4096 * number)
            os.fsync(handle)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(handle)
        path.unlink()
    return Syncs(median=sorted(taken)[len(taken) // 2], longest=max(taken))


def open_to_others(path: Path) -> str | None:
    """Say what is wrong with who may read a file; None when it belongs to this user alone, or is not there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    if found.st_uid != os.geteuid():
        return f"{path} belongs to another user"
    if found.st_mode & 0o077:
        return f"{path} has mode {stat.S_IMODE(found.st_mode):o}"
    return None


def resets_are_safe() -> bool:
    """Tell whether this SQLite is outside the versions that can corrupt a log with several writers."""
    first, fixed = WAL_RESET
    return not first <= sqlite3.sqlite_version_info < fixed
