"""Customers: written under either id, read by either, and looked for where there may be none.

Several systems have a say about a customer: people in the ERP about its terms, billing about its address. So the guard
of the write watches those fields alone that the write names.
"""

from __future__ import annotations

from connectors.netsuite.answers import written
from connectors.netsuite.client import external_key, read_key, record_url, write
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import GUARD_WITHIN
from connectors.netsuite.upserts import ID_OUTPUT, Kind, find, read
from hub.sdk.connector import Record, WriteOperation
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
FIND = find(KIND, name="customer.find")
