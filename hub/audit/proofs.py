"""Checking proofs without the tree: written from RFC 9162's verifying algorithms, apart from the prover."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from hub.audit.merkle import EMPTY_ROOT, node_hash


def includes(*, root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows the leaf hash at `index` in the tree with this root and size (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last = index, size - 1
    digest = leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            digest = node_hash(sibling, digest)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            digest = node_hash(digest, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and hmac.compare_digest(digest, root)


def extends(*, first: int, first_root: bytes, second: int, second_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof shows that the second tree only adds leaves to the first (section 2.1.4.2).

    Every tree extends the empty one, and each extends itself; both need an empty proof.
    """
    if not 0 <= first <= second:
        return False
    if first == 0:
        return not proof and hmac.compare_digest(first_root, EMPTY_ROOT)
    if first == second:
        return not proof and hmac.compare_digest(first_root, second_root)
    # The earlier tree is itself a node of the later one when its size is a power of two; then it is not in the proof.
    path = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not path:
        return False
    node, last = first - 1, second - 1
    while node & 1:
        node >>= 1
        last >>= 1
    earlier = later = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            earlier = node_hash(sibling, earlier)
            later = node_hash(sibling, later)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            later = node_hash(later, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and hmac.compare_digest(earlier, first_root) and hmac.compare_digest(later, second_root)
