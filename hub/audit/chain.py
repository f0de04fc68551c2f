"""The hash chain of one committer's log: each link commits to everything before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hub.audit.merkle import leaf_hash

#: What the first link hangs on.
GENESIS = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A stored entry: its number in the log, its leaf bytes as written, and its chain hash."""

    sequence: int
    leaf: bytes
    chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The end of a log as it was at some time: how many entries, and the last one's chain hash."""

    log: str
    size: int = 0
    chain: bytes = GENESIS


def chain_hash(previous: bytes, leaf: bytes) -> bytes:
    """Chain a leaf hash to what was before: SHA-256 of both."""
    return hashlib.sha256(previous + leaf).digest()


def links(head: ChainHead, leaves: Iterable[bytes]) -> Iterator[Link]:
    """Continue a log: give the links that append these leaf bytes after `head`."""
    sequence, chain = head.size, head.chain
    for leaf in leaves:
        sequence += 1
        chain = chain_hash(chain, leaf_hash(leaf))
        yield Link(sequence=sequence, leaf=leaf, chain=chain)
