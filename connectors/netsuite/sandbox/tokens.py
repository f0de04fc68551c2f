"""OAuth 2.0 client credentials with a signed assertion: certificates, token endpoint checks, bearer tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from hub.sandbox.clock import Clock

GRANT = "client_credentials"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: RS256 is not among them.
ALGORITHMS = ("PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
SCOPES = frozenset({"rest_webservices", "restlets", "suite_analytics"})
LONGEST_ASSERTION = 3600
_SKEW = 300
_SMALLEST_RSA = 3072


class TokenRefused(Exception):
    """No token is issued; `error` is the OAuth 2.0 error code."""

    def __init__(self, error: str, why: str) -> None:
        """Take the code, and a reason for the log that the caller is not told."""
        super().__init__(why)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A public key mapped to one integration."""

    id: str
    client_id: str
    key: ECKey | RSAKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a bearer token allows, and until when (seconds since 1970)."""

    scope: frozenset[str]
    ends: float


class Tokens:
    """The account's certificates and the bearer tokens in use; `life` is in seconds."""

    def __init__(self, clock: Clock) -> None:
        """Start with one integration and one P-256 certificate, whose private key is announced."""
        self.life = 3600
        self.client_id = secrets.token_hex(32)
        self.certificate_id = secrets.token_urlsafe(32)
        private = ec.generate_private_key(ec.SECP256R1())
        self.private_key = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self._clock = clock
        self._grants: dict[str, Grant] = {}
        self._certificates: dict[str, Certificate] = {}
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.register(certificate_id=self.certificate_id, client_id=self.client_id, public_key=public.decode())

    def register(self, *, certificate_id: str, client_id: str, public_key: str) -> None:
        """Map a public key (PEM) to an integration; raises `ValueError` for a key that is too weak."""
        loaded = serialization.load_pem_public_key(public_key.encode())
        key: ECKey | RSAKey
        if isinstance(loaded, rsa.RSAPublicKey):
            if loaded.key_size < _SMALLEST_RSA:
                raise ValueError(f"an RSA key needs at least {_SMALLEST_RSA} bits")
            key = RSAKey.import_key(public_key)
        elif isinstance(loaded, ec.EllipticCurvePublicKey):
            key = ECKey.import_key(public_key)
        else:
            raise ValueError("a certificate has an RSA or an EC key")  # noqa: TRY004 - the wish is wrong, no type
        self._certificates[certificate_id] = Certificate(id=certificate_id, client_id=client_id, key=key)

    def issue(self, form: Mapping[str, str], audience: Sequence[str]) -> tuple[str, int]:
        """Check a token request and give a bearer token with its life in seconds.

        `audience` are the addresses under which the token endpoint is known.
        """
        if form.get("grant_type") != GRANT:
            raise TokenRefused("unsupported_grant_type", "grant_type")
        if form.get("client_assertion_type") != ASSERTION or not form.get("client_assertion"):
            raise TokenRefused("invalid_request", "client_assertion")
        claims = self._verified(form["client_assertion"])
        wanted = claims.get("aud")
        if not any(one in audience for one in (wanted if isinstance(wanted, list) else [wanted])):
            raise TokenRefused("invalid_client", f"aud {wanted!r} is not this token endpoint")
        now = self._clock.timestamp()
        issued, ends = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(ends, int):
            raise TokenRefused("invalid_grant", "iat and exp are needed")
        if ends <= now or issued > now + _SKEW or not 0 < ends - issued <= LONGEST_ASSERTION:
            raise TokenRefused("invalid_grant", f"iat {issued}, exp {ends} at {now}")
        token = secrets.token_urlsafe(48)
        self._grants[token] = Grant(scope=_scope(claims.get("scope")), ends=now + self.life)
        return token, self.life

    def allows(self, authorization: str, scope: str) -> bool | None:
        """Tell whether a bearer header allows a scope; None when the token is not valid (any more)."""
        scheme, _, token = authorization.partition(" ")
        grant = self._grants.get(token.strip()) if scheme.lower() == "bearer" else None
        if grant is None:
            return None
        if grant.ends <= self._clock.now().timestamp():
            del self._grants[token.strip()]
            return None
        return scope in grant.scope

    def revoke_all(self) -> None:
        """End every token."""
        self._grants.clear()

    def _verified(self, assertion: str) -> Mapping[str, Any]:
        def key_of(headers: Any) -> ECKey | RSAKey:
            header = headers.headers()
            certificate = self._certificates.get(str(header.get("kid")))
            if certificate is None:
                raise TokenRefused("invalid_client", f"no certificate {header.get('kid')!r}")
            return certificate.key

        try:
            token = jwt.decode(assertion, key_of, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused("invalid_client", repr(error)) from error
        certificate = self._certificates[str(token.header["kid"])]
        if token.claims.get("iss") != certificate.client_id:
            raise TokenRefused("invalid_client", "iss is not the integration of this certificate")
        return token.claims


def _scope(claim: object) -> frozenset[str]:
    # Oracle's sample has an array, its text says comma separated: both are taken.
    parts = claim if isinstance(claim, list) else str(claim or "").replace(",", " ").split()
    scope = frozenset(str(part) for part in parts)
    if not scope or not scope <= SCOPES:
        raise TokenRefused("invalid_scope", f"{sorted(scope)}")
    return scope
