"""Customers: written by external id, read by either id."""

from __future__ import annotations

from connectors.netsuite.answers import document, written
from connectors.netsuite.client import external_key, read_key, record_url, settings_of, write
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import GUARD
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request

SCHEMA = "netsuite.customer@2026.1"
#: What a read accepts: an internal id (or `eid:` key), or an external id.
KEY_INPUT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "external_id": {"type": "string"}},
    "minProperties": 1,
    "additionalProperties": False,
}
#: What a write gives: the internal id.
ID_OUTPUT = {
    "type": "object",
    "properties": {"id": {"type": "string"}},
    "required": ["id"],
    "additionalProperties": False,
}


def upsert_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the write of a customer under its `externalId`."""
    url = record_url(settings, "customer", external_key(record.get("externalId")))
    return write("PUT", url, {name: value for name, value in record.items() if name not in ("id", "externalId")})


async def read(session: Session, wanted: Record) -> Record:
    """Read a customer in NetSuite's shape."""
    url = record_url(settings_of(session), "customer", read_key(wanted))
    return document(await session.send(Request(method="GET", url=url)))


UPSERT = WriteOperation(
    name="customer.upsert",
    title="Write a customer under its external id",
    input={"$ref": SCHEMA},
    output=ID_OUTPUT,
    idempotency=Idempotency.UPSERT,
    request=upsert_request,
    result=written,
    guard=GUARD,
)
READ = ReadOperation(
    name="customer.read",
    title="Read a customer",
    input=KEY_INPUT,
    output={"$ref": SCHEMA},
    read=read,
)
