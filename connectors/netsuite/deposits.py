"""Customer deposits: money before there is an invoice, and the refund of what is left of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.client import read_key
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import Kind, picked, read, taking_back, upsert
from hub.sdk.connector import Record

KIND = Kind(record="customerDeposit", called="customer deposit", schema="netsuite.customer_deposit@2026.1")
_REFERENCE = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}


def paid_back(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the refund of what is left of a deposit."""
    return f"customerDeposit/{read_key(record)}/!transform/customerRefund", picked(record, ("tranDate", "account"))


UPSERT = upsert(KIND, name="deposit.upsert", undo="deposit.reverse")
READ = read(KIND, name="deposit.read", title="Read a customer deposit")
REVERSE = taking_back(
    name="deposit.reverse",
    title="Pay back what is left of a customer deposit",
    input={
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "tranDate": {"type": "string", "format": "date"},
            "account": {**_REFERENCE, "description": "The account that pays; left out, the one the money came to."},
        },
        "required": ["id"],
        "additionalProperties": False,
    },
    made="CustRfnd",
    form=paid_back,
)
