"""The entity that ships in S/4HANA, untouched: every table has its row, from the customer to the payout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.ui.stage import shipped_bundle
from tests.workspace.test_payout_path import pay_out, stripe
from tests.workspace.walk import Walk, walking

COMPANY, CURRENCY = "3310", "SGD"
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
        "customers": [{"key": "sg", "name": "Merlion Foundry", "address": ADDRESS}],
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
