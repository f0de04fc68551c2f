"""Customer payments: written under an external id, or created once and found again by the key in their memo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.answers import marked_row, memo, written
from connectors.netsuite.client import RECORDS, sublists, suiteql, write
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import ID_OUTPUT, Kind, picked, read, taking_back, upsert
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.values import EffectKey, Idempotency, Request

KIND = Kind(
    record="customerPayment",
    called="customer payment",
    schema="netsuite.customer_payment@2026.1",
    sublists=("apply",),
)
_NOT_WRITTEN = frozenset({"id", "links", "memo"})
_KEPT = "subsidiary currency exchangeRate tranDate department class location".split()


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


def taken_back(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the journal that makes a customer owe again what a payment brought.

    Which accounts a payment moved is set up in NetSuite, so the record must name them; `FixData` when it does not.
    """
    missing = [name for name in ("customer", "subsidiary", "payment", "arAcct", "account") if not record.get(name)]
    if missing:
        raise FixData(
            "To take a payment back takes the record as it was written, with the accounts it moved.",
            code="no-accounts",
            missing=", ".join(missing),
        )
    owed = {"account": record["arAcct"], "debit": record["payment"], "entity": record["customer"]}
    gone = {"account": record["account"], "credit": record["payment"]}
    return "journalEntry", {**picked(record, _KEPT), "line": {"items": [owed, gone]}}


CREATE = WriteOperation(
    name="payment.create",
    title="Create a customer payment applied to invoices",
    input={"$ref": KIND.schema},
    output=ID_OUTPUT,
    idempotency=Idempotency.PROBE,
    request=create_request,
    result=written,
    look=create_look,
    found=marked_row,
)
UPSERT = upsert(KIND, name="payment.upsert")
REVERSE = taking_back(
    name="payment.reverse",
    title="Take a payment back with a journal, so that the customer owes again",
    input={"$ref": KIND.schema},
    made="Journal",
    form=taken_back,
)
READ = read(KIND, name="payment.read", title="Read a customer payment with its applications")
