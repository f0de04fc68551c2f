"""Contracts in a demo with two ERPs: the judge sees where the books of either have them otherwise than was agreed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from hub.proof.conductor import Course
from hub.proof.crm import PRICES as CATALOGUE
from hub.proof.crm import Account, Contract
from hub.proof.invariants import Invariant
from hub.proof.judging import wrong_catalogue, wrong_contracts
from hub.proof.markets import BY_CURRENCY

Raw = dict[str, Any]
Spoil = Callable[[Raw], object]

ON = date(2026, 3, 31)
#: Yen have no digits behind the point: what is counted in hundredths would be a hundred times too much.
YEN, POUNDS = "JPY", "GBP"
#: In the org, at Stripe and in the ERP, by the currency: the contract, its subscription, who signed, where that stands.
CONTRACTS = {YEN: "800J", POUNDS: "800B"}
PRICES = {YEN: "1850", POUNDS: "9.80"}
MINOR = {YEN: "1850", POUNDS: "980"}
COURSE = Course(
    stripe_ids={"account-JPY": "cus_JPY", "account-GBP": "cus_GBP"},
    crm_ids={f"contract-{currency}": id for currency, id in CONTRACTS.items()},
)
SIGNED = [
    Contract(
        key=f"contract-{currency}",
        account=Account(key=f"account-{currency}", number=place, name="Works", market=BY_CURRENCY[currency]),
        sold={"Seats": 4},
        more={"Seats": 2},
    )
    for place, currency in enumerate(CONTRACTS)
]


def salesforce() -> Raw:
    """Give an org with two contracts over seats, each with an order and an amendment."""
    records: Raw = {
        "Contract": [],
        "Order": [],
        "OrderItem": [],
        "Product2": [{"Id": "01tA", "Family": "Subscription"}],
    }
    for currency, id in CONTRACTS.items():
        contract = {"Id": id, "ContractNumber": id, "CurrencyIsoCode": currency, "EndDate": "2026-12-31"}
        records["Contract"].append({**contract, "Billing_Id__c": f"sub_{currency}"})
        for order, quantity in ((f"{id}-first", "4"), (f"{id}-more", "2")):
            head = {"Id": order, "ContractId": id, "Status": "Activated", "EffectiveDate": "2026-01-01"}
            line = {"Id": f"{order}-line", "OrderId": order, "Product2Id": "01tA"}
            records["Order"].append({**head, "Billing_Status__c": "Sent"})
            records["OrderItem"].append({**line, "UnitPrice": PRICES[currency], "Quantity": quantity})
    return {"records": records}


def stripe() -> Raw:
    """Give the subscriptions of both."""
    return {
        "customers": [],
        "invoiceitems": [],
        "products": [{"id": "prod_1", "metadata": {"crm_product": "01tA"}}],
        "subscriptions": [
            {
                "id": f"sub_{currency}",
                "customer": f"cus_{currency}",
                "currency": currency.lower(),
                "status": "active",
                "cancel_at": 1798761600,
                "cancel_at_period_end": False,
                "metadata": {"contract": id},
                "items": {
                    "data": [
                        {"price": {"product": "prod_1", "unit_amount_decimal": MINOR[currency]}, "quantity": 6},
                    ]
                },
            }
            for currency, id in CONTRACTS.items()
        ],
    }


def netsuite() -> Raw:
    """Give the order of the contract in pounds."""
    return {
        "customers": [{"id": "77", "externalId": "cus_GBP"}, {"id": "78", "externalId": "cus_other"}],
        "items": [{"id": "101", "externalId": "01tA"}],
        "salesOrders": [
            {
                "id": "5",
                "externalId": CONTRACTS[POUNDS],
                "entity": "77",
                "subsidiary": "4",
                "currency": POUNDS,
                "status": "F",
                "item": [{"item": "101", "rate": "9.80", "quantity": "6", "isClosed": False}],
            }
        ],
    }


def s4hana() -> Raw:
    """Give the order of the contract in yen, an item of which was rejected."""
    head = {"SalesOrder": "1", "SoldToParty": "1000", "SalesOrganization": "1510", "TransactionCurrency": YEN}
    item = {"SalesOrder": "1", "SalesOrderItem": "10", "Material": "SEATS", "RequestedQuantity": "6"}
    element = {"SalesOrder": "1", "ConditionType": "PMP0", "ConditionRateValue": PRICES[YEN]}
    return {
        "tables": {
            "A_BusinessPartner": [
                {"BusinessPartner": "1000", "BusinessPartnerIDByExtSystem": "cus_JPY"},
                {"BusinessPartner": "1001", "BusinessPartnerIDByExtSystem": "cus_other"},
            ],
            "A_Product": [{"Product": "SEATS", "ProductOldID": "01TA"}, {"Product": "USAGE"}],
            "A_ProductDescription": [],
            "A_SalesOrder": [
                {**head, "PurchaseOrderByShipToParty": CONTRACTS[YEN], "OverallSDDocumentRejectionSts": "B"}
            ],
            "A_SalesOrderItem": [
                {**item, "NetAmount": "11100", "SalesDocumentRjcnReason": ""},
                {**item, "SalesOrderItem": "20", "NetAmount": "11100", "SalesDocumentRjcnReason": "00"},
            ],
            "A_SalesOrderItemPrElement": [{**element, "SalesOrderItem": "10"}, {**element, "SalesOrderItem": "20"}],
        }
    }


def found(spoil: Spoil = lambda _books: None) -> list[Invariant]:
    """Give what is wrong with the books of all four, once one of them is spoilt."""
    books = copy.deepcopy({"salesforce": salesforce(), "stripe": stripe(), "netsuite": netsuite(), "s4hana": s4hana()})
    spoil(books)
    return [finding.invariant for finding in wrong_contracts(SIGNED, COURSE, books, on=ON)]


def rows(books: Raw, table: str) -> list[Raw]:
    """Give the rows of one of S/4HANA's tables."""
    read: list[Raw] = books["s4hana"]["tables"][table]
    return read


def head(**changed: object) -> Spoil:
    """Change the order in S/4HANA."""
    return lambda books: rows(books, "A_SalesOrder")[0].update(changed)


def item(**changed: object) -> Spoil:
    """Change what stands of the order in S/4HANA."""
    return lambda books: rows(books, "A_SalesOrderItem")[0].update(changed)


def ordered(books: Raw) -> Raw:
    """Give the order in NetSuite."""
    read: Raw = books["netsuite"]["salesOrders"][0]
    return read


def billed(books: Raw) -> Raw:
    """Give the subscription of the contract in yen."""
    read: Raw = books["stripe"]["subscriptions"][0]
    return read


def again(books: Raw) -> None:
    """Let S/4HANA have the order twice."""
    for table in ("A_SalesOrder", "A_SalesOrderItem", "A_SalesOrderItemPrElement"):
        there = rows(books, table)
        there += [{**row, "SalesOrder": "2"} for row in there]


def itemised_again(books: Raw) -> None:
    """Let the order in S/4HANA have what stands of it twice."""
    for table in ("A_SalesOrderItem", "A_SalesOrderItemPrElement"):
        rows(books, table).append({**rows(books, table)[0], "SalesOrderItem": "30"})


def elsewhere(books: Raw) -> None:
    """Let NetSuite have an order of the contract whose seller has its books in S/4HANA, beside the one there."""
    books["netsuite"]["salesOrders"].append({**ordered(books), "id": "6", "externalId": CONTRACTS[YEN]})


def in_the_wrong_books(books: Raw) -> None:
    """Let the order of the contract in pounds stand in S/4HANA."""
    order = {**rows(books, "A_SalesOrder")[0], "SalesOrder": "3", "PurchaseOrderByShipToParty": CONTRACTS[POUNDS]}
    rows(books, "A_SalesOrder").append(order)
    books["netsuite"]["salesOrders"].clear()


TWICE, LOST, OTHERWISE = Invariant.NOTHING_TWICE, Invariant.NOTHING_LOST, Invariant.BOOKS_AGREE


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (again, [TWICE]),
        (itemised_again, [OTHERWISE]),
        (lambda books: rows(books, "A_SalesOrder").clear(), [LOST]),
        (elsewhere, [OTHERWISE]),
        (in_the_wrong_books, [OTHERWISE, LOST]),
        (head(PurchaseOrderByShipToParty="899"), [LOST, OTHERWISE]),
        (head(OverallSDDocumentRejectionSts="C"), [OTHERWISE]),
        (head(SoldToParty="1001"), [OTHERWISE]),
        (head(SalesOrganization="1010"), [OTHERWISE]),
        (head(TransactionCurrency="EUR"), [OTHERWISE]),
        (item(RequestedQuantity="4", NetAmount="7400"), [OTHERWISE]),
        (item(NetAmount="1110000"), [OTHERWISE]),
        (item(Material="USAGE"), [OTHERWISE]),
        (item(SalesDocumentRjcnReason="00"), [OTHERWISE]),
        (lambda books: rows(books, "A_SalesOrderItem")[1].update(SalesDocumentRjcnReason=""), [OTHERWISE]),
        (lambda books: ordered(books).update(entity="78"), [OTHERWISE]),
        (lambda books: ordered(books).update(subsidiary="1"), [OTHERWISE]),
        (lambda books: books["stripe"]["subscriptions"].pop(0), [LOST]),
        (lambda books: books["stripe"]["subscriptions"].append(billed(books)), [TWICE]),
        (lambda books: billed(books).update(customer="cus_GBP"), [OTHERWISE]),
        (lambda books: billed(books)["items"]["data"][0].update(quantity=4), [OTHERWISE]),
        (
            lambda books: billed(books)["items"]["data"][0]["price"].update(unit_amount_decimal="185000"),
            [OTHERWISE],
        ),
    ],
)
def test_the_judge_sees_what_is_otherwise(spoil: Spoil, broken: list[Invariant]) -> None:
    assert found() == []
    assert found(spoil) == broken


def catalogue() -> Raw:
    """Give the books of all four with the products of contracts, and their prices in every currency."""
    ids = {name: f"01t{name.lower()}" for name in CATALOGUE}
    entries: list[Raw] = [
        {"Id": f"01u{name}{currency}", "UnitPrice": amount, "CurrencyIsoCode": currency, "IsActive": True}
        for name, amounts in CATALOGUE.items()
        for currency, amount in amounts.items()
    ]
    minor = {entry["Id"]: int(entry["UnitPrice"].replace(".", "")) for entry in entries}
    return {
        "salesforce": {
            "records": {
                "Product2": [{"Id": id, "Name": name, "IsActive": True} for name, id in ids.items()],
                "PricebookEntry": entries,
            }
        },
        "stripe": {
            "events": [],
            "products": [{"name": name, "active": True, "metadata": {"crm_product": id}} for name, id in ids.items()],
            "prices": [
                {
                    "currency": str(entry["CurrencyIsoCode"]).lower(),
                    "unit_amount": minor[entry["Id"]],
                    "active": True,
                    "metadata": {"crm_entry": entry["Id"]},
                }
                for entry in entries
            ],
        },
        "netsuite": {"items": [{"id": id, "externalId": id, "displayName": name} for name, id in ids.items()]},
        "s4hana": {
            "tables": {
                "A_Product": [{"Product": name.upper(), "ProductOldID": id.upper()} for name, id in ids.items()],
                "A_ProductDescription": [
                    {"Product": name.upper(), "Language": "EN", "ProductDescription": name} for name in ids
                ],
                "A_SalesOrder": [],
            }
        },
    }


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (lambda books: rows(books, "A_Product").append({**rows(books, "A_Product")[0], "Product": "SEATS2"}), [TWICE]),
        (lambda books: rows(books, "A_Product").pop(), [LOST]),
        (lambda books: rows(books, "A_ProductDescription")[0].update(ProductDescription="Places"), [OTHERWISE]),
        (lambda books: rows(books, "A_Product")[0].update(IsMarkedForDeletion=True), [OTHERWISE]),
        (lambda books: books["netsuite"]["items"].pop(), [LOST]),
        (lambda books: books["stripe"]["prices"].pop(), [LOST]),
        (lambda books: books["stripe"]["prices"][3].update(unit_amount=185000), [OTHERWISE]),
    ],
)
def test_the_judge_sees_what_of_the_catalogue_is_otherwise(spoil: Spoil, broken: list[Invariant]) -> None:
    assert list(wrong_catalogue(catalogue())) == []
    books = catalogue()
    spoil(books)
    assert [finding.invariant for finding in wrong_catalogue(books)] == broken
