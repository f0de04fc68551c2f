"""The key-encryption key: from the environment or a key file outside the data directory, made on first use.

The key file has the key in its first line. After a change of the key, each earlier one follows in a line of its own as
`previous KEY`, until nothing is sealed with it; then what it signed is still known by `signed PUBLIC-KEY`.
"""

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
#: Earlier keys, separated by commas, while secrets are sealed anew, and as long as what they signed is to be verified.
PREVIOUS_VARIABLE = "CONCORD_KEY_PREVIOUS"
#: The path of a key file.
FILE_VARIABLE = "CONCORD_KEY_FILE"
#: AES-256.
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """A key-encryption key of 32 bytes, and where it came from; its bytes never show.

    `previous` are earlier keys that still open what was sealed with them, and `signed` the public keys (Ed25519, 32
    bytes) of those that are gone, by which what they signed is verified.
    """

    material: bytes = field(repr=False)
    source: str
    created: bool = False
    previous: tuple[VaultKey, ...] = ()
    signed: tuple[bytes, ...] = ()

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

    def find(self, key_id: str) -> VaultKey | None:
        """Give the key of this id: this one, an earlier one, or None."""
        return next((key for key in (self, *self.previous) if key.id == key_id), None)


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
        return _of_variables(text, environment)
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
    return _parse(text, path)


def key_path(environment: Mapping[str, str], hub_id: str, key_file: Path | None = None) -> Path:
    """Say where the key file is, or would be."""
    return key_file or _named(environment) or _home(environment) / "concord" / "keys" / hub_id


def present_key(environment: Mapping[str, str], hub_id: str, key_file: Path | None = None) -> VaultKey | None:
    """Give the hub's key if there is one, and make none; raises `Refused` for one that cannot be used."""
    if text := environment.get(KEY_VARIABLE):
        return _of_variables(text, environment)
    path = key_path(environment, hub_id, key_file)
    try:
        text = _read(path)
    except OSError as error:
        raise Refused(
            "The key file cannot be read.", code="no-key-file", key_file=str(path), reason=error.strerror
        ) from error
    return None if text is None else _parse(text, path)


def change_key(path: Path, key: VaultKey, material: bytes) -> VaultKey:
    """Put a new key into the key file, with the one in use behind it; gives the new one.

    The file is replaced as a whole and synced: whenever the machine stops, it holds the old content or the new one.
    """
    changed = VaultKey(material=material, source=str(path), previous=(key, *key.previous), signed=key.signed)
    write_key(path, changed)
    return changed


def write_key(path: Path, key: VaultKey) -> None:
    """Replace the key file."""
    lines = [base64.b64encode(key.material)]
    lines += [b"previous " + base64.b64encode(old.material) for old in key.previous]
    lines += [b"signed " + base64.b64encode(public) for public in key.signed]
    half = path.with_name(path.name + ".new")
    half.unlink(missing_ok=True)
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(b"\n".join(lines) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    _sync(path.parent)


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
        return file.read(65_536)


def _create(path: Path, material: bytes) -> VaultKey:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(material) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)
    return VaultKey(material=material, source=str(path), created=True)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _of_variables(text: str, environment: Mapping[str, str]) -> VaultKey:
    earlier = [one for one in environment.get(PREVIOUS_VARIABLE, "").split(",") if one.strip()]
    return VaultKey(
        material=_decode(text, KEY_VARIABLE),
        source=KEY_VARIABLE,
        previous=tuple(VaultKey(material=_decode(one, PREVIOUS_VARIABLE), source=PREVIOUS_VARIABLE) for one in earlier),
    )


def _parse(text: str, path: Path) -> VaultKey:
    first, *rest = text.strip().splitlines() or [""]
    previous: list[VaultKey] = []
    signed: list[bytes] = []
    for line in rest:
        word, _, value = line.partition(" ")
        if word == "previous":
            previous.append(VaultKey(material=_decode(value, str(path)), source=str(path)))
        elif word == "signed":
            signed.append(_decode(value, str(path)))
        else:
            raise Refused("The key file has a line that is no key.", code="bad-vault-key", source=str(path))
    return VaultKey(
        material=_decode(first, str(path)), source=str(path), previous=tuple(previous), signed=tuple(signed)
    )


def _decode(text: str, source: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("The vault key is not base64.", code="bad-vault-key", source=source) from None
