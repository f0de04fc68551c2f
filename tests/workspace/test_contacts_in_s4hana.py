"""Contacts of the CRM through the shipped flow: whose persons of S/4HANA they are, and what is left alone there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.errors import FixData
from tests.ui.stage import shipped_bundle
from tests.workspace.test_contacts import come, crm, told
from tests.workspace.test_payout_path import stripe
from tests.workspace.walk import Walk, walking

ADDRESS = {"line1": "10 Collyer Quay", "city": "Singapore", "postal_code": "049315", "country": "SG"}
PERSON = {"BusinessPartnerCategory": "1", "BusinessPartnerGrouping": "BP02", "FirstName": "Ada", "LastName": "Byron"}


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    """Let an account be a customer of billing's and of S/4HANA's."""
    async with walking(shipped_bundle(), "salesforce", "s4hana") as walk:
        account = {"type": "Account", "ref": "alder", "Name": "Alder", "Type": "Customer - Direct"}
        refs = await crm(walk, records=[account])
        company = {"code": "3310", "name": "Singapore", "city": "Singapore", "country": "SG", "currency": "SGD"}
        await walk.sandboxes["s4hana"].world.books.seed({"rates": {"SGD": "0.75"}, "companies": [company]})
        made = await stripe(walk, customers=[{"key": "alder", "name": "Alder", "address": ADDRESS}])
        (billed,) = [one["id"] for one in made["customers"]]
        await walk.flow("customer-to-erp", {"id": billed, "object": "customer"})
        number = walk.crossrefs["customer", "stripe", billed, "s4hana"]
        walk.crossrefs["customer", "salesforce", refs["alder"], "stripe"] = billed
        walk.crossrefs["customer", "salesforce", refs["alder"], "s4hana"] = number
        walk.crossrefs["customer", "s4hana", number, "salesforce"] = refs["alder"]
        yield walk


def table(walk: Walk, name: str) -> list[dict[str, Any]]:
    return list(walk.sandboxes["s4hana"].world.books.snapshot()["tables"][name])


def people(walk: Walk) -> list[dict[str, Any]]:
    return [row for row in table(walk, "A_BusinessPartner") if row["BusinessPartnerCategory"] == "1"]


def untie(walk: Walk) -> None:
    for key in [key for key in walk.crossrefs if key[0] == "contact"]:
        del walk.crossrefs[key]


async def test_somebody_is_one_person_whose_tie_may_be_lost(walk: Walk) -> None:
    id = await come(walk, Email="ada@alder.example")
    books = (await told(walk, id, as_made=True))["books"]
    assert books["tied"]["salesforce"] == id
    untie(walk)
    again = (await told(walk, id))["books"]
    assert (again["make"], again["change"], again["here"]) == (None, None, None)
    (person,) = people(walk)
    assert person["BusinessPartnerIDByExtSystem"] == id.upper()
    assert [row["BusinessPartnerPerson"] for row in table(walk, "A_BusinessPartnerContact")] == [
        person["BusinessPartner"]
    ]
    assert walk.crossrefs["contact", "salesforce", id, "s4hana"] == person["BusinessPartner"]
    untie(walk)
    # Deleted while nobody knows the tie: the account says in whose books they are.
    await crm(walk, delete=[id])
    account = next(key[2] for key in walk.crossrefs if key[1] == "salesforce")
    data = {"object": "Contact", "id": id, "AccountId": account, "as_made": False}
    gone = (await walk.heard("contact-to-erp", data, connection="salesforce", subject=id))["way"]
    assert (gone["standing"], gone["archived"]["id"]) == (None, person["BusinessPartner"])
    assert people(walk)[0]["IsMarkedForArchiving"] is True


async def test_a_person_that_is_tied_to_another_contact_is_not_written(walk: Walk) -> None:
    id, other = await come(walk), await come(walk, LastName="King")
    await told(walk, id)
    untie(walk)
    number = people(walk)[0]["BusinessPartner"]
    walk.crossrefs["contact", "salesforce", other, "s4hana"] = number
    walk.crossrefs["contact", "s4hana", number, "salesforce"] = other
    with pytest.raises(FixData) as refused:
        await told(walk, id)
    assert refused.value.code == "contact-name-taken"
    await told(walk, other)
    assert [(one["BusinessPartnerIDByExtSystem"], one["LastName"]) for one in people(walk)] == [(id.upper(), "King")]


async def test_a_tied_person_that_is_gone_is_a_persons_matter(walk: Walk) -> None:
    id = await come(walk)
    walk.crossrefs["contact", "salesforce", id, "s4hana"] = "4711"
    with pytest.raises(FixData) as refused:
        await told(walk, id)
    assert refused.value.code == "contact-not-in-erp"
    assert people(walk) == []


async def test_a_person_that_people_have_made_is_theirs_once_it_is_tied(walk: Walk) -> None:
    await walk.sandboxes["s4hana"].world.books.seed({"business_partners": [PERSON]})
    id = await come(walk, LastName="King", Email="ada@alder.example")
    number = people(walk)[0]["BusinessPartner"]
    walk.crossrefs["contact", "salesforce", id, "s4hana"] = number
    await told(walk, id)
    (person,) = people(walk)
    assert (person["LastName"], person.get("BusinessPartnerIDByExtSystem")) == ("King", None)
    # It has no address at which an e-mail address could stand, and the hub makes none for it.
    assert table(walk, "A_AddressEmailAddress") == []
    assert [row["BusinessPartnerPerson"] for row in table(walk, "A_BusinessPartnerContact")] == [number]
    # What only repeats what is there is not written.
    assert (await told(walk, id))["books"]["change"] is None
