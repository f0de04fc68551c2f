"""What to try the connector with against its sandbox."""

from __future__ import annotations

from decimal import Decimal

from hub.sdk.testing.samples import ReadSample, Samples, WriteSample

IRVINE = {"line1": "1 Main Street", "city": "Irvine", "region": "CA", "country": "US", "postalCode": "92615"}
SALE = {
    "date": "2026-01-31",
    "customerCode": "ACME",
    "currencyCode": "USD",
    "addresses": {"singleLocation": IRVINE},
    "lines": [
        {"number": "1", "amount": Decimal("1250.10"), "taxCode": "SW052000", "description": "Seats"},
        {"number": "2", "amount": Decimal("-50.05"), "quantity": Decimal(1), "taxCode": "SW052000"},
        {"number": "3", "amount": 0},
    ],
}
COMMIT = WriteSample(
    operation="transaction.commit",
    input={**SALE, "code": "INV/2026+001"},
    documents=lambda books: sum(document["status"] == "Committed" for document in books["documents"]),
)
SAMPLES = Samples(
    settings={
        "base_url": "https://sandbox-rest.avatax.com",
        "account_id": "2000123456",
        "license_key": "1A2B3C4D5E6F7890",
        "company_code": "DEFAULT",
    },
    reads=(
        ReadSample(operation="transaction.quote", input=SALE),
        ReadSample(operation="transaction.read", input={"code": "INV/2026+001"}, after=[COMMIT]),
    ),
    writes=(
        COMMIT,
        WriteSample(
            operation="transaction.void",
            input={"code": "INV/2026+001", "id": 85_000_000_001},
            documents=lambda books: sum(document["status"] == "Cancelled" for document in books["documents"]),
            after=[COMMIT],
            # The code of a void document is free for another one.
            interfering=[COMMIT],
        ),
    ),
)
