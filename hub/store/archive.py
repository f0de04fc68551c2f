"""A backup as one file: a tar archive of a manifest, the database, and the signed heads of its audit log.

The hashes come first (`SHA256SUMS`, as `sha256sum --check` reads them), so that a flipped bit anywhere is found when
the rest is read. No key is in it: who holds a backup cannot open the secrets in it.
"""

from __future__ import annotations

import hashlib
import io
import lzma
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import msgspec

from hub.errors import Refused
from hub.store import heads
from hub.store.copying import sync
from hub.store.sqlite import FILE_NAME

FORMAT = 1
SUMS = "SHA256SUMS"
MANIFEST = "manifest.json"
#: What a backup holds besides the manifest, in its order.
MEMBERS = (heads.FILE_NAME, FILE_NAME)
#: A manifest is small; what is larger is none.
LONGEST_MANIFEST = 1024 * 1024
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A file of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is of.

    `hub` names the data, `tables` the step of its migrations, `environments` gives the bundle that served in each,
    `logs` the end of each audit log as (entries, chain hash), `vault_keys` the ids of the keys that its secrets were
    sealed with, and `counts` the rows of some tables.
    """

    made_at: str
    version: str
    tables: str
    hub: str | None
    environments: Mapping[str, str]
    logs: Mapping[str, tuple[int, str]]
    vault_keys: tuple[str, ...]
    counts: Mapping[str, int]
    parts: Mapping[str, Part]
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        """Give the JSON form."""
        return msgspec.json.format(msgspec.json.encode(asdict(self)), indent=2)


def measure(path: Path) -> Part:
    """Give a file's size and hash."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Part(bytes=size, sha256=digest.hexdigest())


def pack(folder: Path, manifest: Manifest, target: Path, *, seconds: int) -> None:
    """Write the archive from the files of a folder; complete and synced when this returns. `seconds` is its time."""
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            text = manifest.to_bytes()
            sums = {MANIFEST: hashlib.sha256(text).hexdigest()}
            sums |= {name: manifest.parts[name].sha256 for name in MEMBERS}
            lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items()).encode()
            archive.addfile(_entry(SUMS, len(lines), seconds), io.BytesIO(lines))
            archive.addfile(_entry(MANIFEST, len(text), seconds), io.BytesIO(text))
            for name in MEMBERS:
                with (folder / name).open("rb") as member:
                    archive.addfile(_entry(name, manifest.parts[name].bytes, seconds), member)
        file.flush()
        os.fsync(file.fileno())


def _entry(name: str, size: int, seconds: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, seconds
    return entry


def unpack(source: Path, folder: Path, *, progress: Callable[[int, int], None] = lambda _done, _of: None) -> Manifest:
    """Write the files of a backup into a folder, checked against its manifest; raises `Refused` for what does not fit.

    An archive that was compressed with gzip, bzip2 or xz is read as well. `progress(done, of)` is told bytes.
    """
    try:
        with tarfile.open(source, mode="r|*") as archive:
            members = _Members(archive, source)
            sums = _sums(members.next(SUMS).read(LONGEST_MANIFEST), source)
            text = members.next(MANIFEST).read(LONGEST_MANIFEST)
            if hashlib.sha256(text).hexdigest() != sums[MANIFEST]:
                raise _damaged(source, MANIFEST)
            manifest = _manifest(text, source)
            for name in MEMBERS:
                part = Part(bytes=manifest.parts[name].bytes, sha256=sums[name])
                _take(members.next(name), part, folder / name, source, progress)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise _no_backup(source, str(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _no_backup(source, str(error)) from error
    sync(folder)
    return manifest


class _Members:
    """The files of an archive, one after the other as they must come."""

    def __init__(self, archive: tarfile.TarFile, source: Path) -> None:
        self._archive = archive
        self._source = source

    def next(self, name: str) -> IO[bytes]:
        entry = self._archive.next()
        if entry is None or entry.name != name or not entry.isfile():
            raise _no_backup(self._source, f"{name} is missing")
        member = self._archive.extractfile(entry)
        assert member is not None
        return member


def _sums(text: bytes, source: Path) -> dict[str, str]:
    lines = (line.split("  ", 1) for line in text.decode("ascii", "replace").splitlines())
    found = {line[1]: line[0] for line in lines if len(line) == 2}
    if set(found) != {MANIFEST, *MEMBERS}:
        raise _damaged(source, SUMS)
    return found


def _manifest(text: bytes, source: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as error:
        raise _no_backup(source, f"its manifest cannot be read: {error}") from error
    if manifest.format != FORMAT or set(manifest.parts) != set(MEMBERS):
        raise _no_backup(source, f"its format is {manifest.format}; this version reads {FORMAT}")
    return manifest


def _take(member: IO[bytes], part: Part, target: Path, source: Path, progress: Callable[[int, int], None]) -> None:
    digest, size = hashlib.sha256(), 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        while chunk := member.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            file.write(chunk)
            progress(size, part.bytes)
        file.flush()
        os.fsync(file.fileno())
    if (size, digest.hexdigest()) != (part.bytes, part.sha256):
        raise _damaged(source, target.name)


def _damaged(source: Path, part: str) -> Refused:
    return Refused(
        "The backup is damaged: a part of it does not have its hash. Take another copy of it, or an older one.",
        code="backup-damaged",
        file=str(source),
        part=part,
    )


def _no_backup(source: Path, reason: str) -> Refused:
    return Refused("This is no backup that can be read.", code="no-backup", file=str(source), reason=reason[:200])
