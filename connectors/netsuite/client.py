"""How NetSuite is addressed: URLs, headers, exact bodies, and the token that signs each attempt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote, urlencode

from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.auth import BearerToken
from hub.sdk.errors import FixConnection, FixData
from hub.sdk.exact_json import canonical, loads
from hub.sdk.session import Session
from hub.sdk.signing import signed_assertion
from hub.sdk.values import Request, Response

RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
RESTLET = "/app/site/hosting/restlet.nl"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#: The most rows of one SuiteQL answer, and the most that paging can reach.
PAGE_ROWS = 1000
#: Seconds an assertion is valid; NetSuite wants less than 60 minutes.
ASSERTION_LIFE = 3000

#: Other characters break the address of a record by external id; `|` is a known one.
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
#: Without `error`, NetSuite drops a mistyped field silently and answers 2xx.
_STRICT_NAMES = {"x-netsuite-propertynamevalidation": "error"}


def settings_of(session: Session) -> NetSuiteSettings:
    """Give a session's settings with their type."""
    return cast(NetSuiteSettings, session.settings)


def authorizer(settings: NetSuiteSettings) -> BearerToken:
    """Make the token holder of one connection (OAuth 2.0 client credentials with a signed assertion)."""

    def ask(now: datetime) -> Request:
        return token_request(settings, now)

    return BearerToken(ask=ask, read=read_token)


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
        private_key_pem=settings.private_key.get_secret_value(),
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
        raise FixConnection("The token endpoint's answer is not a token.", code="no-token") from None


def record_url(settings: NetSuiteSettings, record: str, key: str, query: Mapping[str, str] | None = None) -> str:
    """Give the address of a record by internal id or `eid:` key."""
    suffix = f"?{urlencode(query, safe=',')}" if query else ""
    return f"{settings.base_url}{RECORDS}/{record}/{quote(key, safe=':-_')}{suffix}"


def external_key(external_id: object) -> str:
    """Give the `eid:` key of an external id; `FixData` for characters that NetSuite cannot address."""
    if not isinstance(external_id, str) or not _EXTERNAL_ID.fullmatch(external_id):
        raise FixData(
            "An external id in NetSuite has only letters, digits, '_' and '-'.",
            code="bad-external-id",
            external_id=external_id,
        )
    return f"eid:{external_id}"


def read_key(wanted: Mapping[str, Any]) -> str:
    """Give the key that a read asks for: `id` (an internal id or an `eid:` key) or `external_id`."""
    if wanted.get("external_id") is not None:
        return external_key(wanted["external_id"])
    key = str(wanted.get("id") or "")
    if key.startswith("eid:"):
        return external_key(key.removeprefix("eid:"))
    if not key.isascii() or not key.isdigit():
        raise FixData("An internal id in NetSuite is a number.", code="bad-internal-id", id=key)
    return key


def write(method: str, url: str, body: Mapping[str, Any]) -> Request:
    """Form a record write with strict property names and exact numbers."""
    return Request(
        method=method,
        url=url,
        headers={"content-type": "application/json", **_STRICT_NAMES},
        body=canonical(wire_value(body)),
    )


def wire_value(value: Any) -> Any:
    """Make a value fit for the wire: whole decimal digits, escaped line breaks; a float is refused."""
    if isinstance(value, float):
        raise FixData("Money is never a float.", code="float-money", amount=value)
    if isinstance(value, Decimal):
        return Decimal(f"{value:f}")
    if isinstance(value, str):
        # NetSuite takes line breaks only as a backslash and a letter.
        return value.replace("\r", "\\r").replace("\n", "\\n")
    if isinstance(value, Mapping):
        return {name: wire_value(inner) for name, inner in value.items()}
    if isinstance(value, Sequence):
        return [wire_value(inner) for inner in value]
    return value


def sublists(body: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Give the body with sublists in NetSuite's form: a bare list becomes `{"items": [...]}`."""
    return {
        name: {"items": value}
        if name in names and isinstance(value, Sequence) and not isinstance(value, str)
        else value
        for name, value in body.items()
    }


def suiteql(settings: NetSuiteSettings, query: str, params: Sequence[Any], *, offset: int = 0) -> Request:
    """Form one page of a SuiteQL query; `?` in the query stand for `params`, given as strings."""
    return Request(
        method="POST",
        url=f"{settings.base_url}{SUITEQL}?limit={PAGE_ROWS}&offset={offset}",
        # Without `Prefer: transient` NetSuite refuses the query.
        headers={"content-type": "application/json", "prefer": "transient"},
        body=canonical({"q": query, "params": [str(param) for param in params]}),
    )


async def ping(session: Session) -> None:
    """Ask for the names of the record types, which needs a good token but no right to any record."""
    await session.send(Request(method="GET", url=f"{settings_of(session).base_url}{RECORDS}/metadata-catalog"))
