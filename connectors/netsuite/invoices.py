"""Invoices: the whole target state written by external id, read back with lines, reversed by a credit memo."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.netsuite.client import read_key
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.upserts import Kind, picked, read, taking_back, upsert
from hub.sdk.connector import Record

KIND = Kind(
    record="invoice",
    called="invoice",
    schema="netsuite.invoice@2026.1",
    sublists=("item", "taxDetails"),
    needed=("item",),
)


def credited(_settings: NetSuiteSettings, record: Record) -> tuple[str, Mapping[str, Any]]:
    """Form the credit memo that takes an invoice back."""
    return f"invoice/{read_key(record)}/!transform/creditMemo", picked(record, ("tranDate",))


UPSERT = upsert(KIND, name="invoice.upsert", undo="invoice.reverse")
READ = read(KIND, name="invoice.read", title="Read an invoice with its lines and tax details")
REVERSE = taking_back(
    name="invoice.reverse",
    title="Take an invoice back with a credit memo",
    input={
        "type": "object",
        "properties": {"id": {"type": "string"}, "tranDate": {"type": "string", "format": "date"}},
        "required": ["id"],
        "additionalProperties": False,
    },
    made="CustCred",
    form=credited,
)
