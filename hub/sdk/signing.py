"""Signatures: constant-time HMAC for webhooks and signed assertions for OAuth 2.0."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from hub.errors import FixConnection


def hmac_sha256_hex(secret: bytes, message: bytes) -> str:
    """Give the lower-case hexadecimal HMAC-SHA256."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def any_matches(expected: str, candidates: Iterable[str]) -> bool:
    """Compare with every candidate in constant time, so that a rotation's two signatures both count."""
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(expected.encode(), candidate.encode("utf-8", "replace"))
    return found


def signed_assertion(
    *, claims: Mapping[str, Any], private_key_pem: str, algorithm: str, key_id: str | None = None
) -> str:
    """Sign a JWT (`PS256` or `RS256` with an RSA key, `ES256` with an EC key) that stands for a login.

    `key_id` names the key where whoever checks it knows several.

    Raises `FixConnection` for a private key that is no PEM or does not fit the algorithm.
    """
    kind = ECKey if algorithm.startswith("ES") else RSAKey
    header = {"typ": "JWT", "alg": algorithm, **({} if key_id is None else {"kid": key_id})}
    try:
        key = kind.import_key(private_key_pem)
        return jwt.encode(header, dict(claims), key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError) as error:
        raise FixConnection(
            "The private key cannot sign: it must be PEM and fit the algorithm.",
            code="bad-private-key",
            algorithm=algorithm,
        ) from error
