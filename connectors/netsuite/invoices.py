"""Invoices: the whole target state written by external id, read back with lines, reversed by a credit memo."""

from __future__ import annotations

from connectors.netsuite.answers import document, marked_row, memo, whole, written
from connectors.netsuite.client import external_key, read_key, record_url, settings_of, sublists, suiteql, write
from connectors.netsuite.customers import ID_OUTPUT, KEY_INPUT
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import GUARD
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request

SCHEMA = "netsuite.invoice@2026.1"
#: These sublists are written whole; without `replace`, a repeated write would append its lines once more.
_SUBLISTS = ("item", "taxDetails")
_NOT_WRITTEN = frozenset({"id", "externalId", "links"})


def upsert_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the write of an invoice's whole state under its `externalId`; `FixData` when it has no lines."""
    eid = external_key(record.get("externalId"))
    body = sublists({name: value for name, value in record.items() if name not in _NOT_WRITTEN}, *_SUBLISTS)
    if not (body.get("item") or {}).get("items"):
        raise FixData("An invoice needs its lines.", code="no-lines", external_id=record.get("externalId"))
    replaced = ",".join(name for name in _SUBLISTS if name in body)
    return write("PUT", record_url(settings, "invoice", eid, {"replace": replaced}), body)


async def read(session: Session, wanted: Record) -> Record:
    """Read an invoice with all its lines and tax details in NetSuite's shape."""
    query = {"expandSubResources": "true"}
    url = record_url(settings_of(session), "invoice", read_key(wanted), query)
    return whole(document(await session.send(Request(method="GET", url=url))), *_SUBLISTS)


def reverse_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the credit memo that takes an invoice back; the effect key goes into its memo."""
    url = f"{record_url(settings, 'invoice', read_key(record))}/!transform/creditMemo"
    body = {"memo": memo(key)}
    if record.get("tranDate"):
        body["tranDate"] = record["tranDate"]
    return write("POST", url, body)


def reverse_look(settings: NetSuiteSettings, key: EffectKey) -> Request:
    """Form the look-up of an earlier credit memo by its memo."""
    query = "SELECT id, tranid, memo FROM transaction WHERE type = 'CustCred' AND memo = ? ORDER BY id"
    return suiteql(settings, query, [memo(key)])


UPSERT = WriteOperation(
    name="invoice.upsert",
    title="Write an invoice's whole state under its external id",
    input={"$ref": SCHEMA},
    output=ID_OUTPUT,
    idempotency=Idempotency.UPSERT,
    request=upsert_request,
    result=written,
    undo="invoice.reverse",
    guard=GUARD,
)
READ = ReadOperation(
    name="invoice.read",
    title="Read an invoice with its lines and tax details",
    input=KEY_INPUT,
    output={"$ref": SCHEMA},
    read=read,
)
REVERSE = WriteOperation(
    name="invoice.reverse",
    title="Take an invoice back with a credit memo",
    input={
        "type": "object",
        "properties": {"id": {"type": "string"}, "tranDate": {"type": "string", "format": "date"}},
        "required": ["id"],
        "additionalProperties": False,
    },
    output=ID_OUTPUT,
    idempotency=Idempotency.PROBE,
    request=reverse_request,
    result=written,
    look=reverse_look,
    found=marked_row,
)
