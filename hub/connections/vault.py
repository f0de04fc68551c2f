"""The vault: each version of a secret is sealed with a key of its own and bound to where it may be used."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.connections.keys import KEY_BYTES, VaultKey
from hub.errors import FixConnection

#: GCM's nonce; each key seals one message only, so that a random one is safe (NIST SP 800-38D).
NONCE_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a secret may be used: by this connector, towards these hosts (`host` or `host:port`), in one environment.

    It is not secret. It comes from the connection as it is configured now, never from the stored secret, so that a
    secret moved to another row, or a connection pointed at another host, does not open.
    """

    environment: str
    name: str
    connector: str
    hosts: tuple[str, ...]

    def associated_data(self, version: int) -> bytes:
        """Give the bytes that AES-GCM authenticates beside the secret; the order of hosts does not matter."""
        facts = [self.environment, self.name, version, self.connector, sorted(set(self.hosts))]
        return json.dumps(facts, separators=(",", ":"), ensure_ascii=True).encode()


def hosts(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the hosts (with port, where one is named) of all settings that are web addresses."""
    found = {
        urlsplit(value).netloc.rpartition("@")[2]
        for value in settings.values()
        if isinstance(value, str) and value.startswith(("http://", "https://"))
    }
    return tuple(sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """One version of a secret as it is stored; `connector` and `hosts` are there to be shown, not to be trusted.

    `wrapped_key` is the secret's own key under the vault key `key_id`, its nonce in front.
    """

    environment: str
    name: str
    version: int
    connector: str
    hosts: tuple[str, ...]
    wrapped_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)
    key_id: str
    created_at: datetime


def seal(
    secret: Mapping[str, str],
    *,
    binding: Binding,
    version: int,
    key: VaultKey,
    random: Callable[[int], bytes],
    now: datetime,
) -> SealedSecret:
    """Seal a secret (setting's name → value) as one version, from 1; `random(n)` must be a secure source of bytes."""
    data = binding.associated_data(version)
    own_key, nonce, wrapping_nonce = random(KEY_BYTES), random(NONCE_BYTES), random(NONCE_BYTES)
    ciphertext = AESGCM(own_key).encrypt(nonce, msgspec.json.encode(dict(secret)), data)
    wrapped = AESGCM(key.material).encrypt(wrapping_nonce, own_key, _wrapping_data(data, key))
    return SealedSecret(
        environment=binding.environment,
        name=binding.name,
        version=version,
        connector=binding.connector,
        hosts=binding.hosts,
        wrapped_key=wrapping_nonce + wrapped,
        nonce=nonce,
        ciphertext=ciphertext,
        key_id=key.id,
        created_at=now,
    )


def unseal(sealed: SealedSecret, *, binding: Binding, key: VaultKey) -> dict[str, str]:
    """Open a secret for the connection that `binding` describes.

    Raises `FixConnection`: `other-vault-key` when another key sealed it, `secret-not-bound` when it belongs to another
    connector, host, name or environment or was altered in the database.
    """
    opening = key.find(sealed.key_id)
    if opening is None:
        raise FixConnection(
            "The secret was sealed with another vault key; start the hub with that key or store the secret again.",
            code="other-vault-key",
            secret=sealed.name,
            sealed_with=sealed.key_id,
            present=key.id,
        )
    data = binding.associated_data(sealed.version)
    wrapping_nonce, wrapped = sealed.wrapped_key[:NONCE_BYTES], sealed.wrapped_key[NONCE_BYTES:]
    try:
        own_key = AESGCM(opening.material).decrypt(wrapping_nonce, wrapped, _wrapping_data(data, opening))
        plain = AESGCM(own_key).decrypt(sealed.nonce, sealed.ciphertext, data)
    except (InvalidTag, ValueError):
        raise FixConnection(
            "The secret does not open here: it was stored for another connector or host, or was altered; "
            "store it again for this connection.",
            code="secret-not-bound",
            secret=sealed.name,
            environment=binding.environment,
            connector=binding.connector,
            hosts=", ".join(binding.hosts),
        ) from None
    return msgspec.json.decode(plain, type=dict[str, str])


def rewrap(sealed: SealedSecret, *, key: VaultKey, random: Callable[[int], bytes]) -> SealedSecret:
    """Wrap a secret's own key with the present vault key instead of an earlier one; the secret itself is not opened.

    Raises `FixConnection` where none of the keys wraps it, or where it was altered.
    """
    opening = key.find(sealed.key_id)
    if opening is None:
        raise FixConnection(
            "The secret was sealed with a key that is not here.",
            code="other-vault-key",
            secret=sealed.name,
            sealed_with=sealed.key_id,
        )
    # What it is bound to stays as it was sealed: a secret that was moved or altered does not open here either.
    data = Binding(
        environment=sealed.environment, name=sealed.name, connector=sealed.connector, hosts=sealed.hosts
    ).associated_data(sealed.version)
    before, wrapped = sealed.wrapped_key[:NONCE_BYTES], sealed.wrapped_key[NONCE_BYTES:]
    try:
        own_key = AESGCM(opening.material).decrypt(before, wrapped, _wrapping_data(data, opening))
    except (InvalidTag, ValueError):
        raise FixConnection(
            "The secret was altered in the database.", code="secret-not-bound", secret=sealed.name
        ) from None
    nonce = random(NONCE_BYTES)
    again = AESGCM(key.material).encrypt(nonce, own_key, _wrapping_data(data, key))
    return replace(sealed, wrapped_key=nonce + again, key_id=key.id)


def _wrapping_data(data: bytes, key: VaultKey) -> bytes:
    return key.id.encode() + b"\x00" + data


def pack(sealed: SealedSecret) -> bytes:
    """Give a sealed secret as the bytes that the store keeps."""
    return msgspec.json.encode(sealed)


def unpack(stored: bytes) -> SealedSecret:
    """Read what the store kept; `FixConnection` when it cannot be read."""
    try:
        return msgspec.json.decode(stored, type=SealedSecret)
    except msgspec.DecodeError as error:
        raise FixConnection("The stored secret cannot be read.", code="secret-unreadable", reason=str(error)) from None
