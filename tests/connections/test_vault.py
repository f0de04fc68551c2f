"""Secrets open only where they were sealed for."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connections.keys import VaultKey
from hub.connections.vault import Binding, SealedSecret, pack, seal, unpack, unseal
from hub.errors import FixConnection

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = VaultKey(material=bytes(range(32)), source="test")
SECRET = {"api_key": "sk_live_canary", "webhook_secret": "whsec_canary"}
BINDING = Binding(
    environment="production", name="stripe", connector="stripe", hosts=("api.example.com", "files.example.com")
)


def sealed(secret: dict[str, str] | None = None) -> SealedSecret:
    """Seal a secret as its second version."""
    return seal(secret or SECRET, binding=BINDING, version=2, key=KEY, random=os.urandom, now=NOW)


@given(st.dictionaries(st.text(), st.text(), max_size=4))
def test_what_is_sealed_opens_again(secret: dict[str, str]) -> None:
    stored = seal(secret, binding=BINDING, version=1, key=KEY, random=os.urandom, now=NOW)
    assert unseal(stored, binding=BINDING, key=KEY) == secret


def test_the_order_of_hosts_does_not_matter() -> None:
    turned = replace(BINDING, hosts=tuple(reversed(BINDING.hosts)))
    assert unseal(sealed(), binding=turned, key=KEY) == SECRET


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(BINDING, environment="sandbox"),
        replace(BINDING, name="stripe-eu"),
        replace(BINDING, connector="netsuite"),
        replace(BINDING, hosts=("attacker.example.com",)),
        replace(BINDING, hosts=(*BINDING.hosts, "attacker.example.com")),
    ],
)
def test_a_secret_does_not_open_elsewhere(elsewhere: Binding) -> None:
    with pytest.raises(FixConnection) as caught:
        unseal(sealed(), binding=elsewhere, key=KEY)
    assert caught.value.code == "secret-not-bound"


def test_a_secret_does_not_open_as_another_version() -> None:
    with pytest.raises(FixConnection, match="store it again"):
        unseal(replace(sealed(), version=1), binding=BINDING, key=KEY)


def test_parts_of_two_secrets_do_not_go_together() -> None:
    one, other = sealed(), sealed()
    mixtures = [
        replace(one, wrapped_key=other.wrapped_key),
        replace(one, nonce=other.nonce),
        replace(one, ciphertext=other.ciphertext),
        replace(one, wrapped_key=b""),
        replace(one, nonce=b""),
        replace(one, ciphertext=b""),
    ]
    for mixture in mixtures:
        with pytest.raises(FixConnection, match="does not open"):
            unseal(mixture, binding=BINDING, key=KEY)


def test_another_key_is_named_and_not_tried() -> None:
    other = VaultKey(material=bytes(32), source="test")
    with pytest.raises(FixConnection) as caught:
        unseal(sealed(), binding=BINDING, key=other)
    assert caught.value.code == "other-vault-key"
    with pytest.raises(FixConnection, match="does not open"):
        unseal(replace(sealed(), key_id=other.id), binding=BINDING, key=other)


def test_a_sealed_secret_does_not_show() -> None:
    stored = sealed()
    assert "canary" not in repr(stored)
    assert b"canary" not in stored.ciphertext + stored.wrapped_key


def test_a_sealed_secret_comes_back_from_the_store_as_it_was() -> None:
    stored = sealed()
    assert unpack(pack(stored)) == stored
    with pytest.raises(FixConnection, match="cannot be read"):
        unpack(b'{"name": 1}')
