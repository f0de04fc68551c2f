"""Customers: written under either id, read by either, and looked for where there may be none.

Several systems have a say about a customer: people in the ERP about its terms, billing about its address. So the guard
of the write watches those fields alone that the write names.
"""

from __future__ import annotations

from connectors.netsuite.answers import record_of, whole, written
from connectors.netsuite.client import external_key, has_the_key_asked_for, read_key, record_url, settings_of, write
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import GUARD_WITHIN
from connectors.netsuite.upserts import ID_OUTPUT, KEY_INPUT, Kind, read
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request

KIND = Kind(
    record="customer",
    called="customer",
    schema="netsuite.customer@2026.1",
    sublists=("addressBook", "currencyList"),
)


def request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the write of the fields that are given: under the internal id where the record has one, else its external.

    Without `replace` NetSuite would append the lines of a repeated write once more. An empty text clears a field.
    """
    body = KIND.body(record)
    replaced = ",".join(sublist for sublist in KIND.sublists if sublist in body)
    query = {"replace": replaced} if replaced else None
    if record.get("id") is not None:
        return write("PATCH", record_url(settings, KIND.record, read_key({"id": record["id"]}), query), body)
    return write("PUT", record_url(settings, KIND.record, external_key(record.get("externalId")), query), body)


async def find(session: Session, wanted: Record) -> Record:
    """Read a customer if there is one; only NetSuite itself can say that there is none."""
    url = record_url(settings_of(session), KIND.record, read_key(wanted), {"expandSubResources": "true"})
    try:
        answer = await session.send(Request(method="GET", url=url))
    except FixData as error:
        if error.facts.get("error") != "NONEXISTENT_ID":
            raise
        return {"customer": None}
    return {"customer": whole(record_of(answer), *KIND.sublists)}


def _is_the_one_asked_for(wanted: Record, came: Record) -> bool:
    return came["customer"] is None or has_the_key_asked_for(wanted, came["customer"])


UPSERT = WriteOperation(
    name="customer.upsert",
    title="Write the fields of a customer that are given, under its external or its internal id",
    input={"$ref": KIND.schema},
    output=ID_OUTPUT,
    idempotency=Idempotency.UPSERT,
    request=request,
    result=written,
    guard=GUARD_WITHIN,
)
READ = read(KIND, name="customer.read", title="Read a customer with its addresses and currencies")
FIND = ReadOperation(
    name="customer.find",
    title="Read a customer, or nothing where there is none",
    input=KEY_INPUT,
    output={
        "type": "object",
        "properties": {"customer": {"type": ["object", "null"]}},
        "required": ["customer"],
        "additionalProperties": False,
    },
    read=find,
    about=_is_the_one_asked_for,
)
