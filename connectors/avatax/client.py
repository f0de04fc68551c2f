"""How AvaTax is spoken to: addresses, headers, the account's key, reading an answer, and the ping."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlencode

from connectors.avatax.settings import AvataxSettings
from hub.sdk.answers import read_object
from hub.sdk.auth import Authorizer, FixedHeaders
from hub.sdk.errors import FixConnection
from hub.sdk.exact_json import canonical
from hub.sdk.session import Session
from hub.sdk.values import Request

#: Characters that AvaTax cannot take in a path, even percent-encoded, and its own writing of them.
_IN_A_PATH = str.maketrans({"/": "_-ava2f-_", "+": "_-ava2b-_", "?": "_-ava3f-_", "%": "_-ava25-_", "#": "_-ava23-_"})


def settings_of(session: Session) -> AvataxSettings:
    """Give a session's settings with their type."""
    return cast("AvataxSettings", session.settings)


def address(settings: AvataxSettings, path: str, query: Mapping[str, str] | None = None) -> str:
    """Give the absolute URL of a path below `/api/v2/`."""
    url = f"{settings.base_url}/api/v2/{path}"
    return f"{url}?{urlencode(query, safe='$,', quote_via=quote)}" if query else url


def document_path(settings: AvataxSettings, code: str, action: str = "") -> str:
    """Give the path of a document of the company, and of an action on it."""
    path = f"companies/{segment(settings.company_code)}/transactions/{segment(code)}"
    return f"{path}/{action}" if action else path


def segment(text: str) -> str:
    """Write a code as one segment of a path, the way AvaTax wants it."""
    return quote(text.translate(_IN_A_PATH), safe="")


def read_request(settings: AvataxSettings, url: str) -> Request:
    """Form a GET."""
    return Request(method="GET", url=url, headers=_headers(settings))


def write_request(settings: AvataxSettings, url: str, body: object) -> Request:
    """Form a POST whose body is the same bytes for the same value."""
    headers = {**_headers(settings), "content-type": "application/json"}
    return Request(method="POST", url=url, headers=headers, body=canonical(body))


def authorizer(settings: AvataxSettings) -> Authorizer:
    """Sign every attempt with the account's number and licence key."""
    pair = f"{settings.account_id.get_secret_value()}:{settings.license_key.get_secret_value()}"
    return FixedHeaders({"authorization": "Basic " + base64.b64encode(pair.encode()).decode()})


async def ping(session: Session) -> None:
    """Show that host and key work: the ping is answered with 200 also for a wrong key, only a flag tells."""
    settings = settings_of(session)
    answer = read_object(await session.send(read_request(settings, address(settings, "utilities/ping"))))
    if answer.get("authenticated") is not True:
        raise FixConnection("AvaTax does not know this account id and licence key.", code="not-authenticated")


def _headers(settings: AvataxSettings) -> dict[str, str]:
    client = (settings.client_name, settings.client_version, "REST", "v2", settings.machine)
    return {"accept": "application/json", "x-avalara-client": "; ".join(client)}
