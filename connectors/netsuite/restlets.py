"""RESTlets: customers' own scripts, of which nothing is known but their address."""

from __future__ import annotations

from urllib.parse import urlencode

from connectors.netsuite.client import RESTLET, wire_value
from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response


def call_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the call of a script's deployment; the body is passed as it is."""
    query = urlencode({"script": record["script"], "deploy": record["deploy"]})
    return Request(
        method="POST",
        url=f"{settings.restlet_host}{RESTLET}?{query}",
        headers={"content-type": "application/json"},
        body=canonical(wire_value(record.get("body", {}))),
    )


def call_result(response: Response) -> Record:
    """Give what the script answered: JSON, plain text, or nothing; a page of HTML is no script's answer."""
    if not response.body:
        return {"answer": None}
    if response.headers.get("content-type", "").startswith("text/plain"):
        return {"answer": response.body.decode("utf-8", "replace")}
    try:
        return {"answer": loads(response.body)}
    except FixData as error:
        raise OutcomeUnknown("The answer is not the script's.", code="unreadable-answer") from error


CALL = WriteOperation(
    name="restlet.call",
    title="Call a RESTlet",
    input={
        "type": "object",
        "properties": {"script": {"type": "string"}, "deploy": {"type": "string"}, "body": True},
        "required": ["script", "deploy"],
        "additionalProperties": False,
    },
    output={"type": "object", "properties": {"answer": True}, "required": ["answer"]},
    idempotency=Idempotency.UNSAFE,
    request=call_request,
    result=call_result,
)
