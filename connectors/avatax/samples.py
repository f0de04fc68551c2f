"""What to try the connector with against its sandbox."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hub.sdk.testing.samples import ReadSample, Samples, WriteSample

IRVINE = {"line1": "1 Main Street", "city": "Irvine", "region": "CA", "country": "US", "postal_code": "92615"}
LINES: list[dict[str, object]] = [
    {"id": "1", "amount": Decimal("1250.10"), "tax_code": "SW052000", "description": "Seats"},
    {"id": "2", "amount": Decimal("-50.05"), "quantity": Decimal(1), "tax_code": "SW052000"},
    {"id": "3", "amount": 0},
]
SALE = {
    "code": "INV/2026+001",
    "date": "2026-01-31",
    "customer_id": "ACME",
    "currency": "USD",
    "ship_from": IRVINE,
    "ship_to": IRVINE,
    "lines": LINES,
}
#: With the tax as it was billed, a cent beside AvaTax's, at the rates of another day.
BILLED = {
    **SALE,
    "tax_date": "2026-01-30",
    "lines": [{**LINES[0], "billed_tax": Decimal("96.89")}, *LINES[1:]],
}
#: The number of the first document in the sandbox.
FIRST = "85000000001"
COMMIT = WriteSample(
    operation="tax.commit",
    input=SALE,
    documents=lambda books: sum(document["status"] == "Committed" for document in books["documents"]),
)
ADJUSTED = {**SALE, "id": FIRST, "reason": "price", "description": "The price fell before the delivery."}
SAMPLES = Samples(
    settings={
        "base_url": "https://sandbox-rest.avatax.com",
        "account_id": "2000123456",
        "license_key": "1A2B3C4D5E6F7890",
        "company_code": "DEFAULT",
    },
    reads=(
        ReadSample(operation="tax.quote", input=SALE),
        ReadSample(operation="tax.quote", input=BILLED),
        ReadSample(operation="tax.read", input={"code": "INV/2026+001"}, after=[COMMIT]),
        # A code that stands in the address as it is.
        ReadSample(
            operation="tax.read", input={"code": "INV-2"}, after=[replace(COMMIT, input={**SALE, "code": "INV-2"})]
        ),
        ReadSample(operation="address.resolve", input=IRVINE),
    ),
    writes=(
        COMMIT,
        WriteSample(
            operation="tax.void",
            input={"code": "INV/2026+001", "id": FIRST},
            documents=lambda books: sum(document["status"] == "Cancelled" for document in books["documents"]),
            after=[COMMIT],
            # The code of a void document is free for another one.
            interfering=[COMMIT],
        ),
        WriteSample(
            operation="tax.adjust",
            input={**ADJUSTED, "lines": [{"id": "1", "amount": Decimal("1000.00")}]},
            documents=lambda books: sum(document["status"] == "Committed" for document in books["documents"]),
            after=[COMMIT],
            interfering=[
                WriteSample(operation="tax.adjust", input={**ADJUSTED, "reason": "other"}, documents=lambda _books: 1)
            ],
        ),
        WriteSample(
            operation="tax.refund",
            input={"code": "INV/2026+001", "id": FIRST, "refund_code": "CN-1", "date": "2026-02-15", "lines": ["2"]},
            documents=lambda books: sum(document["type"] == "ReturnInvoice" for document in books["documents"]),
            after=[COMMIT],
        ),
    ),
)
