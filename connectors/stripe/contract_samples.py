"""What to try Stripe Tax with as a tax engine: one sale in New York, and what corrects it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hub.sdk.testing.samples import ReadSample, WriteSample

#: Stripe Tax takes no date that is more than 31 days from now.
TODAY = datetime.now(UTC).date().isoformat()
NEW_YORK = {"line1": "1 Main Street", "city": "New York", "region": "NY", "postal_code": "10001", "country": "US"}
SALE: Mapping[str, Any] = {
    "code": "INV/2026+001",
    "date": TODAY,
    "customer_id": "ACME",
    "currency": "USD",
    "ship_from": {"line1": "500 Market Street", "city": "San Francisco", "region": "CA", "country": "US"},
    "ship_to": NEW_YORK,
    "lines": [
        {"id": "1", "amount": Decimal("1250.10"), "tax_code": "txcd_10103001", "description": "Seats"},
        {"id": "2", "amount": Decimal("-50.05"), "quantity": Decimal(1), "tax_code": "txcd_10103001"},
        {"id": "3", "amount": Decimal("80.00")},
    ],
}
COMMIT = WriteSample(operation="tax.commit", input=SALE, documents=lambda books: _made(books, "transaction"))


def _made(books: Mapping[str, Any], kind: str) -> int:
    return sum(one["type"] == kind for one in books["tax_transactions"])


def _called(start: str) -> Callable[[Mapping[str, Any]], int]:
    return lambda books: sum(one["reference"].startswith(start) for one in books["tax_transactions"])


def contract_reads(transaction: str) -> tuple[ReadSample, ...]:
    """Give the reads; `transaction` is the id that the commit gets."""
    asked = frozenset({"tax_calculations"})
    return (
        ReadSample(operation="tax.quote", input=SALE, leaves=asked),
        ReadSample(operation="tax.read", input={"code": SALE["code"], "id": transaction}, after=[COMMIT]),
        ReadSample(operation="address.resolve", input=NEW_YORK, leaves=asked),
    )


def contract_writes(transaction: str) -> tuple[WriteSample, ...]:
    """Give the writes; `transaction` is the id that the commit gets."""
    there = {"id": transaction, "code": SALE["code"]}
    return (
        COMMIT,
        WriteSample(operation="tax.void", input=there, documents=_called(f"{transaction} void"), after=[COMMIT]),
        WriteSample(
            operation="tax.adjust",
            input={
                **SALE,
                **there,
                "reason": "price",
                "description": "The price fell before the delivery.",
                "lines": [{"id": "1", "amount": Decimal("1000.00")}],
            },
            # The old version and the new one, of which each has its own.
            documents=lambda books: _made(books, "transaction") - 1,
            after=[COMMIT],
        ),
        WriteSample(
            operation="tax.refund",
            input={**there, "refund_code": "CN-1", "date": TODAY, "lines": ["1"]},
            documents=_called("CN-1 "),
            after=[COMMIT],
        ),
    )
