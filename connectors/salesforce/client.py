"""How Salesforce is addressed: versions, records, queries and exact bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit

from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.session import Session
from hub.sdk.values import Request

#: Who changed a record, in Salesforce's change events: a flow tells its own changes from others' by it.
CLIENT = "concord"
#: Salesforce takes no longer address.
LONGEST_URL = 16_000
_HEADERS = {"accept": "application/json", "sforce-call-options": f"client={CLIENT}"}
_ID = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")


def settings_of(session: Session) -> SalesforceSettings:
    """Give a session's settings with their type."""
    return cast(SalesforceSettings, session.settings)


def path(settings: SalesforceSettings, *segments: str, query: Mapping[str, str] | None = None) -> str:
    """Give an address below the host, of the connection's version; every segment is escaped."""
    below = "/".join(quote(segment, safe="") for segment in segments)
    return f"/services/data/v{settings.api_version}/{below}" + (f"?{urlencode(query)}" if query else "")


def reading(settings: SalesforceSettings, *segments: str, query: Mapping[str, str] | None = None) -> Request:
    """Form a read; `FixData` for an address that is longer than Salesforce takes."""
    url = settings.base_url + path(settings, *segments, query=query)
    if len(url) > LONGEST_URL:
        raise FixData(
            "The query is longer than an address may be. Name fewer fields (the setting `select`), or ask for fewer at "
            "once.",
            code="query-too-long",
            signs=len(url),
            most=LONGEST_URL,
        )
    return Request(method="GET", url=url, headers=_HEADERS)


def writing(
    settings: SalesforceSettings,
    method: str,
    *segments: str,
    body: Mapping[str, Any] | None = None,
    query: Mapping[str, str] | None = None,
) -> Request:
    """Form a write with exact numbers."""
    url = settings.base_url + path(settings, *segments, query=query)
    if body is None:
        return Request(method=method, url=url, headers=_HEADERS)
    return Request(
        method=method,
        url=url,
        headers={**_HEADERS, "content-type": "application/json; charset=utf-8"},
        body=canonical(wire_value(body)),
    )


def following(settings: SalesforceSettings, url: object) -> Request:
    """Form the read of a list's next page, whose address Salesforce gives below its host; another one is refused."""
    if not isinstance(url, str) or not url.startswith("/services/data/") or urlsplit(url).netloc:
        raise OutcomeUnknown("The next page has no address below this host.", code="unreadable-answer")
    return Request(method="GET", url=settings.base_url + url, headers=_HEADERS)


def record_id(value: object) -> str:
    """Give an id of Salesforce's, of 15 or 18 signs; `FixData` for anything else."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise FixData("An id in Salesforce has 15 or 18 letters and digits.", code="bad-id", id=str(value)[:40])
    return value


def api_name(value: object) -> str:
    """Give the API name of an object or a field; `FixData` for anything else."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise FixData(
            "The API name of an object or field has letters, digits and underscores.",
            code="bad-name",
            name=str(value)[:80],
        )
    return value


def external_id(value: object) -> str:
    """Give an external id as it stands in an address; `FixData` for an empty one."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value) if isinstance(value, str | int) else ""
    if not text or isinstance(value, bool) or len(text) > 255:
        raise FixData("An external id is a text or a number that is not empty.", code="bad-external-id")
    return text


def wire_value(value: Any) -> Any:
    """Make a value fit for the wire: whole decimal digits; a float is refused."""
    if isinstance(value, float):
        raise FixData("Money is never a float.", code="float-money", amount=value)
    if isinstance(value, Decimal):
        return Decimal(f"{value:f}")
    if isinstance(value, Mapping):
        return {name: wire_value(inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [wire_value(inner) for inner in value]
    return value
