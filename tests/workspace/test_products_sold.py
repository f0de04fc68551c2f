"""Products that the CRM has made, sold: their invoices and notes find item, tax code and account without a row."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.errors import NotMapped
from tests.ui.stage import shipped_bundle
from tests.workspace.test_contacts import crm
from tests.workspace.test_credits import noted
from tests.workspace.test_money_path import CUSTOMERS, ONE, line, open_books, wish
from tests.workspace.test_payout_path import stripe
from tests.workspace.walk import Walk, walking

#: Of what kind each is that the CRM has → its tax code, and its revenue account in S/4HANA.
FAMILIES = {
    "Subscription": ("SW052000", "41000000"),
    "Usage": ("SW054000", "41000000"),
    "Services": ("SP140000", "41000500"),
    "Hardware": ("P0000000", "41000000"),
}


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    async with walking(shipped_bundle(), "salesforce", "s4hana") as walk:
        await stripe(walk, switches={"rate": None})
        company = {"code": "3310", "name": "Singapore", "city": "Singapore", "country": "SG", "currency": "SGD"}
        await walk.sandboxes["s4hana"].world.books.seed({"rates": {"SGD": "0.75"}, "companies": [company]})
        yield walk


async def made(walk: Walk, *families: str) -> dict[str, str]:
    """Let the CRM make a product of each family, and the hub hear of them; gives family → the CRM's id."""
    rows = [
        {"type": "Product2", "ref": family, "Name": family, "ProductCode": f"X-{family}", "Family": family}
        for family in families
    ]
    ids = await crm(walk, records=[{**row, "IsActive": True} for row in rows])
    for id in ids.values():
        await heard(walk, id)
    return ids


async def heard(walk: Walk, id: str) -> Any:
    scope = await walk.heard("product-to-billing", {"id": id}, connection="salesforce", subject=id)
    return scope["way"]


def items(walk: Walk) -> dict[str, str]:
    """Give NetSuite's items by the CRM's id."""
    return {one["externalId"]: one["id"] for one in walk.sandboxes["netsuite"].world.books.snapshot()["items"]}


def sells(customer: str, products: dict[str, str], amount: int = 1099) -> dict[str, Any]:
    """Describe an invoice with a line of each product."""
    lines = [line(customer, amount) for _ in products]
    for one, id in zip(lines, products.values(), strict=True):
        one["price_data"]["product"] = id
    return {"create": {"customer": f"@{customer}", "currency": CUSTOMERS[customer][2]}, "lines": lines}


async def test_an_invoice_of_netsuite_and_its_note_have_the_items_of_the_ties(walk: Walk) -> None:
    ids = await made(walk, *FAMILIES)
    (id,) = await open_books(walk, wish([sells("de", ids)]))
    scope = await walk.flow("invoice-to-erp", {"id": id, "object": "invoice"})
    (posted,) = walk.sandboxes["netsuite"].world.books.snapshot()["invoices"]
    assert [one["item"] for one in posted["item"]] == [items(walk)[one] for one in ids.values()]
    assert [one["tax_code"] for one in scope["taxable"]["lines"]] == [code for code, _ in FAMILIES.values()]
    (sold,) = (await stripe(walk))["invoices"]
    taken = [{"type": "invoice_line_item", "invoice_line_item": one["id"], "quantity": 1} for one in sold["lines"][:2]]
    corrected = await walk.flow("credit-note-to-erp", await noted(walk, invoice=id, lines=taken))
    (memo,) = walk.sandboxes["netsuite"].world.books.snapshot()["creditMemos"]
    assert [one["item"] for one in memo["item"]] == [one["item"] for one in posted["item"][:2]]
    assert [one["tax_code"] for one in corrected["taxable"]["lines"]] == ["SW052000", "SW054000"]


async def test_an_invoice_of_s4hana_is_on_the_accounts_of_their_kinds(walk: Walk) -> None:
    ids = await made(walk, *FAMILIES)
    create = {"customer": "@sg", "currency": "sgd"}
    untaxed = [{**one, "tax_rates": []} for one in sells("jp", ids)["lines"]]
    for one in untaxed:
        one["price_data"] = {**one["price_data"], "currency": "sgd"}
    wanted = wish([{"create": create, "lines": untaxed}])
    address = {"line1": "1 Raffles Place", "city": "Singapore", "postal_code": "048616", "country": "SG"}
    wanted["customers"].append({"key": "sg", "name": "Customer sg", "address": address, "tax_exempt": "exempt"})
    (id,) = await open_books(walk, wanted)
    (customer,) = [one["id"] for one in (await stripe(walk))["customers"] if one["name"] == "Customer sg"]
    await walk.flow("customer-to-erp", {"id": customer, "object": "customer"})
    scope = await walk.flow("invoice-to-erp", {"id": id, "object": "invoice"})
    assert [one["account"] for one in scope["draft"]["items"]] == [account for _, account in FAMILIES.values()]
    tenant = walk.sandboxes["s4hana"].world.books.snapshot()["tables"]["JournalItem"]
    booked = [one["GLAccount"] for one in tenant if one["GLAccount"].startswith("41")]
    assert sorted(booked) == sorted(account for _, account in FAMILIES.values())


async def test_another_family_is_another_kind_from_then_on(walk: Walk) -> None:
    ids = await made(walk, "Subscription")
    (id,) = ids.values()
    await crm(walk, changes=[{"type": "Product2", "id": id, "Family": "Services"}])
    assert (await heard(walk, id))["change"]
    assert (await heard(walk, id))["change"] is None
    (invoice,) = await open_books(walk, wish([sells("de", ids)]))
    scope = await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    assert [one["tax_code"] for one in scope["taxable"]["lines"]] == ["SP140000"]


async def test_a_product_that_is_neither_tied_nor_in_a_table_stops_it(walk: Walk) -> None:
    ids = await made(walk, "Services")
    (id,) = ids.values()
    del walk.crossrefs["product", "stripe", id, "netsuite"]
    (invoice,) = await open_books(walk, wish([sells("de", ids)]))
    with pytest.raises(NotMapped) as untied:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    # It is waited for, as its tie follows what is made in billing; people see the product's id otherwise.
    assert untied.value.facts["key"] == ("product", "stripe", id, "netsuite")


async def test_people_say_of_what_kind_a_product_is_that_is_billings_own(walk: Walk) -> None:
    """It has no tie, and so its item is a row of the table."""
    lines = [line("de", 1099, "hardware")]
    wanted = wish([{**ONE, "lines": lines}], ("hardware",))
    wanted["products"][-1]["metadata"] = {"kind": "goods"}
    (invoice,) = await open_books(walk, wanted)
    with pytest.raises(NotMapped) as missing:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    assert (missing.value.facts["table"], missing.value.facts["key"]) == ("netsuite_items", "prod_hardware")
    walk.crossrefs["product", "stripe", "prod_hardware", "netsuite"] = "105"
    scope = await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    assert [one["tax_code"] for one in scope["taxable"]["lines"]] == ["P0000000"]
    (posted,) = walk.sandboxes["netsuite"].world.books.snapshot()["invoices"]
    assert [one["item"] for one in posted["item"]] == ["105"]
