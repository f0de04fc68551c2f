"""What the sandbox computes and forbids in selling: prices, lines, opportunities, quotes, orders, contracts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce.sandbox.rules import _end


async def _names(shop: Any) -> dict[str, str]:
    """Give the ids of the account, the product, its price and the standard price book."""
    return {
        "account": (await shop.values("SELECT Id FROM Account"))[0],
        "product": (await shop.values("SELECT Id FROM Product2"))[0],
        "entry": (await shop.values("SELECT Id FROM PricebookEntry"))[0],
        "book": (await shop.values("SELECT Id FROM Pricebook2 WHERE IsStandard = true"))[0],
    }


async def _order(shop: Any, **more: Any) -> str:
    ids = await _names(shop)
    body = {"AccountId": ids["account"], "EffectiveDate": "2026-01-01", "Status": "Draft", "Pricebook2Id": ids["book"]}
    return str(await shop.make("Order", **{**body, **more}))


async def test_the_standard_price_comes_first(plain: Any) -> None:
    product = await plain.make("Product2", Name="Seat", IsActive=True)
    book = await plain.make("Pricebook2", Name="Partners", IsActive=True)
    standard = (await plain.values("SELECT Id FROM Pricebook2 WHERE IsStandard = true"))[0]
    entry = {"Product2Id": product, "UnitPrice": 9, "IsActive": True}
    early = await plain.post("/sobjects/PricebookEntry", {**entry, "Pricebook2Id": book})
    assert (early.code, early.message) == (
        "STANDARD_PRICE_NOT_DEFINED",
        "Before creating a custom price, create a standard price.",
    )
    await plain.make("PricebookEntry", **entry, Pricebook2Id=standard)
    twice = await plain.post("/sobjects/PricebookEntry", {**entry, "Pricebook2Id": standard})
    assert twice.code == "DUPLICATE_VALUE"
    own = await plain.make("PricebookEntry", **{**entry, "UseStandardPrice": True, "UnitPrice": 1}, Pricebook2Id=book)
    assert (await plain.get(f"/sobjects/PricebookEntry/{own}")).body["UnitPrice"] == 9
    await plain.patch(f"/sobjects/Product2/{product}", {"Name": "Place"})
    assert await plain.values("SELECT Name FROM PricebookEntry") == ["Place", "Place"]
    moved = await plain.patch(f"/sobjects/PricebookEntry/{own}", {"Pricebook2Id": standard})
    assert moved.code == "INVALID_FIELD_FOR_INSERT_UPDATE"
    assert (await plain.call("DELETE", f"/sobjects/Pricebook2/{standard}")).code == "DELETE_FAILED"


async def test_an_opportunity_follows_its_stage_and_its_lines(shop: Any) -> None:
    ids = await _names(shop)
    deal = await shop.make("Opportunity", Name="Deal", StageName="Value Proposition", CloseDate="2026-06-30", Amount=80)
    read = (await shop.get(f"/sobjects/Opportunity/{deal}")).body
    assert (read["Probability"], read["ExpectedRevenue"], read["IsClosed"]) == (50, 40, False)
    line = {"OpportunityId": deal, "PricebookEntryId": ids["entry"], "Quantity": "2.5"}
    first = await shop.make("OpportunityLineItem", **line, UnitPrice="9.99", Discount=10)
    second = await shop.make("OpportunityLineItem", **line, TotalPrice=50)
    read = (await shop.get(f"/sobjects/OpportunityLineItem/{first}")).body
    assert (read["TotalPrice"], read["ListPrice"], read["Name"]) == (Decimal("22.48"), 10, "Deal Seat")
    assert (await shop.get(f"/sobjects/OpportunityLineItem/{second}")).body["UnitPrice"] == 20
    read = (await shop.get(f"/sobjects/Opportunity/{deal}")).body
    assert (read["Amount"], read["HasOpportunityLineItem"]) == (Decimal("72.48"), True)
    assert read["Pricebook2Id"] == ids["book"]
    await shop.patch(f"/sobjects/Opportunity/{deal}", {"Amount": 1, "StageName": "Closed Won"})
    read = (await shop.get(f"/sobjects/Opportunity/{deal}")).body
    assert (read["Amount"], read["IsWon"], read["IsClosed"]) == (Decimal("72.48"), True, True)
    assert read["ExpectedRevenue"] == read["Amount"]
    assert (await shop.patch(f"/sobjects/Opportunity/{deal}", {"Pricebook2Id": None})).status == 400
    await shop.call("DELETE", f"/sobjects/OpportunityLineItem/{first}")
    assert (await shop.get(f"/sobjects/Opportunity/{deal}")).body["Amount"] == 50


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"PricebookEntryId": "entry"}, "REQUIRED_FIELD_MISSING"),
        ({"PricebookEntryId": "entry", "UnitPrice": 1, "TotalPrice": 1}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"PricebookEntryId": "other", "UnitPrice": 1}, "FIELD_INTEGRITY_EXCEPTION"),
        ({"PricebookEntryId": "idle", "UnitPrice": 1}, "FIELD_INTEGRITY_EXCEPTION"),
    ],
)
async def test_lines_that_do_not_fit(shop: Any, body: dict[str, Any], code: str) -> None:
    ids = await _names(shop)
    book = await shop.make("Pricebook2", Name="Partners", IsActive=True)
    entry = {"Product2Id": ids["product"], "UnitPrice": 9}
    ids["other"] = await shop.make("PricebookEntry", **entry, Pricebook2Id=book, IsActive=True)
    idle = await shop.make("Product2", Name="Idle")
    ids["idle"] = await shop.make("PricebookEntry", Product2Id=idle, UnitPrice=9, Pricebook2Id=ids["book"])
    deal = {"Name": "D", "StageName": "Prospecting", "CloseDate": "2026-06-30", "Pricebook2Id": ids["book"]}
    line = {name: ids.get(str(value), value) for name, value in body.items()}
    line |= {"OpportunityId": await shop.make("Opportunity", **deal), "Quantity": 1}
    assert (await shop.post("/sobjects/OpportunityLineItem", line)).code == code


async def test_a_quote_sums_up(shop: Any) -> None:
    ids = await _names(shop)
    deal = await shop.make(
        "Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-06-30", AccountId=ids["account"]
    )
    quote = await shop.make("Quote", Name="Q", OpportunityId=deal, Tax=19, ShippingHandling="1.5")
    line = {"QuoteId": quote, "PricebookEntryId": ids["entry"], "UnitPrice": 10, "Discount": 25}
    await shop.make("QuoteLineItem", **line, Quantity=3)
    await shop.make("QuoteLineItem", **line, Quantity=1)
    read = (await shop.get(f"/sobjects/Quote/{quote}")).body
    assert (read["Subtotal"], read["TotalPrice"], read["Discount"], read["LineItemCount"]) == (40, 30, 25, 2)
    assert (read["GrandTotal"], read["AccountId"]) == (Decimal("50.5"), ids["account"])
    assert read["QuoteNumber"] == "00000001"


async def test_an_order_is_activated_with_products_and_then_stands(shop: Any) -> None:
    ids = await _names(shop)
    early = {"AccountId": ids["account"], "EffectiveDate": "2026-01-01", "Status": "Activated"}
    assert (await shop.post("/sobjects/Order", early)).code == "FAILED_ACTIVATION"
    order = await _order(shop)
    empty = await shop.patch(f"/sobjects/Order/{order}", {"Status": "Activated"})
    assert (empty.code, empty.message) == ("FAILED_ACTIVATION", "An order must have at least one product.")
    line = {"OrderId": order, "PricebookEntryId": ids["entry"], "Quantity": 3, "UnitPrice": "3.33"}
    item = await shop.make("OrderItem", **line)
    assert (await shop.patch(f"/sobjects/Order/{order}", {"Status": "Activated"})).status == 204
    read = (await shop.get(f"/sobjects/Order/{order}")).body
    assert (read["TotalAmount"], read["StatusCode"], read["OrderNumber"]) == (Decimal("9.99"), "Activated", "00000001")
    assert read["ActivatedById"] == read["CreatedById"]
    for method, path, body in (
        ("POST", "/sobjects/OrderItem", line),
        ("PATCH", f"/sobjects/OrderItem/{item}", {"Quantity": 4}),
        ("DELETE", f"/sobjects/OrderItem/{item}", None),
        ("PATCH", f"/sobjects/Order/{order}", {"EffectiveDate": "2026-02-01"}),
        ("DELETE", f"/sobjects/Order/{order}", None),
        ("DELETE", f"/sobjects/Account/{ids['account']}", None),
    ):
        refused = await shop.call(method, path, body)
        assert (refused.status, refused.code) in {(400, "FIELD_INTEGRITY_EXCEPTION"), (400, "DELETE_FAILED")}
    assert (await shop.patch(f"/sobjects/OrderItem/{item}", {"Description": "Seats"})).status == 204
    assert (await shop.patch(f"/sobjects/Order/{order}", {"Billing_Status__c": "Sent"})).status == 204
    assert (await shop.patch(f"/sobjects/Order/{order}", {"Status": "Draft"})).status == 204
    assert (await shop.patch(f"/sobjects/OrderItem/{item}", {"Quantity": 4})).status == 204
    assert (await shop.get(f"/sobjects/Order/{order}")).body["TotalAmount"] == Decimal("13.32")


async def test_an_order_needs_its_price_book_first(shop: Any) -> None:
    ids = await _names(shop)
    order = await _order(shop, Pricebook2Id=None)
    line = {"OrderId": order, "PricebookEntryId": ids["entry"], "Quantity": 1, "UnitPrice": 1}
    assert (await shop.post("/sobjects/OrderItem", line)).code == "FIELD_INTEGRITY_EXCEPTION"
    backwards = {"EndDate": "2025-12-31"}
    assert (await shop.patch(f"/sobjects/Order/{order}", backwards)).code == "INVALID_ARGUMENT_TYPE"


async def test_a_contract_is_activated_once_it_has_a_term(shop: Any) -> None:
    ids = await _names(shop)
    contract = await shop.make("Contract", AccountId=ids["account"], StartDate="2026-01-31")
    missing = await shop.patch(f"/sobjects/Contract/{contract}", {"Status": "Activated"})
    assert missing.body[0]["fields"] == ["ContractTerm"]
    body = {"Status": "Activated", "ContractTerm": 12}
    assert (await shop.patch(f"/sobjects/Contract/{contract}", body)).status == 204
    read = (await shop.get(f"/sobjects/Contract/{contract}")).body
    assert (read["EndDate"], read["StatusCode"], read["ContractNumber"]) == ("2027-01-30", "Activated", "00000001")
    for change in ({"Status": "Draft"}, {"ContractTerm": 6}):
        assert (await shop.patch(f"/sobjects/Contract/{contract}", change)).status == 400
    assert (await shop.call("DELETE", f"/sobjects/Contract/{contract}")).code == "DELETE_FAILED"
    order = await _order(shop, ContractId=await shop.make("Contract", AccountId=ids["account"]))
    line = {"OrderId": order, "PricebookEntryId": ids["entry"], "Quantity": 1, "UnitPrice": 1}
    await shop.make("OrderItem", **line)
    assert (await shop.patch(f"/sobjects/Order/{order}", {"Status": "Activated"})).body[0]["fields"] == ["ContractId"]


async def test_people_with_the_right_to_it_delete_an_activated_contract_and_never_an_activated_order(shop: Any) -> None:
    ids = await _names(shop)
    contract = await shop.make("Contract", AccountId=ids["account"], StartDate="2026-01-31", ContractTerm=12)
    assert (await shop.patch(f"/sobjects/Contract/{contract}", {"Status": "Activated"})).status == 204
    order = await _order(shop, ContractId=contract)
    await shop.make("OrderItem", OrderId=order, PricebookEntryId=ids["entry"], Quantity=1, UnitPrice=1)
    assert (await shop.patch(f"/sobjects/Order/{order}", {"Status": "Activated"})).status == 204
    refused = await shop.control("seed", {"delete": [order]})
    assert (refused.status, "DELETE_FAILED" in str(refused.body)) == (400, True)
    await shop.seed(delete=[contract])
    assert (await shop.get(f"/sobjects/Contract/{contract}")).code == "ENTITY_IS_DELETED"
    left = (await shop.get(f"/sobjects/Order/{order}")).body
    assert (left["ContractId"], left["StatusCode"]) == (None, "Activated")


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-01", 12, "2026-12-31"),
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-03-15", 1, "2026-04-14"),
        ("2026-12-01", 1, "2026-12-31"),
        ("2025-12-31", 2, "2026-02-28"),
    ],
)
def test_the_last_day_of_a_term(start: str, months: int, end: str) -> None:
    assert _end(start, months) == end
