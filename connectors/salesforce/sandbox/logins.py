"""OAuth 2.0: signed assertions, client credentials and refresh tokens, and the sessions that they open."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from connectors.salesforce.sandbox.org_data import USERNAME
from hub.sandbox.exact_json import loads

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LOGIN_HOSTS = frozenset({"login.salesforce.com", "test.salesforce.com"})
#: The farthest an assertion's end may be ahead, in seconds: three minutes, and some for clocks that differ.
_LONGEST, _SKEW = 180, 120
_HOUR = 3600.0
_SCOPES = "api refresh_token"


class LoginRefused(Exception):
    """No token is given; `error` is the code of OAuth 2.0, the text its description."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        """Take code and description."""
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(slots=True, kw_only=True)
class App:
    """An external client app; `run_as` is the user of client credentials, `pre_approved` who may use assertions."""

    name: str
    consumer_key: str
    consumer_secret: str
    certificate: str
    run_as: str | None


@dataclass(slots=True, kw_only=True)
class Session:
    """A session of a user, with the moment (milliseconds) at which it ends unless it is used before."""

    user: str
    app: str
    ends: int


class Logins:
    """The org's apps, sessions and refresh tokens."""

    def __init__(self, org: Org) -> None:
        """Start with one app, whose keys are announced."""
        self._org = org
        key, certificate = _key_pair()
        self.private_key = key
        self._apps: dict[str, App] = {}
        self.own = App(
            name="Concord",
            consumer_key="3MVG9" + secrets.token_urlsafe(57),
            consumer_secret=secrets.token_hex(32).upper(),
            certificate=certificate,
            run_as=USERNAME,
        )
        self._apps[self.own.consumer_key] = self.own
        self._sessions: dict[str, Session] = {}
        self._refresh: dict[str, tuple[str, str]] = {}
        self._recent: dict[str, deque[float]] = {}
        #: Why logins were refused.
        self.history: deque[dict[str, Any]] = deque(maxlen=1000)
        self.refresh_token = ""

    def announce(self) -> Mapping[str, Any]:
        """Give what the app signs in with."""
        if self.refresh_token not in self._refresh:
            self.refresh_token = self._new_refresh_token(self.own, self._org.user_id)
        return {
            "consumer_key": self.own.consumer_key,
            "consumer_secret": self.own.consumer_secret,
            "username": USERNAME,
            "private_key": self.private_key,
            "certificate": self.own.certificate,
            "refresh_token": self.refresh_token,
            "audience": "https://test.salesforce.com"
            if self._org.settings.is_sandbox
            else "https://login.salesforce.com",
        }

    def forget(self) -> None:
        """End all sessions and refresh tokens, and forget apps that a seed made."""
        self._sessions.clear()
        self._recent.clear()
        self.history.clear()
        self._apps = {self.own.consumer_key: self.own}
        self.own.run_as = USERNAME
        self._refresh.clear()
        if self.refresh_token:
            self._refresh[self.refresh_token] = (self.own.consumer_key, self._org.user_id)

    def register(self, said: Mapping[str, Any]) -> None:
        """Add an app, or change what is known of one; raises `ValueError` for a certificate that is none."""
        key = str(said["consumer_key"])
        pem = str(said.get("certificate", ""))
        if pem:
            x509.load_pem_x509_certificate(pem.encode())
        before = self._apps.get(key)
        self._apps[key] = App(
            name=str(said.get("name", key)),
            consumer_key=key,
            consumer_secret=str(said.get("consumer_secret", before.consumer_secret if before else "")),
            certificate=pem or (before.certificate if before else ""),
            run_as=said.get("run_as", before.run_as if before else None),
        )

    def token(self, form: Mapping[str, str], *, host: str, authorization: str) -> dict[str, Any]:
        """Answer a token request; raises `LoginRefused`."""
        try:
            return self._token(form, host=host, authorization=authorization)
        except LoginRefused as refused:
            self.history.append(
                {
                    "at": self._org.now(),
                    "grant_type": form.get("grant_type"),
                    "error": refused.error,
                    "error_description": refused.description,
                }
            )
            raise

    def _token(self, form: Mapping[str, str], *, host: str, authorization: str) -> dict[str, Any]:
        grant = form.get("grant_type", "")
        if grant == JWT_BEARER:
            app, user = self._by_assertion(form.get("assertion", ""))
            return self._open(app, user)
        if grant == "client_credentials":
            if host.partition(":")[0].lower() in LOGIN_HOSTS:
                raise LoginRefused("invalid_grant", "request not supported on this domain")
            app = self._by_secret(form, authorization)
            if app.run_as is None:
                raise LoginRefused("invalid_grant", "no client credentials user enabled")
            return self._open(app, self._user(app.run_as))
        if grant == "refresh_token":
            return self._by_refresh_token(form, authorization)
        if grant == "password":
            # Orgs that are made now do not let anybody sign in in this way.
            raise LoginRefused("invalid_grant", "authentication failure")
        if not grant:
            raise LoginRefused("invalid_request", "missing required parameter: grant_type")
        raise LoginRefused("unsupported_grant_type", "grant type not supported")

    def _by_assertion(self, assertion: str) -> tuple[App, str]:
        if assertion.count(".") != 2:
            raise LoginRefused("invalid_grant", "invalid assertion")
        claims = _claims(assertion)
        app = self._apps.get(str(claims.get("iss")))
        if app is None:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if not app.certificate:
            raise LoginRefused("invalid_grant", "invalid assertion")
        key = x509.load_pem_x509_certificate(app.certificate.encode()).public_key()
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            jws.deserialize_compact(assertion, RSAKey.import_key(pem), algorithms=["RS256"])
        except (JoseError, ValueError) as error:
            raise LoginRefused("invalid_grant", "invalid assertion") from error
        site = "https://test.salesforce.com" if self._org.settings.is_sandbox else "https://login.salesforce.com"
        audience = claims.get("aud")
        wanted = audience if isinstance(audience, list) else [audience]
        if not {site, self._org.world.url} & {str(one).rstrip("/") for one in wanted}:
            raise LoginRefused("invalid_grant", "audience is invalid")
        ends = _whole(claims.get("exp"))
        now = self._org.clock.timestamp()
        if ends is None or not now - _SKEW < ends <= now + _LONGEST + _SKEW:
            raise LoginRefused("invalid_grant", "expired authorization code")
        if not self._org.settings.approved:
            raise LoginRefused("invalid_grant", "user hasn't approved this consumer")
        return app, self._user(str(claims.get("sub")))

    def _user(self, username: str) -> str:
        for record in self._org.store.rows("User"):
            if str(record.get("Username")).lower() == username.lower():
                if not record.get("IsActive"):
                    raise LoginRefused("inactive_user", "inactive user")
                return record.id
        raise LoginRefused("invalid_grant", "user hasn't approved this consumer")

    def _by_secret(self, form: Mapping[str, str], authorization: str) -> App:
        id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.lower().startswith("basic "):
            try:
                id, _, secret = base64.b64decode(authorization[6:], validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                id = ""
        app = self._apps.get(id)
        if app is None:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if not app.consumer_secret or not hmac.compare_digest(secret.encode(), app.consumer_secret.encode()):
            raise LoginRefused("invalid_client", "invalid client credentials")
        return app

    def _by_refresh_token(self, form: Mapping[str, str], authorization: str) -> dict[str, Any]:
        given = form.get("refresh_token", "")
        known = self._refresh.get(given)
        if known is None:
            raise LoginRefused("invalid_grant", "expired access/refresh token")
        key, user = known
        app = self._apps.get(form.get("client_id", ""))
        if form.get("client_secret") or authorization:
            app = self._by_secret(form, authorization)
        if app is None or app.consumer_key != key:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        answer = self._open(app, user)
        if self._org.settings.rotate_refresh_tokens:
            del self._refresh[given]
            answer["refresh_token"] = self._new_refresh_token(app, user)
            if given == self.refresh_token:
                self.refresh_token = answer["refresh_token"]
        return answer

    def _new_refresh_token(self, app: App, user: str) -> str:
        token = f"5Aep{secrets.token_urlsafe(60)}"
        self._refresh[token] = (app.consumer_key, user)
        return token

    def _open(self, app: App, user: str) -> dict[str, Any]:
        """Open a session, unless the user signed in too often in the last hour."""
        org, now = self._org, self._org.clock.monotonic()
        recent = self._recent.setdefault(user, deque())
        while recent and now - recent[0] >= _HOUR:
            recent.popleft()
        if len(recent) >= org.settings.logins_per_hour:
            raise LoginRefused("rate_limit_exceeded", "login rate exceeded")
        recent.append(now)
        token = f"{org.organization_id[:15]}!AQ{secrets.token_urlsafe(66)}"
        self._sessions[token] = Session(user=user, app=app.consumer_key, ends=self._next_end())
        site = "test" if org.settings.is_sandbox else "login"
        identity = f"https://{site}.salesforce.com/id/{org.organization_id}/{user}"
        issued = str(int(org.clock.now().timestamp() * 1000))
        signature = hmac.new(app.consumer_secret.encode(), f"{identity}{issued}".encode(), sha256).digest()
        return {
            "access_token": token,
            "signature": base64.b64encode(signature).decode(),
            "scope": _SCOPES,
            "instance_url": org.world.url,
            "id": identity,
            "token_type": "Bearer",
            "issued_at": issued,
            "api_instance_url": org.world.url,
        }

    def _next_end(self) -> int:
        return int(self._org.clock.now().timestamp() * 1000 + self._org.settings.session_seconds * 1000)

    def session_for_messages(self) -> str:
        """Give the token that goes with an outbound message whose subscriber wants one."""
        return str(self._open(self.own, self._org.user_id)["access_token"])

    def session(self, authorization: str) -> Session | None:
        """Give the session of a bearer token, and begin its idle time anew; None when there is none (any more)."""
        scheme, _, token = authorization.partition(" ")
        session = self._sessions.get(token.strip()) if scheme.lower() in ("bearer", "oauth") else None
        if session is None:
            return None
        if session.ends <= self._org.clock.now().timestamp() * 1000:
            del self._sessions[token.strip()]
            return None
        session.ends = self._next_end()
        return session

    def revoke(self, token: str) -> bool:
        """End a session or a refresh token, and with this one the sessions of its app and user."""
        if token in self._refresh:
            key, user = self._refresh.pop(token)
            for name, one in list(self._sessions.items()):
                if (one.app, one.user) == (key, user):
                    del self._sessions[name]
            return True
        return self._sessions.pop(token, None) is not None

    def revoke_all(self) -> None:
        """End every session."""
        self._sessions.clear()


def _claims(assertion: str) -> dict[str, Any]:
    """Read what an assertion says of itself, before its signature is looked at."""
    part = assertion.split(".")[1]
    try:
        claims = loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error) as error:
        raise LoginRefused("invalid_grant", "invalid assertion") from error
    if not isinstance(claims, dict):
        raise LoginRefused("invalid_grant", "invalid assertion")
    return claims


def _whole(value: object) -> int | None:
    """Give a time that came as a number or as a text, as clients of the vendor's world send it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdigit() and len(value) < 20 else None


@cache
def _key_pair() -> tuple[str, str]:
    """Make a private key and a certificate of it that signs itself, once for each process."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Concord sandbox app")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=730))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()
