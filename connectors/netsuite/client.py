"""How NetSuite is addressed: URLs, headers and exact bodies."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote, urlencode

from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.errors import FixData
from hub.sdk.exact_json import canonical
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Request

RECORDS = "/services/rest/record/v1"
SUITEQL = "/services/rest/query/v1/suiteql"
SERVER_TIME = "/services/rest/system/v1/serverTime"
JOBS = "/services/rest/async/v1/job"
RESTLET = "/app/site/hosting/restlet.nl"
#: The header with the idempotency key, at which NetSuite looks in asynchronous requests alone.
IDEMPOTENCY_KEY = "x-netsuite-idempotency-key"
#: Keys become UUIDs, the only form that NetSuite takes, in a space of their own.
_KEYS = uuid.UUID("6f5b3c1e-6d1f-4c51-9b6a-0d0f3a7f2f11")
#: The most rows of one SuiteQL answer, and the most that paging can reach.
PAGE_ROWS = 1000

#: Other characters break the address of a record by external id; `|` is a known one.
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
#: Without `error`, NetSuite drops a mistyped field silently and answers 2xx.
_STRICT_NAMES = {"x-netsuite-propertynamevalidation": "error"}


def settings_of(session: Session) -> NetSuiteSettings:
    """Give a session's settings with their type."""
    return cast(NetSuiteSettings, session.settings)


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


def has_the_key_asked_for(wanted: Mapping[str, Any], came: Mapping[str, Any]) -> bool:
    """Tell whether a record is the one that was asked for, by whichever of its names it was."""
    key = read_key(wanted)
    if key.startswith("eid:"):
        return came.get("externalId") in (None, key.removeprefix("eid:"))
    return str(came.get("id")) == key


def write(method: str, url: str, body: Mapping[str, Any]) -> Request:
    """Form a record write with strict property names and exact numbers."""
    return strict_write(method, url, body, {"content-type": "application/json"})


def strict_write(method: str, url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Request:
    """Form a write with headers of its own, strict property names and exact numbers."""
    return Request(method=method, url=url, headers={**headers, **_STRICT_NAMES}, body=canonical(wire_value(body)))


def idempotency_key(key: EffectKey) -> str:
    """Give an effect's key in the form that NetSuite takes."""
    return str(uuid.uuid5(_KEYS, key))


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


def suiteql(
    settings: NetSuiteSettings, query: str, params: Sequence[Any], *, limit: int = PAGE_ROWS, offset: int = 0
) -> Request:
    """Form one page of a SuiteQL query; `?` in the query stand for `params`, given as strings."""
    return Request(
        method="POST",
        url=f"{settings.base_url}{SUITEQL}?limit={limit}&offset={offset}",
        # Without `Prefer: transient` NetSuite refuses the query.
        headers={"content-type": "application/json", "prefer": "transient"},
        body=canonical({"q": query, "params": [str(param) for param in params]}),
    )
