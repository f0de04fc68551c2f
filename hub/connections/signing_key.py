"""The key that signs tree heads: derived from the vault key, so that it is never in the database."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.connections.keys import KEY_BYTES, VaultKey


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An Ed25519 key; `id` names its public half in 16 hexadecimal digits.

    `earlier` are the public halves of the keys before it: what they signed holds as well.
    """

    id: str
    _private: Ed25519PrivateKey = field(repr=False)
    earlier: tuple[bytes, ...] = ()

    @property
    def public(self) -> bytes:
        """Give the public half (32 bytes)."""
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """Give the signature (64 bytes)."""
        return self._private.sign(message)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key made the signature, or one before it."""
        return any(_made_by(public, signature, message) for public in (self.public, *self.earlier))


def signing_key(key: VaultKey) -> SigningKey:
    """Derive the signing key (HKDF-SHA256, RFC 5869); the same vault key always gives the same one."""
    earlier = (*(signing_key(old).public for old in key.previous), *key.signed)
    seed = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"concord tree heads").derive(key.material)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return SigningKey(id=hashlib.sha256(public).hexdigest()[:16], _private=private, earlier=earlier)


def _made_by(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
