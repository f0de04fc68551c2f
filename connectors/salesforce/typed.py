"""Writes that the money path needs by name: accounts, and how invoices stand, in an object of the org's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.salesforce import currency_writes, reads
from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.answers import written
from connectors.salesforce.client import record_id, settings_of
from connectors.salesforce.describing import with_currency
from connectors.salesforce.reads import EXTERNAL, ID
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.standing import GUARD
from connectors.salesforce.writes import FIELDS, WRITTEN, upsert_request
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request

#: Where the standing of an invoice is written, unless the settings say otherwise.
INVOICE_FIELDS: Mapping[str, str] = {
    "number": "Name",
    "account": "Account__c",
    "order": "Order__c",
    "status": "Status__c",
    "issued_on": "Issued_On__c",
    "due_on": "Due_On__c",
    "total": "Total__c",
    "tax": "Tax__c",
    "open": "Open_Amount__c",
    "url": "Url__c",
}
_AMOUNTS = ("total", "tax", "open")
_DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}


#: What is read of an invoice's standing again; the order is nobody's but the CRM's.
_SHOWN = ("number", "account", "status", "currency", "issued_on", "due_on", "total", "open", "url")


def _account(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    return upsert_request(settings, "Account", record["external_id"], record["fields"])


def _invoice(settings: SalesforceSettings, record: Record, key: EffectKey) -> Request:
    """Form the write of an invoice's standing; the account may be named by the id that it has elsewhere.

    Raises `FixData` for amounts without a currency, and for one that is not the org's only one: they would be read in
    that.
    """
    names = {**INVOICE_FIELDS, **settings.invoice_fields}
    unknown = sorted(settings.invoice_fields.keys() - INVOICE_FIELDS.keys())
    if unknown:
        raise FixData(
            "The setting `invoice_fields` names what no invoice has.", code="bad-setting", names=", ".join(unknown)
        )
    fields: dict[str, Any] = {names[name]: record[name] for name in INVOICE_FIELDS if name in record}
    for name, object in (("account", "Account"), ("order", "Order")):
        if name in record:
            field = names[name]
            given = fields.pop(field)
            if "id" in given:
                fields[field] = record_id(given["id"])
            else:
                fields[_relation(field)] = {settings.external_id_of(object): given["external_id"]}
    if any(name in record for name in _AMOUNTS):
        currency = record.get("currency")
        if currency is None:
            raise FixData("Amounts without a currency say nothing.", code="no-currency")
        fields[CURRENCY] = currency
    return upsert_request(settings, settings.invoice_object, record["external_id"], fields)


async def _find_invoice(session: Session, wanted: Record) -> Record:
    """Read how an invoice stands in the CRM, in the words in which it is written; nothing where it is not there."""
    settings = settings_of(session)
    names = {**INVOICE_FIELDS, **settings.invoice_fields}
    there = await reads.find(session, {"object": settings.invoice_object, "value": wanted["external_id"]})
    record = there["record"]
    if record is None:
        return {"invoice": None}
    if any(record.get(names[name]) is not None for name in _AMOUNTS):
        record = await with_currency(session, record)
    return {"invoice": {name: record.get(names.get(name, CURRENCY)) for name in _SHOWN}}


def _relation(field: str) -> str:
    return f"{field.removesuffix('__c')}__r" if field.endswith("__c") else field.removesuffix("Id")


_OTHER: Mapping[str, Any] = {
    "type": "object",
    "properties": {"id": ID, "external_id": EXTERNAL},
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
ACCOUNT = WriteOperation(
    name="account.upsert",
    title="Write fields of an account under the id that it has elsewhere",
    input={
        "type": "object",
        "properties": {"external_id": EXTERNAL, "fields": FIELDS},
        "required": ["external_id", "fields"],
        "additionalProperties": False,
    },
    output=WRITTEN,
    idempotency=Idempotency.UPSERT,
    request=_account,
    result=written,
    calls=currency_writes.calls,
    guard=GUARD,
)
INVOICE_STATUS = WriteOperation(
    name="invoice_status.upsert",
    title="Write how an invoice stands",
    input={
        "type": "object",
        "properties": {
            "external_id": EXTERNAL,
            "number": {"type": "string", "minLength": 1},
            "account": _OTHER,
            "order": _OTHER,
            "status": {"type": "string", "minLength": 1},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "issued_on": _DAY,
            "due_on": {"anyOf": [_DAY, {"type": "null"}]},
            **{name: {"type": "number"} for name in _AMOUNTS},
            "url": {"type": ["string", "null"]},
        },
        "required": ["external_id", "status"],
        "additionalProperties": False,
    },
    output=WRITTEN,
    idempotency=Idempotency.UPSERT,
    request=_invoice,
    result=written,
    calls=currency_writes.calls,
    guard=GUARD,
)
_TEXT = {"type": ["string", "null"]}
_AMOUNT = {"type": ["number", "null"]}
FIND_INVOICE = ReadOperation(
    name="invoice_status.find",
    title="Read how an invoice stands in the CRM, or nothing where it is not there",
    input={
        "type": "object",
        "properties": {"external_id": EXTERNAL},
        "required": ["external_id"],
        "additionalProperties": False,
    },
    output={
        "type": "object",
        "properties": {
            "invoice": {
                "type": ["object", "null"],
                "properties": {name: _AMOUNT if name in _AMOUNTS else _TEXT for name in _SHOWN},
            }
        },
        "required": ["invoice"],
    },
    read=_find_invoice,
)
