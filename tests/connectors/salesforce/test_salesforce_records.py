"""The sandbox's single records: made, checked, read, upserted, deleted, and what changed since when."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest


async def test_a_record_has_all_its_fields_and_those_that_salesforce_sets(plain: Any) -> None:
    made = await plain.post("/sobjects/Account", {"name": " Acme ", "Credit_Limit__c": "1234.505", "Website": ""})
    assert made.headers["Location"] == f"/services/data/v68.0/sobjects/Account/{made.id}"
    assert len(made.id) == 18
    read = (await plain.get(f"/sobjects/Account/{made.id}")).body
    assert read["attributes"] == {"type": "Account", "url": f"/services/data/v68.0/sobjects/Account/{made.id}"}
    assert (read["Name"], read["Credit_Limit__c"], read["Website"]) == ("Acme", Decimal("1234.51"), None)
    assert read["CreatedDate"] == read["SystemModstamp"]
    assert read["CreatedDate"].endswith(".000+0000")
    assert read["OwnerId"].startswith("005")
    assert (read["IsDeleted"], read["On_Credit_Hold__c"], read["BillingAddress"]) == (False, False, None)
    short = await plain.get(f"/sobjects/Account/{made.id[:15]}?fields=Name,Owner.Name")
    assert set(short.body) == {"attributes", "Name", "Owner", "Id"}
    assert short.body["Owner"]["Name"] == "Integration"
    assert (await plain.get(f"/sobjects/Account/{made.id}?fields=Colour")).code == "INVALID_FIELD"
    since = (await plain.get(f"/sobjects/Account/{made.id}")).headers["Last-Modified"]
    assert (await plain.get(f"/sobjects/Account/{made.id}", If_Modified_Since=since)).status == 304


async def test_an_address_is_shown_in_one_as_well(plain: Any) -> None:
    id = await plain.make("Account", Name="Acme", BillingCity="Lyon", BillingCountry="FR")
    address = (await plain.get(f"/sobjects/Account/{id}")).body["BillingAddress"]
    assert (address["city"], address["country"], address["street"]) == ("Lyon", "FR", None)
    refused = await plain.post("/sobjects/Account", {"Name": "A", "BillingAddress": {"city": "Lyon"}})
    assert refused.code == "INVALID_FIELD_FOR_INSERT_UPDATE"


@pytest.mark.parametrize(
    ("kind", "body", "code", "fields"),
    [
        ("Account", {}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ("Account", {"Name": None}, "REQUIRED_FIELD_MISSING", ["Name"]),
        ("Account", {"Name": "A", "Colour__c": "red"}, "INVALID_FIELD", None),
        ("Account", {"Name": "A" * 256}, "STRING_TOO_LONG", ["Name"]),
        ("Account", {"Name": "A", "Region__c": "Moon"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Region__c"]),
        (
            "Account",
            {"Name": "A", "Segments__c": "Startup;Moon"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            ["Segments__c"],
        ),
        ("Account", {"Name": "A", "Invoice_Email__c": "nobody"}, "INVALID_EMAIL_ADDRESS", ["Invoice_Email__c"]),
        ("Account", {"Name": "A", "ParentId": "001"}, "MALFORMED_ID", ["ParentId"]),
        ("Account", {"Name": "A", "ParentId": "003010000000001AAA"}, "MALFORMED_ID", ["ParentId"]),
        ("Account", {"Name": "A", "ParentId": "001010000000999AAA"}, "INVALID_CROSS_REFERENCE_KEY", []),
        ("Account", {"Name": "A", "AnnualRevenue": "much"}, "JSON_PARSER_ERROR", None),
        ("Account", {"Name": "A", "AnnualRevenue": "1e18"}, "NUMBER_OUTSIDE_VALID_RANGE", ["AnnualRevenue"]),
        ("Account", {"Name": "A", "Credit_Limit__c": "99999999999999.995"}, "NUMBER_OUTSIDE_VALID_RANGE", None),
        ("Account", {"Name": "A", "NumberOfEmployees": 1.5}, "JSON_PARSER_ERROR", None),
        ("Account", {"Name": "A", "NumberOfEmployees": 123456789}, "NUMBER_OUTSIDE_VALID_RANGE", None),
        ("Account", {"Name": ["A"]}, "JSON_PARSER_ERROR", None),
        ("Account", {"Name": "A", "On_Credit_Hold__c": None}, "INVALID_TYPE_ON_FIELD_IN_RECORD", None),
        ("Account", {"Name": "A", "On_Credit_Hold__c": "perhaps"}, "JSON_PARSER_ERROR", None),
        ("Account", {"Name": "A", "CreatedDate": "2026-01-01"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["CreatedDate"]),
        ("Account", {"Name": "A", "Id": "001010000000001AAA"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
        ("Contact", {"LastName": "B", "Birthdate": "2026-02-30"}, "JSON_PARSER_ERROR", None),
        ("Contact", {"LastName": "B", "Account": {"Billing_Id__c": "nobody"}}, "INVALID_FIELD", []),
        ("Contact", {"LastName": "B", "Account": {"Name": "A"}}, "INVALID_FIELD", ["Name"]),
        ("User", {"LastName": "B"}, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", None),
    ],
)
async def test_what_does_not_fit_is_refused(
    plain: Any, kind: str, body: dict[str, Any], code: str, fields: list[str] | None
) -> None:
    refused = await plain.post(f"/sobjects/{kind}", body)
    assert (refused.status, refused.code) == (400, code)
    if fields is not None:
        assert refused.body[0]["fields"] == fields
    assert (await plain.books())["accepted"] == []


async def test_bodies_that_are_no_json_objects_are_refused(plain: Any) -> None:
    for body in (b"{", b"[]", b"", b'"text"'):
        assert (await plain.call("POST", "/sobjects/Account", body)).code == "JSON_PARSER_ERROR"
    kind = {"Content-Type": "text/plain"}
    assert (await plain.call("POST", "/sobjects/Account", b"{}", headers=kind)).status == 415


async def test_addresses_that_lead_nowhere(plain: Any) -> None:
    for path in ("/sobjects/Nothing", "/sobjects/Account/001010000000009AAA", "/sobjects/Account/x", "/nothing"):
        assert ((answer := await plain.get(path)).status, answer.code) == (404, "NOT_FOUND")
    wrong = await plain.call("PUT", "/sobjects/Account", {"Name": "A"})
    assert (wrong.status, wrong.code) == (405, "METHOD_NOT_ALLOWED")


async def test_a_change_keeps_what_is_not_sent(plain: Any) -> None:
    id = await plain.make("Account", Name="Acme", Phone="1", Region__c="EMEA")
    await plain.advance(60)
    changed = await plain.patch(f"/sobjects/Account/{id}", {"Phone": None, "Region__c": "apac"})
    assert (changed.status, changed.body) == (204, "")
    read = (await plain.get(f"/sobjects/Account/{id}")).body
    assert (read["Name"], read["Phone"], read["Region__c"]) == ("Acme", None, "APAC")
    assert read["LastModifiedDate"] > read["CreatedDate"]
    assert (await plain.patch(f"/sobjects/Account/{id}", {"Name": ""})).code == "REQUIRED_FIELD_MISSING"
    through = await plain.call("POST", f"/sobjects/Account/{id}?_HttpMethod=PATCH", {"Phone": "2"})
    assert through.status == 204
    since = {"If-Unmodified-Since": "Thu, 01 Jan 2026 00:00:00 GMT"}
    stale = await plain.call("PATCH", f"/sobjects/Account/{id}", {"Phone": "3"}, headers=since)
    assert stale.status == 412


async def test_an_upsert_makes_then_changes(plain: Any) -> None:
    path = "/sobjects/Account/Billing_Id__c/cus%2F1%20a"
    first, second = await plain.patch(path, {"Name": "One"}), await plain.patch(path, {"Name": "Two"})
    assert (first.status, first.body["created"], second.status, second.body["created"]) == (201, True, 200, False)
    assert first.body["id"] == second.body["id"]
    read = await plain.get(path)
    assert (read.body["Name"], read.body["Billing_Id__c"]) == ("Two", "cus/1 a")
    inside = await plain.patch(path, {"Name": "Three", "Billing_Id__c": "cus/1 a"})
    assert (inside.status, inside.code, inside.body[0]["fields"]) == (400, "INVALID_FIELD", ["Billing_Id__c"])
    assert (await plain.patch("/sobjects/Account/Nothing__c/1", {"Name": "A"})).status == 404
    assert (await plain.patch("/sobjects/Account/Name/Two", {"Phone": "1"})).status == 404


async def test_an_upsert_minds_capitals_where_its_field_does(plain: Any) -> None:
    await plain.patch("/sobjects/Account/Billing_Id__c/a", {"Name": "One"})
    assert (await plain.patch("/sobjects/Account/Billing_Id__c/A", {"Name": "Two"})).status == 201
    await plain.patch("/sobjects/Account/Erp_Id__c/e", {"Name": "Three"})
    assert (await plain.patch("/sobjects/Account/Erp_Id__c/E", {"Name": "Four"})).status == 200


async def test_old_versions_tell_less_of_an_upsert(plain: Any) -> None:
    path, base = "/sobjects/Account/Billing_Id__c/c1", "/services/data/v45.0"
    first = await plain.call("PATCH", path, {"Name": "One"}, base=base)
    second = await plain.call("PATCH", path, {"Name": "Two"}, base=base)
    assert (first.status, "created" in first.body) == (201, False)
    assert (second.status, second.body) == (204, "")


async def test_only_updating_makes_nothing(plain: Any) -> None:
    path = "/sobjects/Account/Billing_Id__c/c1?updateOnly=true"
    assert ((answer := await plain.patch(path, {"Name": "One"})).status, answer.code) == (404, "NOT_FOUND")
    assert await plain.rows("SELECT Id FROM Account") == []


async def test_a_key_that_several_have_names_them_all(plain: Any) -> None:
    ids = [await plain.make("Account", Name=name, Erp_Id__c="E1") for name in ("One", "Two")]
    for answer in (
        await plain.get("/sobjects/Account/Erp_Id__c/E1"),
        await plain.patch("/sobjects/Account/Erp_Id__c/E1", {"Name": "Three"}),
        await plain.call("DELETE", "/sobjects/Account/Erp_Id__c/E1"),
    ):
        assert (answer.status, answer.body) == (300, [f"/services/data/v68.0/sobjects/Account/{id}" for id in ids])
    assert await plain.values("SELECT Name FROM Account ORDER BY Name") == ["One", "Two"]


async def test_a_unique_value_is_taken_once(plain: Any) -> None:
    first = await plain.make("Account", Name="One", Billing_Id__c="c1")
    second = await plain.make("Account", Name="Two", Billing_Id__c="c2")
    taken = await plain.post("/sobjects/Account", {"Name": "Three", "Billing_Id__c": "c1"})
    assert taken.code == "DUPLICATE_VALUE"
    assert taken.message == f"duplicate value found: Billing_Id__c duplicates value on record with id: {first}"
    assert (await plain.patch(f"/sobjects/Account/{second}", {"Billing_Id__c": "c1"})).code == "DUPLICATE_VALUE"
    assert (await plain.patch(f"/sobjects/Account/{first}", {"Billing_Id__c": "c1"})).status == 204
    await plain.call("DELETE", f"/sobjects/Account/{first}")
    assert (await plain.patch(f"/sobjects/Account/{second}", {"Billing_Id__c": "c1"})).status == 204
    assert (await plain.control("seed", {"undelete": [first]})).status == 400


async def test_a_record_without_a_key_is_made_by_an_upsert_of_nothing(plain: Any) -> None:
    assert (await plain.post("/sobjects/Account/Id", {"Name": "One"})).status == 201
    id = (await plain.rows("SELECT Id FROM Account"))[0]["Id"]
    assert (await plain.patch(f"/sobjects/Account/Id/{id}", {"Name": "Two"})).body["created"] is False


async def test_a_parent_is_named_by_its_key(plain: Any) -> None:
    account = await plain.make("Account", Name="Acme", Billing_Id__c="c1")
    contact = await plain.make("Contact", LastName="Bee", FirstName="Ann", Account={"Billing_Id__c": "c1"})
    read = (await plain.get(f"/sobjects/Contact/{contact}")).body
    assert (read["AccountId"], read["Name"]) == (account, "Ann Bee")
    usage = {"Key__c": "u1", "Metric__c": "seats", "Quantity__c": 1.25, "Account__r": {"Billing_Id__c": "c1"}}
    made = await plain.make("Usage__c", **usage)
    read = (await plain.get(f"/sobjects/Usage__c/{made}")).body
    assert (read["Name"], read["Quantity__c"], read["Account__c"]) == ("USG-0000001", Decimal("1.25"), account)
    assert (await plain.patch(f"/sobjects/Contact/{contact}", {"Account": None})).status == 204
    assert (await plain.get(f"/sobjects/Contact/{contact}")).body["AccountId"] is None
    assert (await plain.get(f"/sobjects/Usage__c/{made}/Account__r")).body["Id"] == account
    assert (await plain.get(f"/sobjects/Account/{account}/Usage__r")).body["totalSize"] == 1


async def test_accounts_cannot_be_their_own_ancestors(plain: Any) -> None:
    above = await plain.make("Account", Name="Above")
    below = await plain.make("Account", Name="Below", ParentId=above)
    assert (await plain.patch(f"/sobjects/Account/{above}", {"ParentId": below})).code == "CIRCULAR_DEPENDENCY"


async def test_what_is_deleted_goes_to_the_bin_with_what_hangs_on_it(plain: Any) -> None:
    account = await plain.make("Account", Name="Acme")
    child = await plain.make("Account", Name="Child", ParentId=account)
    contact = await plain.make("Contact", LastName="Bee", AccountId=account)
    assert (await plain.call("DELETE", f"/sobjects/Account/{account}")).status == 204
    for method in ("GET", "DELETE"):
        again = await plain.call(method, f"/sobjects/Account/{account}")
        assert (again.status, again.code) == (404, "ENTITY_IS_DELETED")
    assert (await plain.post("/sobjects/Contact", {"LastName": "C", "AccountId": account})).code == "ENTITY_IS_DELETED"
    assert (await plain.get(f"/sobjects/Contact/{contact}")).status == 404
    assert (await plain.get(f"/sobjects/Account/{child}")).body["ParentId"] is None
    gone = await plain.query("SELECT Id FROM Contact WHERE IsDeleted = true", resource="queryAll")
    assert [row["Id"] for row in gone.body["records"]] == [contact]
    await plain.seed(undelete=[account])
    assert (await plain.get(f"/sobjects/Contact/{contact}")).body["AccountId"] == account
    assert [one["action"] for one in (await plain.books())["accepted"]].count("undelete") == 2


async def test_a_parent_that_is_needed_stays(plain: Any) -> None:
    account = await plain.make("Account", Name="Acme")
    await plain.make("Usage__c", Account__c=account, Metric__c="seats", Quantity__c=1)
    refused = await plain.call("DELETE", f"/sobjects/Account/{account}")
    assert (refused.status, refused.code) == (400, "DELETE_FAILED")
    assert (await plain.get(f"/sobjects/Account/{account}")).status == 200


async def test_what_changed_in_a_span_of_time(plain: Any) -> None:
    old = await plain.make("Account", Name="Old")
    await plain.advance(3600)
    begin = plain.served.world.clock.now()
    new = await plain.make("Account", Name="New")
    await plain.call("DELETE", f"/sobjects/Account/{old}")
    await plain.advance(120)
    span = f"start={begin:%Y-%m-%dT%H:%M:%S}%2B00:00&end={plain.served.world.clock.now():%Y-%m-%dT%H:%M:%S}Z"
    assert (await plain.get(f"/sobjects/Account/updated?{span}")).body["ids"] == [new]
    deleted = (await plain.get(f"/sobjects/Account/deleted/?{span}")).body
    assert [one["id"] for one in deleted["deletedRecords"]] == [old]
    assert {"earliestDateAvailable", "latestDateCovered"} <= set(deleted)
    for wrong in ("start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", "start=x&end=y", ""):
        assert (await plain.get(f"/sobjects/Account/updated?{wrong}")).code == "INVALID_REPLICATION_DATE"


async def test_a_locked_row_and_its_children_wait(plain: Any) -> None:
    account = await plain.make("Account", Name="Acme")
    await plain.seed(locks={account: 30})
    locked = await plain.patch(f"/sobjects/Account/{account}", {"Phone": "1"})
    assert (locked.status, locked.code) == (400, "UNABLE_TO_LOCK_ROW")
    child = await plain.post("/sobjects/Contact", {"LastName": "Bee", "AccountId": account})
    assert child.code == "UNABLE_TO_LOCK_ROW"
    assert (await plain.call("DELETE", f"/sobjects/Account/{account}")).code == "UNABLE_TO_LOCK_ROW"
    await plain.advance(31)
    assert (await plain.patch(f"/sobjects/Account/{account}", {"Phone": "1"})).status == 204


async def test_duplicate_rules_warn_or_block(plain: Any) -> None:
    await plain.seed(duplicate_rules=[{"object": "Account", "fields": ["Name"], "name": "Same_Name"}])
    await plain.make("Account", Name="Acme")
    refused = await plain.post("/sobjects/Account", {"Name": "ACME"})
    assert (refused.code, refused.message) == ("DUPLICATES_DETECTED", "Use one of these records?")
    assert refused.body[0]["duplicateResult"]["duplicateRule"] == "Same_Name"
    header = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert (await plain.call("POST", "/sobjects/Account", {"Name": "ACME"}, headers=header)).status == 201
    await plain.seed(duplicate_rules=[{"object": "Account", "fields": ["Name"], "block": True}])
    assert (await plain.call("POST", "/sobjects/Account", {"Name": "ACME"}, headers=header)).status == 400


async def test_validation_rules_refuse_with_their_own_words(plain: Any) -> None:
    rule = {
        "object": "Account",
        "when": "On_Credit_Hold__c = true AND Credit_Limit__c > 0",
        "message": "No credit on hold.",
        "field": "Credit_Limit__c",
    }
    await plain.seed(validation_rules=[rule])
    refused = await plain.post("/sobjects/Account", {"Name": "A", "On_Credit_Hold__c": True, "Credit_Limit__c": 1})
    assert (refused.code, refused.message) == ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "No credit on hold.")
    assert refused.body[0]["fields"] == ["Credit_Limit__c"]
    id = await plain.make("Account", Name="A", Credit_Limit__c=1)
    assert (await plain.patch(f"/sobjects/Account/{id}", {"On_Credit_Hold__c": True})).status == 400
    assert (await plain.control("seed", {"validation_rules": [{**rule, "when": "Nothing = 1"}]})).status == 400


async def test_record_types_belong_to_their_object(plain: Any) -> None:
    types = {row["Name"]: row["Id"] for row in await plain.rows("SELECT Id, Name FROM RecordType")}
    id = await plain.make("Account", Name="A", RecordTypeId=types["Partner"])
    found = (await plain.get(f"/sobjects/Account/{id}?fields=RecordType.DeveloperName")).body
    assert found["RecordType"]["DeveloperName"] == "Partner"


async def test_an_id_survives_losing_its_capitals(plain: Any) -> None:
    ids = [await plain.make("Account", Name=str(number)) for number in range(12)]
    assert (await plain.get(f"/sobjects/Account/{ids[-1].lower()}?fields=Name")).body["Name"] == "11"
    assert (await plain.get(f"/sobjects/Account/{ids[-1][:15].lower()}?fields=Name")).status == 404
