"""Filling an org: many records in seconds, the same ones for the same seed, and wishes that undo themselves."""

from __future__ import annotations

import time
from typing import Any

from connectors.salesforce.sandbox.org import Org
from connectors.salesforce.sandbox.soql.running import run
from hub.sandbox.world import World


async def test_a_hundred_thousand_accounts_come_in_seconds() -> None:
    org = Org(World(name="salesforce", seed=1))
    began = time.process_time()
    await org.seed({"generate": {"accounts": 100_000}})
    assert time.process_time() - began < 20
    assert run(org, "SELECT COUNT() FROM Account").total == 100_000
    (found,) = run(org, "SELECT Id FROM Account WHERE Billing_Id__c = 'cus_0099999'").records
    assert found.get("AccountNumber") == "A-0099999"


async def test_the_same_seed_makes_the_same_org() -> None:
    wish = {"generate": {"accounts": 20, "contacts": 20, "products": 5, "prices": 5, "opportunities": 9, "usage": 9}}
    orgs = [Org(World(name="salesforce", seed=seed)) for seed in (7, 7, 8)]
    for org in orgs:
        await org.seed(wish)
    first, second, third = ([_bare(org, one) for one in org.store.rows("Opportunity")] for org in orgs)
    assert first == second
    assert first != third


def _bare(org: Org, record: Any) -> dict[str, Any]:
    del org
    return {"Id": record.id, **{name: value for name, value in record.values.items() if "Date" not in name[-4:]}}


async def test_generated_records_are_like_others(plain: Any) -> None:
    await plain.seed(generate={"accounts": 3, "products": 2, "prices": 2, "opportunities": 2, "usage": 2})
    entry = (await plain.values("SELECT Id FROM PricebookEntry"))[0]
    deal = (await plain.values("SELECT Id FROM Opportunity"))[0]
    line = {"OpportunityId": deal, "PricebookEntryId": entry, "Quantity": 2, "UnitPrice": 3}
    await plain.make("OpportunityLineItem", **line)
    assert (await plain.get(f"/sobjects/Opportunity/{deal}")).body["Amount"] == 6
    taken = await plain.post("/sobjects/Account", {"Name": "x", "Billing_Id__c": "cus_0000001"})
    assert taken.code == "DUPLICATE_VALUE"
    assert (await plain.values("SELECT Name FROM Usage__c ORDER BY Name"))[-1] == "USG-0000002"
    await plain.seed(generate={"accounts": 2})
    assert await plain.values("SELECT COUNT(Id) FROM Account") == [5]


async def test_generated_orders_are_activated_and_add_up(plain: Any) -> None:
    assert (await plain.control("seed", {"generate": {"orders": 1}})).status == 400
    await plain.seed(generate={"accounts": 3, "products": 4, "prices": 4, "orders": 5})
    orders = await plain.rows("SELECT TotalAmount, StatusCode, (SELECT TotalPrice FROM OrderItems) FROM Order")
    assert {order["StatusCode"] for order in orders} == {"Activated"}
    for order in orders:
        lines = order["OrderItems"]["records"]
        assert 1 <= len(lines) <= 3
        assert order["TotalAmount"] == sum(line["TotalPrice"] for line in lines)


async def test_a_wish_that_fails_leaves_nothing_behind(plain: Any) -> None:
    wish = {"records": [{"type": "Account", "Name": "One"}, {"type": "Account"}]}
    answer = await plain.control("seed", wish)
    assert (answer.status, answer.body["error"]) == (
        400,
        "REQUIRED_FIELD_MISSING: Required fields are missing: [Name]",
    )
    assert await plain.rows("SELECT Id FROM Account") == []
    assert (await plain.books())["accepted"] == []


async def test_people_change_records_too(plain: Any) -> None:
    made = await plain.seed(records=[{"type": "Account", "ref": "a", "Name": "One"}])
    id = made["refs"]["a"]
    await plain.seed(changes=[{"type": "Account", "id": id, "Name": "Two"}])
    assert (await plain.get(f"/sobjects/Account/{id}")).body["Name"] == "Two"
    await plain.seed(delete=[id])
    await plain.seed(purge=[id])
    gone = await plain.get(f"/sobjects/Account/{id}")
    assert gone.code == "NOT_FOUND"
    assert [one["action"] for one in (await plain.books())["accepted"]] == ["insert", "update", "delete", "purge"]


async def test_people_merge_records(plain: Any) -> None:
    """What hung on the one hangs on the other, and the one that is gone tells where it went."""
    accounts = [{"type": "Account", "ref": name, "Name": name} for name in ("kept", "gone")]
    contact = {"type": "Contact", "LastName": "Byron", "AccountId": "@{gone}"}
    refs = (await plain.seed(records=[*accounts, contact]))["refs"]
    await plain.seed(merge=[{"into": refs["kept"], "gone": [refs["gone"]]}])
    assert await plain.values("SELECT AccountId FROM Contact") == [refs["kept"]]
    (gone,) = (await plain.books())["deleted"]["Account"]
    assert (gone["Id"], gone["MasterRecordId"]) == (refs["gone"], refs["kept"])
    for wrong in ({"into": refs["kept"], "gone": [refs["kept"]]}, {"into": refs["kept"], "gone": [refs["gone"]]}):
        assert (await plain.control("seed", {"merge": [wrong]})).status == 400


async def test_who_is_merged_with_the_account_above_stands_below_nothing(plain: Any) -> None:
    refs = (await plain.seed(records=[{"type": "Account", "ref": "gone", "Name": "Group"}]))["refs"]
    below = {"type": "Account", "ref": "kept", "Name": "Works", "ParentId": refs["gone"]}
    refs |= (await plain.seed(records=[below]))["refs"]
    await plain.seed(merge=[{"into": refs["kept"], "gone": [refs["gone"]]}])
    assert await plain.values("SELECT ParentId FROM Account") == [None]


async def test_books_show_amounts_with_all_their_digits(plain: Any) -> None:
    await plain.make("Account", Name="One", Credit_Limit__c="1234567890123.45")
    (account,) = (await plain.books())["records"]["Account"]
    assert account["Credit_Limit__c"] == "1234567890123.45"
    assert account["CreatedDate"].endswith("+0000")


async def test_a_user_signs_in_under_its_own_name(plain: Any) -> None:
    await plain.seed(users=[{"Username": "second@sandbox.example", "LastName": "Second"}])
    plain.token = (await plain.by_assertion(sub="second@sandbox.example")).body["access_token"]
    await plain.make("Account", Name="One")
    assert (await plain.rows("SELECT Owner.Name, CreatedBy.Name FROM Account"))[0]["Owner"]["Name"] == "Second"
    await plain.seed(users=[{"Username": "second@sandbox.example", "IsActive": False}])
    assert (await plain.by_assertion(sub="second@sandbox.example")).body["error"] == "inactive_user"
