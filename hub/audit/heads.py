"""Signed tree heads: what the logs were at a time, signed by a key that is not in the database."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from hub.audit.chain import ChainHead

#: What the first head names as its predecessor.
NO_HEAD = bytes(32)

_encoder = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeHead:
    """The Merkle tree over all entries in the order they were sealed, and each log's chain at that time.

    `previous` is the SHA-256 of the head before, so that heads form a chain too; `key_id` names the signing key.
    """

    size: int
    root: bytes
    at: datetime
    key_id: str
    previous: bytes = NO_HEAD
    logs: tuple[ChainHead, ...] = ()

    def to_bytes(self) -> bytes:
        """Give the canonical JSON that is signed."""
        return _encoder.encode(
            {
                "at": self.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "key_id": self.key_id,
                "logs": {log.log: {"chain": log.chain.hex(), "size": log.size} for log in self.logs},
                "previous": self.previous.hex(),
                "root": self.root.hex(),
                "size": self.size,
            }
        )

    def digest(self) -> bytes:
        """Give the SHA-256 that the next head names as `previous`."""
        return hashlib.sha256(self.to_bytes()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A tree head with its signature (Ed25519, 64 bytes)."""

    head: TreeHead
    signature: bytes


def sign(head: TreeHead, signer: Callable[[bytes], bytes]) -> SignedHead:
    """Sign a head; `signer` is the private key's signing function."""
    return SignedHead(head=head, signature=signer(head.to_bytes()))


def head_faults(heads: Sequence[SignedHead], verifier: Callable[[bytes, bytes], bool]) -> list[str]:
    """Check signatures and order of all heads, oldest first; give one sentence for each fault.

    `verifier(signature, message)` tells whether the signature is the trusted key's.
    """
    faults = []
    previous, size = NO_HEAD, 0
    sizes: dict[str, int] = {}
    for number, signed in enumerate(heads, start=1):
        head = signed.head
        if not verifier(signed.signature, head.to_bytes()):
            faults.append(f"head {number}: the signature is not the trusted key's")
        if head.previous != previous:
            faults.append(f"head {number}: the head before it was altered or removed")
        if head.size < size:
            faults.append(f"head {number}: the tree shrank from {size} to {head.size} entries")
        faults.extend(
            f"head {number}: log {log.log} shrank from {sizes[log.log]} to {log.size} entries"
            for log in head.logs
            if log.size < sizes.get(log.log, 0)
        )
        sizes.update({log.log: log.size for log in head.logs})
        previous, size = head.digest(), head.size
    return faults
