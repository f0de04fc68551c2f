"""How each attempt is signed: a bearer token for a signed assertion, or in the legacy mode an OAuth 1.0a signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.auth import Authorizer, BearerToken, Send
from hub.sdk.errors import FixConnection, FixData, HubError, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import http_date
from hub.sdk.signing import signed_assertion
from hub.sdk.values import Request, Response

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: Seconds an assertion is valid; NetSuite wants less than 60 minutes.
ASSERTION_LIFE = 3000
#: NetSuite takes timestamps up to five minutes off; near that a refusal is the clock's.
CLOCK_OFF = 240
HOST_ADVICE = "Set `base_url` to the account's own SuiteTalk host, as NetSuite shows it under Company URLs."
_PORTS = {"http": 80, "https": 443}


def authorizer(settings: NetSuiteSettings) -> Authorizer:
    """Make what signs the attempts of one connection."""
    if settings.auth == "tba":
        return SignedRequests(settings)

    def ask(now: datetime) -> Request:
        return token_request(settings, now)

    return BearerToken(ask=ask, read=read_token, refusal=token_refusal)


def token_request(settings: NetSuiteSettings, now: datetime) -> Request:
    """Form the token request; the assertion carries scope, audience and a life under 60 minutes.

    Raises `FixConnection` for a private key that cannot sign.
    """
    issued = int(now.timestamp())
    unique = hashlib.sha256(f"{settings.client_id}\x1f{now.isoformat()}".encode()).hexdigest()[:32]
    claims = {
        "iss": settings.client_id,
        "scope": list(settings.scope),
        "aud": settings.token_url,
        "iat": issued,
        "exp": issued + ASSERTION_LIFE,
        "jti": unique,
    }
    assertion = signed_assertion(
        claims=claims,
        private_key_pem=settings.signing_key,
        algorithm=settings.algorithm,
        key_id=settings.certificate_id,
    )
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return Request(
        method="POST",
        url=settings.token_url,
        headers={"content-type": "application/x-www-form-urlencoded", "accept": "application/json"},
        body=urlencode(form).encode(),
    )


def read_token(response: Response) -> tuple[str, float]:
    """Read the token and its life in seconds; older accounts send the life as a string."""
    try:
        answer = loads(response.body)
        return str(answer["access_token"]), float(str(answer["expires_in"]))
    except (FixData, KeyError, TypeError, ValueError):
        raise FixConnection(
            "What answers for the token endpoint is not NetSuite's.",
            code="wrong-host",
            advice=HOST_ADVICE,
            status=response.status,
        ) from None


def token_refusal(response: Response, now: datetime) -> HubError:
    """Say what a refused token request means; `now` is when it was signed."""
    if response.status in (408, 425, 499) or response.status >= 500:
        return RetryLater("The token endpoint is not available.", status=response.status)
    error = _oauth_error(response)
    seconds = _clock_off(response, now.timestamp())
    if error and seconds is not None:
        return _off(seconds, error=error)
    if error == "invalid_client":
        return FixConnection(
            "NetSuite does not take the certificate.",
            code="certificate-refused",
            advice="`certificate_id`, `client_id` and `private_key` must belong together, and the certificate must not "
            "have ended.",
            error=error,
        )
    if error == "invalid_scope":
        return FixConnection(
            "NetSuite does not grant the scope.",
            code="scope-refused",
            advice="Compare `scope` with what the integration record allows.",
            error=error,
        )
    if error:
        return FixConnection(
            "NetSuite refused the assertion.",
            code="assertion-refused",
            advice="The mapping of certificate, user and role must be active (Setup > Integration > OAuth 2.0 Client "
            "Credentials).",
            error=error,
        )
    return FixConnection(
        "What answers for the token endpoint is not NetSuite's.",
        code="wrong-host",
        advice=HOST_ADVICE,
        status=response.status,
    )


class SignedRequests:
    """Signs every attempt with OAuth 1.0a and HMAC-SHA256, each with a timestamp and a nonce of its own."""

    def __init__(self, settings: NetSuiteSettings) -> None:
        """Take the integration's and the token's keys and secrets."""
        self._settings = settings
        self._signed = 0
        self._clock_off: float | None = None

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Sign one attempt; raises `FixConnection` when the attempt before showed that the clock is wrong."""
        seconds, self._clock_off = self._clock_off, None
        if seconds is not None:
            raise _off(seconds)
        self._signed += 1
        return {"authorization": authorization(self._settings, request, now, self._signed)}

    def refused(self, response: Response, headers: Mapping[str, str]) -> bool:
        """Find out whether the clock is why a login was refused; another attempt then says so instead of signing."""
        if response.status != 401:
            return False
        signed = dict(part.split("=", 1) for part in headers.get("authorization", "").split(", ") if "=" in part)
        stamp = signed.get("oauth_timestamp", "").strip('"')
        self._clock_off = _clock_off(response, int(stamp)) if stamp.isdigit() else None
        return self._clock_off is not None


def authorization(settings: NetSuiteSettings, request: Request, now: datetime, number: int) -> str:
    """Give the header that signs an attempt; `number` counts the attempts, so that no nonce comes twice."""
    token_secret = settings.token_secret.get_secret_value()
    fresh = "\x1f".join((token_secret, now.isoformat(), str(number), request.method, request.url))
    fields = {
        "oauth_consumer_key": settings.client_id,
        "oauth_token": settings.token_id,
        "oauth_nonce": hashlib.sha256(fresh.encode() + request.body).hexdigest()[:32],
        "oauth_timestamp": str(int(now.timestamp())),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_version": "1.0",
    }
    key = f"{_escape(settings.consumer_secret.get_secret_value())}&{_escape(token_secret)}"
    # The realm is told beside the signature, and not part of what is signed.
    told = {
        "realm": settings.account,
        **fields,
        "oauth_signature": signature(request.method, request.url, fields, key),
    }
    return "OAuth " + ", ".join(f'{name}="{_escape(value)}"' for name, value in told.items())


def signature(method: str, url: str, fields: Mapping[str, str], key: str) -> str:
    """Give the signature of an attempt; `key` holds both secrets, escaped and joined by `&`."""
    signed = hmac.new(key.encode(), base_string(method, url, fields).encode(), hashlib.sha256)
    return base64.b64encode(signed.digest()).decode()


def base_string(method: str, url: str, fields: Mapping[str, str]) -> str:
    """Give what is signed (RFC 5849, 3.4.1): method, address, and the sorted fields together with the query's."""
    address = urlsplit(url)
    port = "" if address.port in (None, _PORTS.get(address.scheme)) else f":{address.port}"
    pairs = [*parse_qsl(address.query, keep_blank_values=True), *fields.items()]
    normal = "&".join(f"{name}={value}" for name, value in sorted((_escape(n), _escape(v)) for n, v in pairs))
    place = f"{address.scheme}://{address.hostname}{port}{address.path}"
    return "&".join(_escape(part) for part in (method.upper(), place, normal))


def _escape(text: str) -> str:
    return quote(text, safe="-._~")


def _oauth_error(response: Response) -> str:
    try:
        body = loads(response.body)
    except FixData:
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    return error[:80] if isinstance(error, str) else ""


def _clock_off(response: Response, signed_at: float) -> float | None:
    """Give by how many seconds the answer's clock is ahead of ours, when that is enough for a refusal."""
    told = http_date(response.headers.get("date", ""))
    seconds = None if told is None else told.timestamp() - signed_at
    return seconds if seconds is not None and abs(seconds) >= CLOCK_OFF else None


def _off(seconds: float, **facts: str) -> FixConnection:
    return FixConnection(
        "This machine's clock differs from NetSuite's by more than it tolerates.",
        code="clock-off",
        advice="Set the clock by a time server.",
        seconds=round(seconds),
        **facts,
    )
