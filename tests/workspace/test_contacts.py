"""Contacts of the CRM through the shipped flow: whose records of NetSuite's they are, and what is left alone there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.errors import FixData
from tests.ui.stage import shipped_bundle
from tests.workspace.test_payout_path import stripe
from tests.workspace.walk import Walk, walking

ADDRESS = {"line1": "Ring 1", "city": "Hamburg", "postal_code": "20457", "country": "DE"}
ADA = {"type": "Contact", "ref": "ada", "FirstName": "Ada", "LastName": "Byron", "AccountId": "@{alder}"}


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    """Let an account be a customer of billing's and of NetSuite's, and another one a prospect."""
    async with walking(shipped_bundle(), "salesforce") as walk:
        accounts = [
            {"type": "Account", "ref": name.lower(), "Name": name, "Type": kind}
            for name, kind in (("Alder", "Customer - Direct"), ("Birch", "Prospect"))
        ]
        refs = await crm(walk, records=accounts)
        made = await stripe(walk, customers=[{"key": "alder", "name": "Alder", "address": ADDRESS}])
        (billed,) = [one["id"] for one in made["customers"]]
        await walk.flow("customer-to-erp", {"id": billed, "object": "customer"})
        walk.crossrefs["customer", "salesforce", refs["alder"], "stripe"] = billed
        record = walk.crossrefs["customer", "stripe", billed, "netsuite"]
        walk.crossrefs["customer", "salesforce", refs["alder"], "netsuite"] = record
        yield walk


async def crm(walk: Walk, **wish: Any) -> dict[str, str]:
    """Let people at the org do something; gives the ids of what they have named."""
    return dict((await walk.sandboxes["salesforce"].world.books.seed(wish)).get("refs", {}))


async def account(walk: Walk, name: str) -> str:
    records = walk.sandboxes["salesforce"].world.books.snapshot()["records"]
    return next(str(one["Id"]) for one in records["Account"] if one["Name"] == name)


async def come(walk: Walk, at: str = "Alder", **more: object) -> str:
    """Let somebody be at an account, whom nobody has told of yet."""
    contact = {**ADA, "AccountId": await account(walk, at), **more}
    return (await crm(walk, records=[contact]))["ada"]


async def told(walk: Walk, id: str, *, as_made: bool = False) -> dict[str, Any]:
    data = {"object": "Contact", "id": id, "as_made": as_made}
    return dict((await walk.heard("contact-to-erp", data, connection="salesforce", subject=id))["way"])


def contacts(walk: Walk) -> list[dict[str, Any]]:
    return list(walk.sandboxes["netsuite"].world.books.snapshot()["contacts"])


async def test_somebody_is_one_record_whose_tie_may_be_lost(walk: Walk) -> None:
    id = await come(walk)
    assert (await told(walk, id, as_made=True))["books"]["link"]["salesforce"] == id
    for key in [key for key in walk.crossrefs if key[0] == "contact"]:
        del walk.crossrefs[key]
    again = await told(walk, id)
    assert again["books"]["post"] is None
    assert [(one["externalId"], one["entityId"], one["writes"]) for one in contacts(walk)] == [(id, "Ada Byron", 1)]
    assert walk.crossrefs["contact", "salesforce", id, "netsuite"] == contacts(walk)[0]["id"]


async def test_who_is_at_no_customer_is_in_no_books(walk: Walk) -> None:
    id = await come(walk, "Birch")
    assert (await told(walk, id, as_made=True))["taken"] is None
    assert (await told(walk, id))["standing"] == {"contact": None}
    assert contacts(walk) == []


async def test_a_record_that_is_tied_to_another_contact_is_not_written(walk: Walk) -> None:
    """People have said that it is another one's by now: not this one's to change, nor to retire."""
    id, other = await come(walk), await come(walk, LastName="King")
    await told(walk, id)
    del walk.crossrefs["contact", "salesforce", id, "netsuite"]
    record = contacts(walk)[0]["id"]
    walk.crossrefs["contact", "salesforce", other, "netsuite"] = record
    walk.crossrefs["contact", "netsuite", record, "salesforce"] = other
    await crm(walk, changes=[{"type": "Contact", "id": id, "Title": "Buyer"}])
    with pytest.raises(FixData) as refused:
        await told(walk, id)
    assert refused.value.code == "contact-name-taken"
    await crm(walk, delete=[id])
    assert (await told(walk, id))["retired"] is None
    # The one that it is tied to writes it, under the id that NetSuite has for it.
    await told(walk, other)
    assert [(one["externalId"], one["entityId"], one["isInactive"]) for one in contacts(walk)] == [
        (id, "Ada King", False)
    ]


async def test_a_tied_record_that_is_gone_is_a_persons_matter(walk: Walk) -> None:
    id = await come(walk)
    walk.crossrefs["contact", "salesforce", id, "netsuite"] = "4711"
    with pytest.raises(FixData) as refused:
        await told(walk, id)
    assert refused.value.code == "contact-not-in-erp"
    assert contacts(walk) == []


async def test_a_record_of_the_name_that_people_have_made_is_nobody_elses_to_take(walk: Walk) -> None:
    company = walk.sandboxes["netsuite"].world.books.snapshot()["customers"][0]["id"]
    by_hand = {"type": "contact", "entityId": "ada byron", "company": {"id": company}, "isInactive": True}
    await walk.sandboxes["netsuite"].world.books.seed({"records": [by_hand]})
    id = await come(walk)
    with pytest.raises(FixData) as refused:
        await told(walk, id)
    assert refused.value.code == "contact-name-taken"
    # Tied, it is theirs: it gets what the CRM says, and keeps its own external id.
    walk.crossrefs["contact", "salesforce", id, "netsuite"] = contacts(walk)[0]["id"]
    await told(walk, id)
    assert [(one["externalId"], one["entityId"], one["isInactive"]) for one in contacts(walk)] == [
        (None, "Ada Byron", False)
    ]
