"""What S/4HANA decides of a customer comes to billing, heard by a business event that names the partner alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from connectors.s4hana.webhook import parse
from tests.ui.stage import shipped_bundle
from tests.workspace.test_payout_path import stripe
from tests.workspace.walk import Walk, walking

COMPANY, CURRENCY = "3310", "SGD"
ADDRESS = {"line1": "10 Collyer Quay", "city": "Singapore", "postal_code": "049315", "country": "SG"}


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    """Let the company in Singapore be there, and sell to a customer of Stripe's."""
    async with walking(shipped_bundle(), "s4hana") as walk:
        company = {"code": COMPANY, "name": "Singapore", "city": "Singapore", "country": "SG", "currency": CURRENCY}
        await sap(walk, rates={CURRENCY: "0.74"}, companies=[company])
        await stripe(walk, customers=[{"key": "sg", "name": "Merlion Foundry", "address": ADDRESS}])
        yield walk


async def sap(walk: Walk, **wish: Any) -> dict[str, Any]:
    await walk.sandboxes["s4hana"].world.books.seed(wish)
    return dict(walk.sandboxes["s4hana"].world.books.snapshot())


async def customer(walk: Walk) -> dict[str, Any]:
    (one,) = (await stripe(walk))["customers"]
    return dict(one)


async def customers(walk: Walk, *names: str) -> list[dict[str, Any]]:
    found = {one["name"]: dict(one) for one in (await stripe(walk))["customers"]}
    return [found[name] for name in names]


async def made(walk: Walk) -> str:
    """Let `customer-to-erp` make the partner; gives its number."""
    await walk.flow("customer-to-erp", {"id": (await customer(walk))["id"], "object": "customer"})
    (partner,) = (await sap(walk))["tables"]["A_BusinessPartner"]
    return str(partner["BusinessPartner"])


async def changed(walk: Walk, table: str, key: list[str], **fields: object) -> None:
    await sap(walk, changes=[{"table": table, "key": key, "set": fields}])


async def told(walk: Walk, partner: str) -> dict[str, Any]:
    """Let S/4HANA tell that a partner was changed, with leading zeros as some of its services write numbers."""
    event = {
        "specversion": "1.0",
        "id": "1",
        "type": "sap.s4.beh.businesspartner.v1.BusinessPartner.Changed.v1",
        "source": "/default/sap.s4.beh/1",
        "time": "2026-01-01T00:00:00Z",
        "data": {"BusinessPartner": partner.rjust(10, "0")},
    }
    (heard,) = parse(json.dumps(event).encode())
    assert heard.type == walk.bundle.flows["partner-to-billing"].event
    assert heard.subject is not None
    return await walk.heard("partner-to-billing", heard.data, connection="s4hana", subject=heard.subject)


async def noted(walk: Walk) -> Mapping[str, str]:
    return dict((await customer(walk))["metadata"])


async def writes(walk: Walk) -> int:
    return sum(event["type"] == "customer.updated" for event in (await stripe(walk))["events"])


async def test_what_people_decide_there_is_noted_once(walk: Walk) -> None:
    partner = await made(walk)
    assert (await told(walk, partner))["news"] == {"taken": None}
    assert await noted(walk) == {}
    await changed(walk, "A_CustomerSalesArea", [partner, COMPANY, "10", "00"], OrderIsBlockedForCustomer="01")
    await told(walk, partner)
    # Nobody has decided that it pays at once: the hub gave it those terms.
    assert await noted(walk) == {"erp_status": "blocked"}
    await changed(walk, "A_CustomerCompany", [partner, COMPANY], PaymentTerms="NT60")
    await told(walk, partner)
    assert await noted(walk) == {"erp_terms": "NET60", "erp_status": "blocked"}
    await told(walk, partner)
    assert await writes(walk) == 2


async def test_a_partner_that_is_gone_or_no_customer_decides_nothing(walk: Walk) -> None:
    body = {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Supplier", "BusinessPartnerIsBlocked": True}
    body["BusinessPartnerIDByExtSystem"] = (await customer(walk))["id"]
    (supplier,) = (await sap(walk, business_partners=[body]))["tables"]["A_BusinessPartner"]
    for partner in ("9999999", str(supplier["BusinessPartner"])):
        walk.crossrefs["customer", "s4hana", partner, "stripe"] = (await customer(walk))["id"]
        assert (await told(walk, partner))["news"] == {"taken": None}
    assert await noted(walk) == {}


async def test_a_company_that_does_not_know_the_partner_decides_nothing(walk: Walk) -> None:
    wish = {"name": "Merlion Foundry", "number": "10100001", "company_codes": ["1010"], "terms": "0004"}
    await sap(walk, customers=[wish])
    walk.crossrefs["customer", "s4hana", "10100001", "stripe"] = (await customer(walk))["id"]
    await told(walk, "10100001")
    assert await noted(walk) == {}


async def test_books_that_are_in_netsuite_are_not_decided_upon_in_s4hana(walk: Walk) -> None:
    """The partner and its tie stay when an entity moves, and so may what people go on changing there."""
    await stripe(walk, customers=[{"key": "jp", "name": "Sakura", "address": {**ADDRESS, "country": "JP"}}])
    for number, company, billed in zip(
        ("33100001", "15100001"), (COMPANY, "1510"), await customers(walk, "Merlion Foundry", "Sakura"), strict=True
    ):
        wish = {"name": billed["name"], "number": number, "company_codes": [company], "terms": "0004"}
        await sap(walk, customers=[wish])
        walk.crossrefs["customer", "s4hana", number, "stripe"] = billed["id"]
        await told(walk, number)
    moved = [one["metadata"] for one in await customers(walk, "Merlion Foundry", "Sakura")]
    assert moved == [{"erp_terms": "NET30", "erp_status": "active"}, {}]


async def test_books_that_are_in_s4hana_are_not_decided_upon_in_netsuite(walk: Walk) -> None:
    """Of a customer whose books have moved, the old record's terms are not told any more; of any other one they are."""
    await stripe(walk, customers=[{"key": "jp", "name": "Sakura", "address": {**ADDRESS, "country": "JP"}}])
    for billed in await customers(walk, "Merlion Foundry", "Sakura"):
        record = {"externalId": billed["id"], "companyName": billed["name"], "terms": {"id": "3"}}
        record |= {"subsidiary": {"id": "3"}, "currency": "JPY"}
        made = (await walk.sandboxes["netsuite"].world.books.seed({"customers": [record]}))["customers"]
        (number,) = made.values()
        walk.crossrefs["customer", "netsuite", number, "stripe"] = billed["id"]
        data = {"id": number, "as_made": "F"}
        await walk.heard("customer-to-billing", data, connection="netsuite", subject=number)
    moved = [one["metadata"] for one in await customers(walk, "Merlion Foundry", "Sakura")]
    assert moved == [{}, {"erp_terms": "NET60", "erp_status": "active"}]
