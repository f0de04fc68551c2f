"""What to try the engine with: tables of two countries, and one sale."""

from __future__ import annotations

from decimal import Decimal

from hub.sdk.testing.samples import ReadSample, Samples, WriteSample

FILES = {
    "tax/rates.csv": b"""\
country,region,postal,level,jurisdiction,code,tax_type,tax_name,category,percent,from,to
DE,,,country,Germany,DE,vat,USt,*,19,2007-01-01,2020-06-30
DE,,,country,Germany,DE,vat,USt,*,16,2020-07-01,2020-12-31
DE,,,country,Germany,DE,vat,USt,*,19,2021-01-01,
DE,,,country,Germany,DE,vat,USt,books,7,,
DE,,,country,Germany,DE,vat,USt,insurance,exempt,,
FR,,,country,France,FR,vat,TVA,*,20,,
US,TX,,state,Texas,48,sales,TX STATE TAX,*,6.25,,
US,TX,782,city,San Antonio,65000,sales,TX CITY TAX,*,1.25,,
US,TX,782,special,San Antonio transit,T1,sales,TX TRANSIT TAX,*,0.5,,
US,TX,782,special,San Antonio district,T2,sales,TX DISTRICT TAX,*,0.25,,
""",
    "tax/categories.csv": b"tax_code,category\nBK*,books\nIN0001,insurance\n",
    "tax/registrations.csv": b"""\
entity,country,region,business_buyers,from,to
DE01,DE,,taxed,,
DE01,FR,,reverse-charge,2021-07-01,
US01,US,TX,taxed,,
""",
    "tax/exemptions.csv": b"country,region,reason\nUS,TX,resale\n",
    "tax/filings.csv": b"entity,country,through\nDE01,DE,2025-12-31\n",
}
BERLIN = {"line1": "Torstrasse 1", "city": "Berlin", "postal_code": "10119", "country": "DE"}
SALE = {
    "code": "INV/2026 001",
    "date": "2026-01-31",
    "entity": "DE01",
    "customer_id": "ACME",
    "currency": "EUR",
    "ship_from": BERLIN,
    "ship_to": BERLIN,
    "lines": [
        {"id": "1", "amount": Decimal("1250.10"), "tax_code": "SW052000"},
        {"id": "2", "amount": Decimal("-50.05"), "quantity": Decimal(1)},
    ],
}
COMMIT = WriteSample(
    operation="tax.commit",
    input=SALE,
    documents=lambda books: sum(name.startswith("document:sale:") for name in books),
)
SAMPLES = Samples(
    settings={"rounding": "line", "halves": "up"},
    seed={"files": FILES},
    reads=(
        ReadSample(operation="tax.quote", input=SALE),
        ReadSample(operation="tax.read", input={"code": "INV/2026 001"}, after=[COMMIT]),
        ReadSample(operation="address.resolve", input=BERLIN),
    ),
    writes=(
        COMMIT,
        WriteSample(
            operation="tax.void",
            input={"code": "INV/2026 001", "id": "1"},
            documents=lambda books: sum(
                kept["status"] == "voided" for name, kept in books.items() if name.startswith("document:")
            ),
            after=[COMMIT],
        ),
        WriteSample(
            operation="tax.adjust",
            input={**SALE, "id": "1", "reason": "price", "description": "The price fell."},
            documents=lambda books: sum(name.startswith("version:") for name in books),
            after=[COMMIT],
        ),
        WriteSample(
            operation="tax.refund",
            input={"code": "INV/2026 001", "id": "1", "refund_code": "CN-1", "date": "2026-02-15", "lines": ["2"]},
            documents=lambda books: sum(name.startswith("document:return:") for name in books),
            after=[COMMIT],
        ),
    ),
)
