"""Signed tree heads with a real Ed25519 key."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.audit.chain import ChainHead
from hub.audit.heads import NO_HEAD, SignedHead, TreeHead, head_faults, sign

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def trusted(signature: bytes, message: bytes) -> bool:
    """Verify with the public key, as an auditor would."""
    try:
        KEY.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def sealed(*sizes: int) -> list[SignedHead]:
    """Sign one head after the other for a tree of these sizes with one log."""
    heads: list[SignedHead] = []
    previous = NO_HEAD
    for minute, size in enumerate(sizes):
        head = TreeHead(
            size=size,
            root=bytes([size]) * 32,
            at=NOON + timedelta(minutes=minute),
            key_id="k1",
            previous=previous,
            logs=(ChainHead(log="hub", size=size, chain=bytes([size]) * 32),),
        )
        heads.append(sign(head, KEY.sign))
        previous = head.digest()
    return heads


def test_heads_in_order_have_no_faults() -> None:
    assert head_faults(sealed(1, 5, 5, 9), trusted) == []


def test_an_altered_head_breaks_its_signature_and_its_successor() -> None:
    heads = sealed(1, 5, 9)
    heads[1] = replace(heads[1], head=replace(heads[1].head, root=bytes(32)))
    assert head_faults(heads, trusted) == [
        "head 2: the signature is not the trusted key's",
        "head 3: the head before it was altered or removed",
    ]


def test_a_removed_head_shows_in_its_successor() -> None:
    heads = sealed(1, 5, 9)
    assert head_faults([heads[0], heads[2]], trusted) == ["head 2: the head before it was altered or removed"]


def test_a_head_of_another_key_is_a_fault() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(32))
    (head,) = sealed(1)
    assert head_faults([sign(head.head, stranger.sign)], trusted) == ["head 1: the signature is not the trusted key's"]


def test_a_tree_never_shrinks() -> None:
    assert head_faults(sealed(5, 3), trusted) == [
        "head 2: the tree shrank from 5 to 3 entries",
        "head 2: log hub shrank from 5 to 3 entries",
    ]
