"""Signed tree heads on disk beside the database: one line each, only ever appended."""

from __future__ import annotations

import errno
import json
import os
from datetime import datetime
from pathlib import Path

from hub.audit.chain import ChainHead
from hub.audit.heads import SignedHead, TreeHead
from hub.store.copying import sync

FILE_NAME = "audit-heads.jsonl"
#: No two heads together are longer, in bytes.
LONGEST = 64 * 1024


def append(directory: Path, signed: SignedHead) -> None:
    """Add a head and wait until it is on the disk; `OSError` without room for all of it, and nothing is added then."""
    line = json.dumps({"head": json.loads(signed.head.to_bytes()), "signature": signed.signature.hex()})
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(directory / FILE_NAME, flags, 0o600), "ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            # A line of its own even behind what a crash left half written; empty lines are passed over.
            text = f"\n{line}\n".encode("ascii")
            if file.write(text) != len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(before)
            raise
        os.fsync(file.fileno())
    if before == 0:
        # A file is on the disk only when its name is.
        sync(directory)


def read(directory: Path) -> list[SignedHead]:
    """Give all heads, the oldest first; raises ValueError naming the line that cannot be read.

    A line without its end is what a crash left: it was never said to be written, and the next head says it again.
    """
    try:
        lines = (directory / FILE_NAME).read_text(encoding="ascii").split("\n")
    except FileNotFoundError:
        return []
    heads: list[SignedHead] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            heads.append(_head(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            if line.endswith("}"):
                raise ValueError(f"{FILE_NAME}:{number}: this is not a tree head") from error
    return heads


def copy(directory: Path, folder: Path) -> None:
    """Copy all heads that are written to their end into another folder, and wait until they are on its disk."""
    try:
        content = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        content = b""
    handle = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content[: content.rfind(b"\n") + 1])
        file.flush()
        os.fsync(file.fileno())


def last(directory: Path) -> SignedHead | None:
    """Give the newest head that can be read; None when there is none."""
    try:
        with (directory / FILE_NAME).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LONGEST))
            lines = file.read().decode("ascii", "replace").split("\n")
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            return _head(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
    return None


def _head(document: dict[str, dict[str, object]]) -> SignedHead:
    head = document["head"]
    logs = head["logs"]
    if not isinstance(logs, dict):
        raise TypeError("logs")
    return SignedHead(
        head=TreeHead(
            size=int(str(head["size"])),
            root=bytes.fromhex(str(head["root"])),
            at=datetime.fromisoformat(str(head["at"])),
            key_id=str(head["key_id"]),
            previous=bytes.fromhex(str(head["previous"])),
            logs=tuple(
                ChainHead(log=name, size=end["size"], chain=bytes.fromhex(end["chain"]))
                for name, end in sorted(logs.items())
            ),
        ),
        signature=bytes.fromhex(str(document["signature"])),
    )
