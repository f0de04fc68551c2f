"""The entity that ships in S/4HANA, untouched: every table has its row, from the customer to the payout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from hub.sdk.connector import WriteOperation
from hub.sdk.values import EffectKey
from tests.ui.stage import shipped_bundle
from tests.workspace.test_payout_path import pay_out, stripe
from tests.workspace.walk import Walk, walking

COMPANY, CURRENCY = "3310", "SGD"
PHONE = "+65 6123 4567"
ADDRESS = {"line1": "10 Collyer Quay", "city": "Singapore", "postal_code": "049315", "country": "SG"}


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    async with walking(shipped_bundle(), "s4hana") as walk:
        company = {"code": COMPANY, "name": "Singapore", "city": "Singapore", "country": "SG", "currency": CURRENCY}
        await walk.sandboxes["s4hana"].world.books.seed({"rates": {CURRENCY: "0.74"}, "companies": [company]})
        await walk.sandboxes["tax"].world.books.seed({"rates": {"SG": "0.09"}})
        yield walk


def wish() -> dict[str, Any]:
    price = {"currency": "sgd", "product": "@platform", "unit_amount_decimal": "5000"}
    line = {"description": "Platform", "price_data": price, "quantity": 3, "tax_rates": ["@tax"]}
    return {
        "switches": {"rate": None, "settles": ["sgd"]},
        "products": [{"key": "platform", "id": "prod_platform", "name": "Platform"}],
        "tax_rates": [{"key": "tax", "display_name": "GST", "percentage": "9", "inclusive": False, "country": "SG"}],
        "customers": [{"key": "sg", "name": "Merlion Foundry", "address": ADDRESS, "phone": PHONE}],
        "invoices": [
            {"create": {"customer": "@sg", "currency": "sgd"}, "lines": [line], "payments": [{"by": "card"}]},
        ],
    }


async def test_it_is_invoiced_paid_and_paid_out_in_its_own_books(walk: Walk) -> None:
    await stripe(walk, **wish())
    held = await stripe(walk)
    (customer,), (invoice,) = held["customers"], held["invoices"]
    await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    await walk.flow("invoice-to-erp", {"id": invoice["id"], "object": "invoice"})
    (payment,) = invoice["payments"]
    await walk.flow("payment-to-erp", payment)
    (payout,) = await pay_out(walk)
    books = walk.sandboxes["s4hana"].world.books.snapshot()
    assert [row["CompanyCode"] for row in books["tables"]["A_CustomerCompany"]] == [COMPANY]
    assert {row["TransactionCurrency"] for row in books["tables"]["JournalItem"]} == {CURRENCY}
    found = {account: Decimal(amount) for account, amount in books["balances"][COMPANY][CURRENCY].items()}
    assert {account: amount for account, amount in found.items() if amount} == {
        "11001000": Decimal(payout["amount"]) / 100,
        "65100000": Decimal(invoice["total"] - payout["amount"]) / 100,
        "41000000": Decimal("-150.00"),
        "22000000": Decimal("-13.50"),
    }
    assert walk.sandboxes["netsuite"].world.books.snapshot()["journals"] == []


async def test_the_telephone_of_a_customer_comes_there_and_changes_once(walk: Walk) -> None:
    await stripe(walk, **{**wish(), "invoices": []})
    (customer,) = (await stripe(walk))["customers"]
    made = await walk.flow("customer-to-erp", customer)
    assert made["way"]["books"]["make"] and phones(walk) == [PHONE]
    # However it is written, it is the same number.
    await called(walk, customer["id"], "(+65) 6123-4567")
    assert (await walk.flow("customer-to-erp", customer))["way"]["books"]["change"] is None
    await called(walk, customer["id"], "+65 6999 0000")
    assert (await walk.flow("customer-to-erp", customer))["way"]["books"]["change"]
    assert phones(walk) == ["+65 6999 0000"]
    await called(walk, customer["id"], "")
    await walk.flow("customer-to-erp", customer)
    assert phones(walk) in ([""], [])


async def called(walk: Walk, customer: str, phone: str) -> None:
    """Give a customer of billing's another telephone number."""
    operation = walk.connectors["stripe"].operation("customer.update")
    assert isinstance(operation, WriteOperation)
    await walk.connected["stripe"].write(operation, {"id": customer, "phone": phone}, EffectKey(f"test:{phone}"))


def phones(walk: Walk) -> list[str]:
    rows = walk.sandboxes["s4hana"].world.books.snapshot()["tables"]["A_AddressPhoneNumber"]
    return [row["PhoneNumber"] for row in rows]
