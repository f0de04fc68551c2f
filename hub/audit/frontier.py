"""A growing Merkle tree kept as its peaks alone, so that a new head costs only what was added since the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from hub.audit.merkle import EMPTY_ROOT, node_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The roots of the full subtrees of a tree of `size` leaves, largest first: one for each set bit of `size`."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Refuse peaks that cannot belong to a tree of this size."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.peaks)} peaks")

    def add(self, leaves: Iterable[bytes]) -> Self:
        """Give the tree with these leaf hashes added, in order."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            digest, carry = leaf, size
            while carry & 1:
                digest = node_hash(peaks.pop(), digest)
                carry >>= 1
            peaks.append(digest)
            size += 1
        return type(self)(size=size, peaks=tuple(peaks))

    def root(self) -> bytes:
        """Give the root of the whole tree."""
        if not self.peaks:
            return EMPTY_ROOT
        digest = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            digest = node_hash(peak, digest)
        return digest
