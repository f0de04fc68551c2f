"""Passwords: what is accepted, and argon2id hashes of them."""

from __future__ import annotations

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from hub.errors import FixData

SHORTEST = 12
#: Longer ones would only keep the processor busy.
LONGEST = 256

# RFC 9106, section 4, second recommendation: 64 MiB, three passes; each check takes about a tenth of a second.
_hasher = PasswordHash((Argon2Hasher(time_cost=3, memory_cost=65536, parallelism=4),))
#: Verified in place of the hash of an unknown person, so that the time tells nothing: the same parameters, a salt and a
#: hash of zeros, which fit no known password.
_NOBODY = f"$argon2id$v=19$m=65536,t=3,p=4${'A' * 22}${'A' * 43}"


def check_password(password: str, *, email: str, name: str = "") -> None:
    """Refuse a new password that is too short, too long, or made of the person's own words (`FixData`)."""
    if len(password) < SHORTEST:
        raise FixData(f"A password has at least {SHORTEST} characters.", code="password-too-short")
    if len(password) > LONGEST:
        raise FixData(f"A password has at most {LONGEST} characters.", code="password-too-long")
    remaining = password.lower()
    for word in (email.lower(), email.lower().partition("@")[0], *name.lower().split(), "password", "concord"):
        remaining = remaining.replace(word, "") if word else remaining
    if len(set(remaining)) < SHORTEST // 3:
        raise FixData(
            "This password is easy to guess: it is little more than a name or a repeated character.",
            code="password-too-simple",
        )


def hash_password(password: str) -> str:
    """Give the argon2id hash, with its parameters and salt, as it is stored."""
    return _hasher.hash(password)


def verify_password(password: str, stored: str | None) -> bool:
    """Tell whether a password fits; None for a person who does not exist takes the same time and is false."""
    if len(password) > LONGEST:
        return False
    try:
        fits = _hasher.verify(password, stored or _NOBODY)
    except UnknownHashError:
        return False
    return fits and stored is not None
