"""What NetSuite's records mean in books: other books, or another currency for the same number, is money that moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.netsuite.connector import CONNECTOR
from hub.workspace.checks.postings import compile_books

INVOICE: dict[str, Any] = {
    "subsidiary": {"id": "2"},
    "currency": {"id": "4"},
    "item": [{"item": {"id": "101"}, "amount": Decimal("10.00")}],
    "taxDetails": [{"taxCode": {"id": "7"}, "taxAmount": Decimal("1.90")}],
}
PAYMENT: dict[str, Any] = {"subsidiary": {"id": "2"}, "currency": {"id": "4"}, "payment": Decimal("11.90")}


def moved(schema: str, record: dict[str, Any]) -> dict[str, Decimal]:
    books = compile_books(schema, CONNECTOR.schemas[schema], {})
    assert books is not None
    return {place.account: amount for place, amount in books.postings(record, entity="DE01", currency="EUR").items()}


@pytest.mark.parametrize(
    ("schema", "record"), [("netsuite.invoice@2026.1", INVOICE), ("netsuite.customer_payment@2026.1", PAYMENT)]
)
@pytest.mark.parametrize("field", ["subsidiary", "currency"])
def test_other_books_and_another_currency_move_the_whole_amount(
    schema: str, record: dict[str, Any], field: str
) -> None:
    before, after = moved(schema, record), moved(schema, {**record, field: {"id": "9"}})
    differing = {account for account in before | after if before.get(account) != after.get(account)}
    assert len(differing) == 2
    assert {before.get(account, Decimal(0)) + after.get(account, Decimal(0)) for account in differing} == {
        Decimal("11.90")
    }
