"""Token-based authentication: OAuth 1.0a with HMAC-SHA256, verified as RFC 5849 says, and as NetSuite narrows it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from hub.sandbox.clock import Clock

ALGORITHM = "HMAC-SHA256"
#: Seconds that a timestamp may be off, to either side.
TOLERANCE = 300
#: After so many refused logins in a row a token is locked, for so many seconds.
MOST_FAILURES, LOCKED = 5, 1800
_SHORTEST_NONCE = 6
_PARAMETER = re.compile(r'\s*([A-Za-z_]+)="([^"]*)"\s*')
_NEEDED = ("consumer_key", "token", "nonce", "timestamp", "signature_method", "signature")
_PORTS = {"http": 80, "https": 443}


class LoginRefused(Exception):
    """A signed request is not let in; the reason stands in the Login Audit Trail and nowhere else."""


@dataclass(slots=True, kw_only=True)
class AccessToken:
    """One token of one integration, with both secrets; `failures` counts refused logins in a row."""

    consumer_key: str
    consumer_secret: str
    token: str
    token_secret: str
    failures: int = 0
    locked_until: float = 0.0


@dataclass(slots=True)
class _Nonces:
    """The pairs of timestamp and nonce that were seen, for as long as their timestamp may still come."""

    seen: set[tuple[int, str]] = field(default_factory=set)
    order: deque[tuple[int, tuple[int, str]]] = field(default_factory=deque)

    def take(self, timestamp: int, nonce: str, now: int) -> bool:
        """Note a pair; False when it was seen before."""
        while self.order and self.order[0][0] < now - 2 * TOLERANCE:
            self.seen.discard(self.order.popleft()[1])
        pair = (timestamp, nonce)
        if pair in self.seen:
            return False
        self.seen.add(pair)
        self.order.append((now, pair))
        return True


class Signatures:
    """The account's access tokens, and the check of a signed request."""

    def __init__(self, clock: Clock, *, account: str, consumer_key: str) -> None:
        """Start with one token of the one integration, whose secrets are announced."""
        self._clock = clock
        self._account = account
        self._nonces = _Nonces()
        self.own = AccessToken(
            consumer_key=consumer_key,
            consumer_secret=secrets.token_hex(32),
            token=secrets.token_hex(32),
            token_secret=secrets.token_hex(32),
        )
        self._tokens = {self.own.token: self.own}

    def register(self, token: AccessToken) -> None:
        """Add an access token of another user, role or integration."""
        self._tokens[token.token] = token

    def unlock(self) -> None:
        """Forget all refused logins."""
        for token in self._tokens.values():
            token.failures, token.locked_until = 0, 0.0

    def verify(self, *, method: str, url: str, authorization: str) -> None:
        """Let a request in or raise `LoginRefused`; `url` is absolute and as it was sent, still percent-encoded."""
        found = parameters(authorization)
        token = self._tokens.get(found.get("oauth_token", ""))
        if token is None:
            raise LoginRefused("token_rejected")
        now = self._clock.timestamp()
        if now < token.locked_until:
            raise LoginRefused("temporary_locked")
        try:
            self._check(token, found, method, url, now)
        except LoginRefused:
            token.failures += 1
            if token.failures >= MOST_FAILURES:
                token.failures, token.locked_until = 0, now + LOCKED
            raise
        token.failures = 0

    def _check(self, token: AccessToken, found: Mapping[str, str], method: str, url: str, now: int) -> None:
        absent = [name for name in _NEEDED if not found.get(f"oauth_{name}")]
        if absent:
            raise LoginRefused(f"parameter_absent: {', '.join(absent)}")
        if found.get("realm") != self._account:
            raise LoginRefused("realm_rejected")
        if found["oauth_consumer_key"] != token.consumer_key:
            raise LoginRefused("consumer_key_unknown")
        if found["oauth_signature_method"] != ALGORITHM:
            raise LoginRefused("UnknownAlgorithm")
        if found.get("oauth_version", "1.0") != "1.0":
            raise LoginRefused("version_rejected")
        stamp, nonce = found["oauth_timestamp"], found["oauth_nonce"]
        if not (stamp.isascii() and stamp.isdigit() and abs(int(stamp) - now) <= TOLERANCE):
            raise LoginRefused("InvalidTimestamp")
        if len(nonce) < _SHORTEST_NONCE:
            raise LoginRefused("nonce_rejected")
        key = f"{escape(token.consumer_secret)}&{escape(token.token_secret)}"
        if not hmac.compare_digest(signature(base_string(method, url, found), key), found["oauth_signature"]):
            raise LoginRefused("InvalidSignature")
        if not self._nonces.take(int(stamp), nonce, now):
            raise LoginRefused("NonceUsed")


def escape(text: str) -> str:
    """Percent-encode as RFC 3986 says: letters, digits and `-._~` stay."""
    return quote(text, safe="-._~")


def parameters(authorization: str) -> dict[str, str]:
    """Read an `Authorization: OAuth ...` header into its parameters, decoded; nothing for one that cannot be read."""
    scheme, _, rest = authorization.partition(" ")
    found: dict[str, str] = {}
    for part in rest.split(",") if scheme.lower() == "oauth" else ():
        match = _PARAMETER.fullmatch(part)
        if match is None or match[1] in found:
            return {}
        found[match[1]] = unquote(match[2])
    return found


def base_string(method: str, url: str, found: Mapping[str, str]) -> str:
    """Give what is signed: method, address without query, and all parameters but realm and signature, sorted."""
    address = urlsplit(url)
    host = (address.hostname or "").lower()
    port = "" if address.port in (None, _PORTS.get(address.scheme)) else f":{address.port}"
    pairs: list[tuple[str, str]] = parse_qsl(address.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in found.items() if name not in ("realm", "oauth_signature")]
    return "&".join(
        escape(part) for part in (method.upper(), f"{address.scheme}://{host}{port}{address.path}", _normal(pairs))
    )


def signature(base: str, key: str) -> str:
    """Give the HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key.encode(), base.encode(), hashlib.sha256).digest()).decode()


def _normal(pairs: Iterable[tuple[str, str]]) -> str:
    encoded = sorted((escape(name), escape(value)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
