"""An org with several currencies: codes, conversions, dated rates, and an org with only one."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

CURRENCIES = [
    {"IsoCode": "USD", "IsCorporate": True, "ConversionRate": 1},
    {"IsoCode": "EUR", "ConversionRate": "0.8"},
    {"IsoCode": "JPY", "ConversionRate": 150, "DecimalPlaces": 0},
]


@pytest.fixture
async def many(plain: Any) -> Any:
    await plain.make("Account", Name="Before")
    await plain.seed(currencies=CURRENCIES)
    return plain


async def test_an_org_with_one_currency_has_no_code(plain: Any) -> None:
    assert (await plain.query("SELECT CurrencyIsoCode FROM Account")).code == "INVALID_FIELD"
    assert await plain.values("SELECT DefaultCurrencyIsoCode FROM Organization") == ["USD"]


async def test_an_org_may_have_another_one_alone(plain: Any) -> None:
    await plain.seed(currency="EUR")
    assert await plain.values("SELECT DefaultCurrencyIsoCode FROM Organization") == ["EUR"]
    assert (await plain.query("SELECT CurrencyIsoCode FROM Account")).code == "INVALID_FIELD"


async def test_every_record_has_a_currency(many: Any) -> None:
    await many.make("Account", Name="Euro", CurrencyIsoCode="EUR")
    await many.make("Account", Name="Own")
    assert await many.values("SELECT CurrencyIsoCode FROM Account ORDER BY Name") == ["USD", "EUR", "USD"]
    wrong = await many.post("/sobjects/Account", {"Name": "x", "CurrencyIsoCode": "XXX"})
    assert wrong.code == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    rates = await many.rows("SELECT IsoCode, ConversionRate, IsCorporate FROM CurrencyType ORDER BY IsoCode")
    assert [(row["IsoCode"], row["ConversionRate"]) for row in rates] == [
        ("EUR", Decimal("0.8")),
        ("JPY", 150),
        ("USD", 1),
    ]
    fields = {one["name"]: one for one in (await many.get("/sobjects/Account/describe")).body["fields"]}
    assert [one["value"] for one in fields["CurrencyIsoCode"]["picklistValues"]] == ["EUR", "JPY", "USD"]


async def test_amounts_are_converted_and_added_in_the_corporate_currency(many: Any) -> None:
    for code, amount in (("EUR", "80.40"), ("JPY", 15_000), ("USD", 50)):
        await many.make("Account", Name=code, CurrencyIsoCode=code, Credit_Limit__c=amount)
    found = await many.rows("SELECT Name, convertCurrency(Credit_Limit__c) FROM Account ORDER BY Name")
    assert [row["Credit_Limit__c"] for row in found] == [None, Decimal("100.5"), 100, 50]
    (row,) = await many.rows("SELECT SUM(Credit_Limit__c) s, MAX(Credit_Limit__c) m FROM Account")
    assert (row["s"], row["m"]) == (Decimal("250.5"), Decimal("100.5"))
    big = await many.values("SELECT Name FROM Account WHERE Credit_Limit__c > EUR60 ORDER BY Name")
    assert big == ["EUR", "JPY"]
    assert await many.values("SELECT Name FROM Account WHERE Credit_Limit__c = 15000") == ["JPY"]


async def test_opportunities_have_the_rate_of_their_day(many: Any) -> None:
    dated = [
        {"IsoCode": "EUR", "StartDate": "2026-01-01", "ConversionRate": "0.5"},
        {"IsoCode": "EUR", "StartDate": "2026-07-01", "ConversionRate": "0.25"},
    ]
    await many.seed(dated_rates=dated)
    for day in ("2025-12-31", "2026-06-30", "2026-07-01"):
        body = {"Name": day, "StageName": "Prospecting", "CloseDate": day, "Amount": 100, "CurrencyIsoCode": "EUR"}
        await many.make("Opportunity", **body)
    found = await many.rows("SELECT convertCurrency(Amount) FROM Opportunity ORDER BY CloseDate")
    assert [row["Amount"] for row in found] == [125, 200, 400]


async def test_a_price_keeps_the_currency_in_which_it_was_made(many: Any) -> None:
    product = await many.make("Product2", Name="Seat", IsActive=True)
    book = (await many.values("SELECT Id FROM Pricebook2"))[0]
    entry = {"Product2Id": product, "Pricebook2Id": book, "UnitPrice": 10, "IsActive": True, "CurrencyIsoCode": "EUR"}
    made = await many.make("PricebookEntry", **entry)
    for currency in ("EUR", "USD"):
        refused = await many.patch(f"/sobjects/PricebookEntry/{made}", {"UnitPrice": 9, "CurrencyIsoCode": currency})
        assert (refused.status, refused.code) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")
    assert (await many.patch(f"/sobjects/PricebookEntry/{made}", {"UnitPrice": 9})).status == 204
    read = (await many.get(f"/sobjects/PricebookEntry/{made}")).body
    assert (read["UnitPrice"], read["CurrencyIsoCode"]) == (9, "EUR")


async def test_a_line_is_in_the_currency_of_its_head(many: Any) -> None:
    product = await many.make("Product2", Name="Seat", IsActive=True)
    book = (await many.values("SELECT Id FROM Pricebook2"))[0]
    entry = {"Product2Id": product, "Pricebook2Id": book, "UnitPrice": 10, "IsActive": True}
    dollars = await many.make("PricebookEntry", **entry)
    euros = await many.make("PricebookEntry", **entry, CurrencyIsoCode="EUR")
    deal = await many.make(
        "Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-01-31", CurrencyIsoCode="EUR"
    )
    line = {"OpportunityId": deal, "Quantity": 1, "UnitPrice": 7}
    refused = await many.post("/sobjects/OpportunityLineItem", {**line, "PricebookEntryId": dollars})
    assert (refused.code, "currency" in refused.message) == ("FIELD_INTEGRITY_EXCEPTION", True)
    made = await many.make("OpportunityLineItem", **line, PricebookEntryId=euros)
    assert (await many.get(f"/sobjects/OpportunityLineItem/{made}")).body["CurrencyIsoCode"] == "EUR"
    assert (await many.patch(f"/sobjects/Opportunity/{deal}", {"CurrencyIsoCode": "USD"})).status == 400
