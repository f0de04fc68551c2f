"""Communication users, how they sign in, and which communication scenarios their arrangements open to them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from hub.sandbox.world import World

USER = "CONCORD_HUB"
#: What the first user's arrangements open: everything that is there.
SCENARIOS = frozenset(
    {"SAP_COM_0002", "SAP_COM_0008", "SAP_COM_0009", "SAP_COM_0087", "SAP_COM_0109", "SAP_COM_0120", "SAP_COM_0092"}
)
TOKEN_SECONDS = 3600


@dataclass(slots=True, kw_only=True)
class User:
    """A communication user; `id` is what documents name (at most 12 characters), `certificate` a common name."""

    name: str
    id: str
    password: str
    scenarios: frozenset[str]
    certificate: str = ""
    locked: bool = False
    failures: int = 0


class Users:
    """All communication users of a tenant, and the OAuth tokens that were given out."""

    def __init__(self, world: World, dice: Random) -> None:
        """Start with one user, whose password is made of the seed; all else is drawn from `dice`."""
        self._dice = dice
        digest = hashlib.sha256(f"s4hana:{world.seed}:password".encode()).digest()
        password = base64.b32encode(digest)[:24].decode()
        self._world = world
        self._users = {
            USER: User(name=USER, id="CC0000000001", password=password, scenarios=SCENARIOS, certificate=USER)
        }
        self._tokens: dict[str, tuple[str, float]] = {}

    def announce(self) -> Mapping[str, Any]:
        """Give the first user's name and password, which are its OAuth client as well."""
        user = self._users[USER]
        return {"user": user.name, "password": user.password, "token_path": "/sap/bc/sec/oauth2/token"}

    def put(self, wish: Mapping[str, Any]) -> User:
        """Add or change a user; raises `ValueError`."""
        surplus = set(wish) - {"name", "id", "password", "scenarios", "certificate", "locked"}
        if surplus or not wish.get("name"):
            raise ValueError(
                f"users: unknown key {', '.join(sorted(surplus))}" if surplus else "users: name is missing"
            )
        name = str(wish["name"])
        user = self._users.get(name)
        if user is None:
            identity = str(wish.get("id", f"CC{len(self._users) + 1:010d}"))
            user = User(name=name, id=identity, password=self._dice.randbytes(12).hex(), scenarios=SCENARIOS)
        user.password = str(wish.get("password", user.password))
        user.scenarios = frozenset(str(each) for each in wish.get("scenarios", user.scenarios))
        user.certificate = str(wish.get("certificate", user.certificate))
        user.locked = bool(wish.get("locked", user.locked))
        user.failures = 0
        self._users[name] = user
        return user

    def of_basic(self, authorization: str) -> User | None:
        """Give who signs in with a user and password; five wrong passwords in a row lock the user."""
        try:
            text = base64.b64decode(authorization.partition(" ")[2], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        name, _, password = text.partition(":")
        user = self._users.get(name)
        if user is None or user.locked:
            return None
        if not secrets.compare_digest(user.password.encode(), password.encode()):
            user.failures += 1
            user.locked = user.failures >= 5
            return None
        user.failures = 0
        return user

    def of_certificate(self, common_name: str) -> User | None:
        """Give who is known by a client certificate."""
        found = (each for each in self._users.values() if each.certificate and each.certificate == common_name)
        return next((each for each in found if not each.locked), None)

    def of_token(self, token: str) -> User | None:
        """Give whose access token this is."""
        name, ends = self._tokens.get(token, ("", 0.0))
        user = self._users.get(name)
        return user if user is not None and not user.locked and ends > self._world.clock.monotonic() else None

    def give_token(self, user: User) -> str:
        """Give out an access token."""
        token = base64.urlsafe_b64encode(self._dice.randbytes(33)).decode()
        self._tokens[token] = (user.name, self._world.clock.monotonic() + TOKEN_SECONDS)
        return token

    def revoke_tokens(self) -> None:
        """Take back all access tokens."""
        self._tokens.clear()
