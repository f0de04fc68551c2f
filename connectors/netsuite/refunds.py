"""Customer refunds: money paid back for credits and deposits, and the payment that takes one back."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import Kind, find, lines, picked, read, taking_back, upsert
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

KIND = Kind(
    record="customerRefund",
    called="customer refund",
    schema="netsuite.customer_refund@2026.1",
    sublists=("apply", "deposit"),
    needed=("apply", "deposit"),
)
_CAME_BACK = "customer subsidiary currency exchangeRate tranDate account arAcct department class location".split()


def came_back(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the payment of money that a refund did not bring to the customer; `FixData` when the amount is not known."""
    paid_out = [
        line.get("amount")
        for sublist in ("apply", "deposit")
        for line in lines(record, sublist)
        if line.get("apply") is not False
    ]
    if not paid_out or any(not isinstance(amount, int | Decimal) for amount in paid_out):
        raise FixData("To take a refund back takes the record as it was written, with amounts.", code="no-amount")
    total = sum((Decimal(amount) for amount in paid_out if amount is not None), Decimal(0))
    return "customerPayment", {**picked(record, _CAME_BACK), "payment": total}


UPSERT = upsert(KIND, name="refund.upsert")
READ = read(KIND, name="refund.read", title="Read a customer refund with what it pays out")
FIND = find(KIND, name="refund.find")
REVERSE = taking_back(
    name="refund.reverse",
    title="Take a refund back with a payment that waits to be applied",
    input={"$ref": KIND.schema},
    made="CustPymt",
    form=came_back,
)
