"""Passwords are checked before they are hashed, and hashes tell nothing."""

from __future__ import annotations

import pytest

from hub.access.passwords import check_password, hash_password, verify_password
from hub.errors import FixData

GOOD = "seven quiet harbours"

pytestmark = pytest.mark.usefixtures("slow_hashes")


def test_a_password_fits_its_own_hash_only() -> None:
    stored = hash_password(GOOD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert verify_password(GOOD, stored)
    assert not verify_password(GOOD + " ", stored)
    assert stored != hash_password(GOOD)


def test_nobody_has_a_password() -> None:
    assert not verify_password("nobody", None)
    assert not verify_password("", None)
    assert not verify_password(GOOD, "not a hash")
    assert not verify_password("x" * 300, hash_password(GOOD))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "password-too-short"),
        ("x" * 257, "password-too-long"),
        ("aaaaaaaaaaaaaaaa", "password-too-simple"),
        ("ada@example.com1", "password-too-simple"),
        ("LovelaceLovelace11", "password-too-simple"),
        ("concordpassword1", "password-too-simple"),
    ],
)
def test_weak_passwords_are_refused_with_the_reason(password: str, code: str) -> None:
    with pytest.raises(FixData) as caught:
        check_password(password, email="ada@example.com", name="Ada Lovelace")
    assert caught.value.code == code
    assert password not in str(caught.value)


def test_a_good_password_is_accepted() -> None:
    check_password(GOOD, email="ada@example.com", name="Ada Lovelace")
