"""The key-encryption key: from the environment or a key file outside the data directory, made on first use."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import Refused

#: The key itself, base64 of 32 bytes.
KEY_VARIABLE = "CONCORD_KEY"
#: The path of a key file.
FILE_VARIABLE = "CONCORD_KEY_FILE"
#: AES-256.
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """A key-encryption key of 32 bytes, and where it came from; its bytes never show."""

    material: bytes = field(repr=False)
    source: str
    created: bool = False

    def __post_init__(self) -> None:
        """Refuse a key of the wrong length."""
        if len(self.material) != KEY_BYTES:
            raise Refused(
                f"A vault key has {KEY_BYTES} bytes; make one with `openssl rand -base64 {KEY_BYTES}`.",
                code="bad-vault-key",
                source=self.source,
                bytes=len(self.material),
            )

    @property
    def id(self) -> str:
        """Name the key without telling it: 16 hexadecimal digits, stored beside each secret it wraps."""
        return hashlib.sha256(b"concord vault key\x00" + self.material).hexdigest()[:16]


def load_key(
    *,
    environment: Mapping[str, str],
    hub_id: str,
    data_directory: Path,
    random: Callable[[int], bytes],
    key_file: Path | None = None,
) -> VaultKey:
    """Give the hub's key: `CONCORD_KEY`, else the key file, which is made on first use (`created` is then true).

    The file is `key_file`, else `CONCORD_KEY_FILE`, else `~/.config/concord/keys/<hub_id>`. It must belong to this user
    alone (mode 0600) and must not lie in the data directory, so that one stolen folder never holds lock and key.
    Raises `Refused` with what to do.
    """
    if text := environment.get(KEY_VARIABLE):
        return VaultKey(material=_decode(text, KEY_VARIABLE), source=KEY_VARIABLE)
    path = key_path(environment, hub_id, key_file)
    if path.resolve().is_relative_to(data_directory.resolve()):
        raise Refused(
            "The key file lies in the data directory, beside what it protects; put it elsewhere.",
            code="key-beside-data",
            key_file=str(path),
        )
    try:
        if (text := _read(path)) is None:
            return _create(path, random(KEY_BYTES))
    except OSError as error:
        raise Refused(
            "The key file can neither be read nor made.", code="no-key-file", key_file=str(path), reason=error.strerror
        ) from error
    return VaultKey(material=_decode(text, str(path)), source=str(path))


def key_path(environment: Mapping[str, str], hub_id: str, key_file: Path | None = None) -> Path:
    """Say where the key file is, or would be."""
    return key_file or _named(environment) or _home(environment) / "concord" / "keys" / hub_id


def present_key(environment: Mapping[str, str], hub_id: str, key_file: Path | None = None) -> VaultKey | None:
    """Give the hub's key if there is one, and make none; raises `Refused` for one that cannot be used."""
    if text := environment.get(KEY_VARIABLE):
        return VaultKey(material=_decode(text, KEY_VARIABLE), source=KEY_VARIABLE)
    path = key_path(environment, hub_id, key_file)
    try:
        text = _read(path)
    except OSError as error:
        raise Refused(
            "The key file cannot be read.", code="no-key-file", key_file=str(path), reason=error.strerror
        ) from error
    return None if text is None else VaultKey(material=_decode(text, str(path)), source=str(path))


def notice(key: VaultKey) -> str:
    """Say in a sentence where a new key lies and what it means to lose it; empty for a key that was there."""
    if not key.created:
        return ""
    return (
        f"A new vault key was made in {key.source}. Keep a copy of it in a safe place, apart from the data: "
        f"without it the stored secrets cannot be read."
    )


def _named(environment: Mapping[str, str]) -> Path | None:
    return Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None


def _home(environment: Mapping[str, str]) -> Path:
    return Path(environment["XDG_CONFIG_HOME"]) if environment.get("XDG_CONFIG_HOME") else Path.home() / ".config"


def _read(path: Path) -> str | None:
    try:
        file = path.open(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None
    with file:
        facts = os.fstat(file.fileno())
        if stat.S_IMODE(facts.st_mode) & 0o077 or facts.st_uid != os.geteuid():
            raise Refused(
                f"Others could read the key file; run `chmod 600 {path}` as its owner.",
                code="key-file-open",
                key_file=str(path),
                mode=oct(stat.S_IMODE(facts.st_mode)),
            )
        return file.read(1024)


def _create(path: Path, material: bytes) -> VaultKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(material) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return VaultKey(material=material, source=str(path), created=True)


def _decode(text: str, source: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("The vault key is not base64.", code="bad-vault-key", source=source) from None
