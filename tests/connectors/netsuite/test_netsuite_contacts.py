"""Contacts in NetSuite: what the vendor checks and fills in, its unique names, and how the connector looks there."""

from __future__ import annotations

from typing import Any

import pytest

ADA = {
    "entityId": "Ada Byron",
    "company": {"externalId": "cus_1"},
    "firstName": "Ada",
    "lastName": "Byron",
    "email": "ada@acme.example",
    "phone": "+49 40 5551",
}


async def test_an_upsert_makes_one_contact_in_its_companys_subsidiary(plain: Any) -> None:
    first = await plain.put("/contact/eid:con_1", ADA)
    again = await plain.put("/contact/eid:con_1", {**ADA, "title": "Accountant"})
    assert first.id == again.id
    shown = (await plain.get("/contact/eid:con_1")).body
    assert (shown["company"]["id"], shown["company"]["refName"], shown["subsidiary"]["id"]) == ("1001", "Acme", "2")
    assert (shown["title"], shown["isInactive"], shown["isPrivate"]) == ("Accountant", False, False)
    found = await plain.query("SELECT id, company, isinactive FROM contact WHERE UPPER(entityid) = ?", "ADA BYRON")
    rows = [{name: value for name, value in row.items() if name != "links"} for row in found.body["items"]]
    assert rows == [{"id": first.id, "company": "1001", "isinactive": "F"}]
    assert [one["externalId"] for one in (await plain.books())["contacts"]] == ["con_1"]
    kinds = (await plain.query("SELECT type, entityid FROM entity WHERE externalid = ?", "con_1")).body["items"]
    assert kinds[0]["type"] == "Contact"


async def test_a_name_is_made_of_its_parts_and_taken_once_for_each_company(plain: Any) -> None:
    made = await plain.post("/contact", {"firstName": "Ada", "lastName": "Byron", "company": {"id": "1001"}})
    assert (await plain.get(f"/contact/{made.id}")).body["entityId"] == "Ada Byron"
    refused = await plain.put("/contact/eid:con_2", {**ADA, "entityId": "ADA BYRON"})
    assert refused.error["o:errorCode"] == "USER_ERROR"
    assert "Every contact record must have a unique name." in refused.error["detail"]
    # An inactive one holds its name as well; at another company the name is free.
    await plain.call("PATCH", f"/services/rest/record/v1/contact/{made.id}", {"isInactive": True})
    assert (await plain.put("/contact/eid:con_2", ADA)).status == 400
    assert (await plain.put("/contact/eid:con_2", {**ADA, "company": {"externalId": "cus_2"}})).status == 204
    # The two are told apart when one of them moves, too.
    assert (await plain.put("/contact/eid:con_2", {"company": {"id": "1001"}})).status == 400


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"entityId": None, "firstName": None, "lastName": None}, "entityId"),
        ({"company": None}, "subsidiary"),
        ({"subsidiary": {"id": "3"}}, "subsidiary"),
        ({"company": {"id": "9"}}, "company"),
        ({"email": "ada at acme"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"lastName": "x" * 33}, "lastName"),
    ],
)
async def test_what_is_missing_or_wrong_is_refused(plain: Any, change: dict[str, Any], path: str) -> None:
    refused = await plain.put("/contact/eid:con_1", {**ADA, **change})
    assert (refused.status, refused.error["o:errorPath"]) == (400, path)
    assert (await plain.books())["contacts"] == []


async def test_external_ids_are_shared_by_all_entities(plain: Any) -> None:
    refused = await plain.put("/contact/eid:cus_1", ADA)
    assert "This entity already exists" in refused.error["detail"]


async def test_a_customer_with_contacts_is_not_deleted(plain: Any) -> None:
    made = await plain.put("/contact/eid:con_1", ADA)
    path = "/services/rest/record/v1"
    refused = await plain.call("DELETE", f"{path}/customer/1001")
    assert "dependent records" in refused.error["detail"]
    below = await plain.put("/contact/eid:con_2", {**ADA, "entityId": "Bo", "supervisor": {"id": made.id}})
    assert (await plain.call("DELETE", f"{path}/contact/{made.id}")).status == 400
    assert (await plain.call("DELETE", f"{path}/contact/{below.id}")).status == 204
    assert (await plain.call("DELETE", f"{path}/contact/{made.id}")).status == 204
    assert (await plain.call("DELETE", f"{path}/customer/1001")).status == 204
