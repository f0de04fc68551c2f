"""Customer payments: created once, found again by the effect key in their memo."""

from __future__ import annotations

from connectors.netsuite.answers import document, marked_row, memo, whole, written
from connectors.netsuite.client import RECORDS, read_key, record_url, settings_of, sublists, suiteql, write
from connectors.netsuite.customers import ID_OUTPUT, KEY_INPUT
from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.connector import ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request

SCHEMA = "netsuite.customer_payment@2026.1"
_NOT_WRITTEN = frozenset({"id", "links", "memo"})


def create_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form a payment applied to invoices by internal id; its memo belongs to the effect key."""
    if record.get("memo"):
        raise FixData("A payment's memo carries the effect key; leave it out.", code="memo-reserved")
    body = sublists({name: value for name, value in record.items() if name not in _NOT_WRITTEN}, "apply")
    body["memo"] = memo(key)
    return write("POST", f"{settings.base_url}{RECORDS}/customerPayment", body)


def create_look(settings: NetSuiteSettings, key: EffectKey) -> Request:
    """Form the look-up of an earlier payment by its memo, oldest first."""
    query = "SELECT id, tranid, memo FROM transaction WHERE type = 'CustPymt' AND memo = ? ORDER BY id"
    return suiteql(settings, query, [memo(key)])


async def read(session: Session, wanted: Record) -> Record:
    """Read a payment with what it is applied to, in NetSuite's shape."""
    query = {"expandSubResources": "true"}
    url = record_url(settings_of(session), "customerPayment", read_key(wanted), query)
    return whole(document(await session.send(Request(method="GET", url=url))), "apply")


CREATE = WriteOperation(
    name="payment.create",
    title="Create a customer payment applied to invoices",
    input={"$ref": SCHEMA},
    output=ID_OUTPUT,
    idempotency=Idempotency.PROBE,
    request=create_request,
    result=written,
    look=create_look,
    found=marked_row,
)
READ = ReadOperation(
    name="payment.read",
    title="Read a customer payment with its applications",
    input=KEY_INPUT,
    output={"$ref": SCHEMA},
    read=read,
)
