"""The oracle of contracts: books of CRM, billing and ERP that agree, and each way in which they do not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from hub.proof import contract_checks
from hub.proof.contract_checks import Due, Stands
from hub.proof.invariants import Invariant

ON = date(2026, 3, 31)

CRM: Mapping[str, Any] = {
    "records": {
        "Contract": [
            {
                "Id": "800",
                "ContractNumber": "1",
                "CurrencyIsoCode": "EUR",
                "EndDate": "2026-12-31",
                "Billing_Id__c": "sub_1",
            }
        ],
        "Order": [
            {
                "Id": "801",
                "ContractId": "800",
                "Status": "Activated",
                "EffectiveDate": "2026-01-01",
                "Billing_Status__c": "Sent",
            },
            {"Id": "802", "ContractId": "800", "Status": "Draft", "EffectiveDate": "2026-01-01"},
        ],
        "OrderItem": [
            {"Id": "8021", "OrderId": "801", "Product2Id": "01t", "UnitPrice": "12.50", "Quantity": "3.00"},
            {"Id": "8022", "OrderId": "802", "Product2Id": "01t", "UnitPrice": "12.50", "Quantity": "5.00"},
            {"Id": "8023", "OrderId": "801", "Product2Id": "01t2", "UnitPrice": "50.00", "Quantity": "2.00"},
        ],
        "Product2": [{"Id": "01t", "Family": "Subscription"}, {"Id": "01t2", "Family": "Services"}],
    }
}
STRIPE: Mapping[str, Any] = {
    "invoiceitems": [{"metadata": {"crm_line": "8023"}, "amount": 10000, "proration": False}],
    "products": [{"id": "prod_1", "metadata": {"crm_product": "01t"}}],
    "subscriptions": [
        {
            "id": "sub_1",
            "status": "active",
            "currency": "eur",
            "cancel_at": 1798761600,
            "cancel_at_period_end": False,
            "metadata": {"contract": "800"},
            "items": {"data": [{"price": {"product": "prod_1", "unit_amount_decimal": "1250"}, "quantity": 3}]},
        }
    ],
}
ERP: Mapping[str, Any] = {
    "items": [{"id": "101", "externalId": "01t"}, {"id": "102", "externalId": "01t2"}],
    "salesOrders": [
        {
            "id": "1",
            "externalId": "800",
            "currency": "EUR",
            "status": "F",
            "item": [
                {"item": "101", "rate": "12.50", "quantity": "3", "isClosed": False},
                {"item": "102", "rate": "50.00", "quantity": "2", "isClosed": False},
            ],
        }
    ],
}


def found(
    stands: Stands = Stands.BILLED, spoil: Callable[[Any, Any, Any], object] = lambda *_books: None
) -> list[Invariant]:
    books = copy.deepcopy((CRM, STRIPE, ERP))
    spoil(*books)
    crm, stripe, erp = books
    due = {"800": Due(stands=stands, erp="netsuite")}
    told = contract_checks.find(crm, stripe, {"netsuite": erp}, due=due, on=ON)
    return [finding.invariant for finding in told]


def subscription(stripe: Any) -> Any:
    return stripe["subscriptions"][0]


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (lambda _crm, stripe, _erp: stripe["subscriptions"].append(subscription(stripe)), Invariant.NOTHING_TWICE),
        (lambda _crm, stripe, _erp: stripe["subscriptions"].clear(), Invariant.NOTHING_LOST),
        (lambda _crm, _stripe, erp: erp["salesOrders"].append(erp["salesOrders"][0]), Invariant.NOTHING_TWICE),
        (lambda _crm, _stripe, erp: erp["salesOrders"].clear(), Invariant.NOTHING_LOST),
        (
            lambda _crm, stripe, _erp: subscription(stripe)["items"]["data"][0].update(quantity=4),
            Invariant.BOOKS_AGREE,
        ),
        (
            lambda _crm, stripe, _erp: subscription(stripe)["items"]["data"][0]["price"].update(
                unit_amount_decimal="1251"
            ),
            Invariant.BOOKS_AGREE,
        ),
        (lambda _crm, _stripe, erp: erp["salesOrders"][0]["item"][0].update(quantity="2"), Invariant.BOOKS_AGREE),
        (lambda _crm, _stripe, erp: erp["salesOrders"][0]["item"][0].update(rate="12.51"), Invariant.BOOKS_AGREE),
        (
            lambda _crm, _stripe, erp: erp["salesOrders"][0]["item"].append(erp["salesOrders"][0]["item"][0]),
            Invariant.BOOKS_AGREE,
        ),
        (lambda _crm, _stripe, erp: erp["salesOrders"][0]["item"][0].update(item="7"), Invariant.BOOKS_AGREE),
        (lambda _crm, _stripe, erp: erp["salesOrders"][0].update(currency="USD"), Invariant.BOOKS_AGREE),
        (lambda _crm, stripe, _erp: subscription(stripe).update(currency="usd"), Invariant.BOOKS_AGREE),
        (lambda _crm, _stripe, erp: erp["salesOrders"][0].update(status="H"), Invariant.BOOKS_AGREE),
        (lambda _crm, stripe, _erp: subscription(stripe).update(cancel_at=None), Invariant.BOOKS_AGREE),
        (lambda _crm, stripe, _erp: subscription(stripe).update(status="canceled"), Invariant.BOOKS_AGREE),
        (lambda crm, _stripe, _erp: crm["records"]["Contract"][0].update(Billing_Id__c="x"), Invariant.BOOKS_AGREE),
        (lambda crm, _stripe, _erp: crm["records"]["Order"][0].pop("Billing_Status__c"), Invariant.NOTHING_LOST),
        (lambda _crm, stripe, _erp: stripe["invoiceitems"].clear(), Invariant.NOTHING_LOST),
        (lambda _crm, stripe, _erp: stripe["invoiceitems"].extend(stripe["invoiceitems"]), Invariant.NOTHING_TWICE),
        (lambda _crm, stripe, _erp: stripe["invoiceitems"][0].update(amount=9999), Invariant.BOOKS_AGREE),
        (
            lambda _crm, stripe, _erp: stripe["subscriptions"].append(
                {**subscription(stripe), "metadata": {"contract": "899"}}
            ),
            Invariant.BOOKS_AGREE,
        ),
    ],
)
def test_the_oracle_sees_what_is_otherwise(spoil: Callable[[Any, Any, Any], object], broken: Invariant) -> None:
    assert found() == []
    assert found(spoil=spoil) == [broken]


def test_the_oracle_sees_what_should_have_ended() -> None:
    def ending(_crm: Any, stripe: Any, _erp: Any) -> None:
        subscription(stripe).update(cancel_at_period_end=True)

    def ended(_crm: Any, stripe: Any, erp: Any) -> None:
        subscription(stripe).update(status="canceled")
        erp["salesOrders"][0].update(status="H")

    assert found(Stands.ENDING) == [Invariant.BOOKS_AGREE]
    assert found(Stands.ENDING, ending) == []
    assert found(Stands.ENDED) == [Invariant.BOOKS_AGREE, Invariant.BOOKS_AGREE]
    assert found(Stands.ENDED, ended) == []
    assert found(Stands.UNDONE, ending) == [Invariant.BOOKS_AGREE]
    assert found(Stands.NOTHING) == [Invariant.NOTHING_TWICE, Invariant.NOTHING_TWICE]


def cut_off(_crm: Any, stripe: Any, erp: Any) -> None:
    """A subscription to 37.50 that has ended after a third of its period; its end was moved before."""
    period = {"current_period_start": 0, "current_period_end": 300}
    subscription(stripe).update(status="canceled", ended_at=100)
    subscription(stripe)["items"]["data"][0] |= {"id": "si_1", **period}
    of = {"subscription_details": {"subscription_item": "si_1"}}
    stripe["invoiceitems"] += [
        {"proration": True, "parent": of, "period": {"start": start}, "metadata": {}, "amount": amount}
        for start, amount in ((50, 3125), (100, -2500))
    ]
    ahead = {"subscription_item_details": {"subscription_item": "si_1"}}
    stripe["invoices"] = [{"lines": [{"parent": ahead, "period": {"start": 0}, "amount": 625}]}]
    erp["salesOrders"][0].update(status="H")


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        (lambda items, _lines: items.append(items[-1]), [Invariant.NOTHING_TWICE, Invariant.BOOKS_AGREE]),
        (lambda items, _lines: items[-1].update(amount=-2499), [Invariant.BOOKS_AGREE]),
        (lambda items, _lines: items.pop(), [Invariant.BOOKS_AGREE, Invariant.BOOKS_AGREE]),
        (lambda items, _lines: items.pop(-2), [Invariant.BOOKS_AGREE]),
        (lambda _items, lines: lines[0].update(amount=3750), [Invariant.BOOKS_AGREE]),
    ],
)
def test_the_oracle_sees_what_was_billed_of_a_period_that_was_cut_off(
    spoil: Callable[[Any, Any], object], broken: list[Invariant]
) -> None:
    def spoiled(crm: Any, stripe: Any, erp: Any) -> None:
        cut_off(crm, stripe, erp)
        spoil(stripe["invoiceitems"], stripe["invoices"][0]["lines"])

    assert found(Stands.CUT, cut_off) == []
    assert found(Stands.CUT, spoiled) == broken
