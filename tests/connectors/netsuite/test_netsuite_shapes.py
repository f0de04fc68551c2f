"""The connector's schemas describe every field that the sandbox's records may have."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.sandbox.record_types import ADDRESS, RECORD_TYPES

SHAPES = {
    "customer": "customer",
    "contact": "contact",
    "sales_order": "salesOrder",
    "invoice": "invoice",
    "credit_memo": "creditMemo",
    "customer_payment": "customerPayment",
    "customer_refund": "customerRefund",
    "customer_deposit": "customerDeposit",
    "journal_entry": "journalEntry",
    "item": "serviceSaleItem",
    "accounting_period": "accountingPeriod",
}


@pytest.mark.parametrize("series", sorted(SHAPES))
def test_schemas_describe_all_fields(series: str) -> None:
    schema, shape = CONNECTOR.schemas[f"netsuite.{series}@2026.1"], RECORD_TYPES[SHAPES[series]]
    properties: dict[str, Any] = dict(schema["properties"])
    assert not {field.name for field in shape.body.values()} - properties.keys()
    for sublist, fields in shape.sublists.items():
        line = properties[sublist]["properties"]["items"]["items"]["$ref"].rpartition("/")[2]
        assert not {field.name for field in fields.values()} - schema["$defs"][line]["properties"].keys()


def test_an_address_is_described_in_full() -> None:
    schema = CONNECTOR.schemas["netsuite.customer@2026.1"]
    assert not {field.name for field in ADDRESS.values()} - schema["$defs"]["address"]["properties"].keys()
