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
CREDIT_MEMO = {**INVOICE, "apply": [{"doc": {"id": "1"}, "amount": Decimal("11.90")}]}
REFUND: dict[str, Any] = {
    "subsidiary": {"id": "2"},
    "currency": {"id": "4"},
    "apply": {"items": [{"amount": Decimal("10.00")}]},
    "deposit": [{"amount": Decimal("1.90")}],
}
JOURNAL: dict[str, Any] = {
    "subsidiary": {"id": "2"},
    "currency": {"id": "4"},
    "line": [
        {"account": {"id": "60"}, "debit": Decimal("11.90")},
        {"account": {"id": "1"}, "credit": Decimal("10.00")},
        {"account": {"id": "98"}, "credit": Decimal("1.90")},
    ],
}


def moved(schema: str, record: dict[str, Any]) -> dict[str, Decimal]:
    books = compile_books(schema, CONNECTOR.schemas[schema], {})
    assert books is not None
    return {place.account: amount for place, amount in books.postings(record, entity="DE01", currency="EUR").items()}


@pytest.mark.parametrize(
    ("schema", "record"),
    [
        ("netsuite.invoice@2026.1", INVOICE),
        ("netsuite.customer_payment@2026.1", PAYMENT),
        ("netsuite.credit_memo@2026.1", CREDIT_MEMO),
        ("netsuite.customer_deposit@2026.1", PAYMENT),
        ("netsuite.customer_refund@2026.1", REFUND),
        ("netsuite.journal_entry@2026.1", JOURNAL),
    ],
)
@pytest.mark.parametrize("field", ["subsidiary", "currency"])
def test_other_books_and_another_currency_move_the_whole_amount(
    schema: str, record: dict[str, Any], field: str
) -> None:
    before, after = moved(schema, record), moved(schema, {**record, field: {"id": "9"}})
    differing = {account for account in before | after if before.get(account) != after.get(account)}
    assert len(differing) == 2
    amounts = {before.get(account, Decimal(0)) + after.get(account, Decimal(0)) for account in differing}
    assert {abs(amount) for amount in amounts} == {Decimal("11.90")}


@pytest.mark.parametrize(
    ("schema", "record"),
    [
        ("netsuite.invoice@2026.1", {"subsidiary": {"id": "2"}}),
        ("netsuite.credit_memo@2026.1", {"subsidiary": {"id": "2"}}),
        ("netsuite.customer_deposit@2026.1", {"subsidiary": {"id": "2"}}),
        ("netsuite.customer_refund@2026.1", {"apply": [{"doc": {"id": "1"}}]}),
        ("netsuite.journal_entry@2026.1", {"line": []}),
    ],
)
def test_what_has_no_amounts_moves_nothing(schema: str, record: dict[str, Any]) -> None:
    assert not any(moved(schema, record).values())


def test_a_credit_memo_moves_the_opposite_of_an_invoice() -> None:
    credited = moved("netsuite.credit_memo@2026.1", CREDIT_MEMO)
    billed = moved("netsuite.invoice@2026.1", INVOICE)
    assert credited == {account: -amount for account, amount in billed.items()}


def test_a_journal_moves_its_accounts() -> None:
    found = moved("netsuite.journal_entry@2026.1", JOURNAL)
    assert {account: amount for account, amount in found.items() if account.startswith("account")} == {
        "account 60": Decimal("11.90"),
        "account 1": Decimal("-10.00"),
        "account 98": Decimal("-1.90"),
    }
