"""OAuth 2.0 client credentials with a signed assertion: certificates, token endpoint checks, bearer tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography import x509
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
_RSA_BITS = (3072, 4096)
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_LONGEST_VALID = timedelta(days=2 * 366)


class TokenRefused(Exception):
    """No token is issued; `error` is the OAuth 2.0 error code."""

    def __init__(self, error: str, why: str) -> None:
        """Take the code, and a reason for the log that the caller is not told."""
        super().__init__(why)
        self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A public key mapped to one integration; `ends` is when its certificate ends, in seconds since 1970."""

    id: str
    client_id: str
    key: ECKey | RSAKey
    ends: float | None = None


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
        #: Older accounts tell a token's life as a text.
        self.life_as_text = False
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
        self.register(certificate_id=self.certificate_id, client_id=self.client_id, pem=public.decode())

    def register(self, *, certificate_id: str, client_id: str, pem: str) -> None:
        """Map a public key or an X.509 certificate (PEM) to an integration.

        Raises `ValueError` for a key that is too weak, and for a certificate that is valid for more than two years.
        """
        ends: float | None = None
        if "BEGIN CERTIFICATE" in pem:
            certificate = x509.load_pem_x509_certificate(pem.encode())
            if certificate.not_valid_after_utc - certificate.not_valid_before_utc > _LONGEST_VALID:
                raise ValueError("a certificate is valid for at most two years")
            ends = certificate.not_valid_after_utc.timestamp()
            loaded: object = certificate.public_key()
        else:
            loaded = serialization.load_pem_public_key(pem.encode())
        self._certificates[certificate_id] = Certificate(
            id=certificate_id, client_id=client_id, key=_strong(loaded), ends=ends
        )

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
            if certificate.ends is not None and certificate.ends <= self._clock.now().timestamp():
                raise TokenRefused("invalid_client", f"the certificate {certificate.id!r} has ended")
            return certificate.key

        try:
            token = jwt.decode(assertion, key_of, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused("invalid_client", repr(error)) from error
        certificate = self._certificates[str(token.header["kid"])]
        if token.claims.get("iss") != certificate.client_id:
            raise TokenRefused("invalid_client", "iss is not the integration of this certificate")
        return token.claims


def _strong(loaded: object) -> ECKey | RSAKey:
    if isinstance(loaded, rsa.RSAPublicKey):
        if loaded.key_size not in _RSA_BITS:
            raise ValueError(f"an RSA key has {' or '.join(map(str, _RSA_BITS))} bits, not {loaded.key_size}")
        return RSAKey.import_key(_pem(loaded))
    if isinstance(loaded, ec.EllipticCurvePublicKey):
        if loaded.curve.name not in _CURVES:
            raise ValueError(f"an EC key is on P-256, P-384 or P-521, not on {loaded.curve.name}")
        return ECKey.import_key(_pem(loaded))
    raise ValueError("a certificate has an RSA or an EC key")


def _pem(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def _scope(claim: object) -> frozenset[str]:
    # Oracle's sample has an array, its text says comma separated: both are taken.
    parts = claim if isinstance(claim, list) else str(claim or "").replace(",", " ").split()
    scope = frozenset(str(part) for part in parts)
    if not scope or not scope <= SCOPES:
        raise TokenRefused("invalid_scope", f"{sorted(scope)}")
    return scope
