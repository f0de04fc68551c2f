"""Signatures: constant-time HMAC for webhooks and signed assertions for OAuth 2.0."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey


def hmac_sha256_hex(secret: bytes, message: bytes) -> str:
    """Give the lower-case hexadecimal HMAC-SHA256."""
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def any_matches(expected: str, candidates: Iterable[str]) -> bool:
    """Compare with every candidate in constant time, so that a rotation's two signatures both count."""
    found = False
    for candidate in candidates:
        found |= hmac.compare_digest(expected.encode(), candidate.encode("utf-8", "replace"))
    return found


def signed_assertion(*, claims: Mapping[str, Any], private_key_pem: str, algorithm: str, key_id: str) -> str:
    """Sign a JWT (`PS256` with an RSA key, `ES256` with an EC key) for a client-credentials grant."""
    kind = ECKey if algorithm.startswith("ES") else RSAKey
    key = kind.import_key(private_key_pem)
    header = {"typ": "JWT", "alg": algorithm, "kid": key_id}
    return jwt.encode(header, dict(claims), key, algorithms=[algorithm])
