"""What the sandbox tells of its objects, how they change while it runs, and which fields of a release it has."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.sandbox.identifiers import Ids, long_id, read_id
from connectors.salesforce.sandbox.schema import TYPES, Schema
from connectors.salesforce.sandbox.values import Double, read_moment, show_moment, write_number
from connectors.salesforce.sandbox.wire import dumps


async def test_every_object_is_listed_and_described(plain: Any) -> None:
    listed = (await plain.get("/sobjects/")).body
    assert (listed["encoding"], listed["maxBatchSize"]) == ("UTF-8", 200)
    names = [one["name"] for one in listed["sobjects"]]
    assert names == sorted(names) and len(names) == 21
    for one in listed["sobjects"]:
        told = (await plain.get(one["urls"]["describe"])).body
        assert {field["type"] for field in told["fields"]} <= TYPES
        assert [field["name"] for field in told["fields"] if field["nameField"]] or one["name"] in {
            "CurrencyType",
            "DatedConversionRate",
        }
        assert told["keyPrefix"] == one["keyPrefix"]


async def test_a_describe_says_what_a_field_is(plain: Any) -> None:
    told = (await plain.get("/sobjects/Account/describe")).body
    fields = {field["name"]: field for field in told["fields"]}
    name, revenue, parent = fields["Name"], fields["AnnualRevenue"], fields["ParentId"]
    assert (name["type"], name["length"], name["nillable"], name["defaultedOnCreate"]) == ("string", 255, False, False)
    assert (revenue["type"], revenue["precision"], revenue["scale"]) == ("currency", 18, 0)
    assert (parent["referenceTo"], parent["relationshipName"], parent["label"]) == (
        ["Account"],
        "Parent",
        "Parent Account ID",
    )
    assert (fields["Id"]["createable"], fields["Id"]["updateable"], fields["Id"]["idLookup"]) == (False, False, True)
    assert fields["Region__c"]["restrictedPicklist"] is True
    assert [one["value"] for one in fields["Region__c"]["picklistValues"]] == ["EMEA", "AMER", "APAC"]
    assert fields["BillingCity"]["compoundFieldName"] == "BillingAddress"
    assert (fields["OwnerId"]["defaultedOnCreate"], fields["IsDeleted"]["filterable"]) == (True, True)
    lists = {one["relationshipName"]: one for one in told["childRelationships"]}
    assert (lists["Contacts"]["childSObject"], lists["Contacts"]["cascadeDelete"]) == ("Contact", True)
    assert lists["Usage__r"]["restrictedDelete"] is True
    assert {one["name"] for one in told["recordTypeInfos"]} == {"Customer", "Partner", "Master"}
    assert "CurrencyIsoCode" not in fields


async def test_what_did_not_change_is_not_told_again(plain: Any) -> None:
    first = await plain.get("/sobjects/Account/describe")
    since = first.headers["Last-Modified"]
    for path in ("/sobjects/Account/describe", "/sobjects"):
        assert (await plain.get(path, If_Modified_Since=since)).status == 304
    await plain.seed(fields=[{"object": "Account", "name": "New__c", "type": "string", "length": 10}])
    again = await plain.get("/sobjects/Account/describe", If_Modified_Since=since)
    assert again.status == 200
    assert "New__c" in {field["name"] for field in again.body["fields"]}
    assert (await plain.get("/sobjects/Contact/describe", If_Modified_Since=since)).status == 304


async def test_a_field_appears_changes_its_type_and_goes(plain: Any) -> None:
    await plain.seed(fields=[{"object": "Account", "name": "Seats__c", "type": "string", "length": 5}])
    many = await plain.make("Account", Name="Many", Seats__c="12.5")
    text = await plain.make("Account", Name="Text", Seats__c="some")
    assert (await plain.post("/sobjects/Account", {"Name": "x", "Seats__c": "123456"})).code == "STRING_TOO_LONG"
    retyped = {"object": "Account", "name": "Seats__c", "type": "double", "precision": 6, "scale": 1}
    await plain.seed(fields=[retyped])
    assert (await plain.get(f"/sobjects/Account/{many}")).body["Seats__c"] == Decimal("12.5")
    assert (await plain.get(f"/sobjects/Account/{text}")).body["Seats__c"] is None
    assert await plain.values("SELECT Name FROM Account WHERE Seats__c > 12") == ["Many"]
    await plain.seed(remove_fields=["Account.Seats__c"])
    assert (await plain.query("SELECT Seats__c FROM Account")).code == "INVALID_FIELD"
    gone = await plain.patch(f"/sobjects/Account/{many}", {"Seats__c": 1})
    assert (gone.code, gone.message) == ("INVALID_FIELD", "No such column 'Seats__c' on sobject of type Account")
    assert "Seats__c" not in (await plain.get(f"/sobjects/Account/{many}")).body
    await plain.seed(fields=[retyped])
    assert (await plain.get(f"/sobjects/Account/{many}")).body["Seats__c"] == Decimal("12.5")


async def test_a_field_of_another_type_changes_no_records_time(plain: Any) -> None:
    await plain.make("Account", Name="Old", AccountNumber="1")
    await plain.advance(60)
    await plain.make("Account", Name="New")
    (stamp,) = await plain.values("SELECT SystemModstamp FROM Account WHERE Name = 'New'")
    await plain.seed(fields=[{"object": "Account", "name": "AccountNumber", "type": "int", "length": 8}])
    since = "SELECT Name FROM Account WHERE SystemModstamp >= {}"
    assert await plain.values(since.format(stamp)) == ["New"]


async def test_a_field_becomes_unique_and_a_key(plain: Any) -> None:
    await plain.make("Account", Name="One", AccountNumber="1")
    key = {"name": "AccountNumber", "type": "string", "length": 40, "externalId": True, "unique": True}
    await plain.seed(fields=[{"object": "Account", **key}])
    assert (await plain.patch("/sobjects/Account/AccountNumber/1", {"Name": "Two"})).status == 200
    assert (await plain.post("/sobjects/Account", {"Name": "x", "AccountNumber": "1"})).code == "DUPLICATE_VALUE"


async def test_a_picklist_gets_and_loses_values(plain: Any) -> None:
    await plain.make("Account", Name="One", Region__c="EMEA")
    values = ["LATAM", {"value": "EMEA", "active": False}]
    await plain.seed(picklist_values=[{"object": "Account", "field": "Region__c", "values": values}])
    assert (await plain.post("/sobjects/Account", {"Name": "x", "Region__c": "LATAM"})).status == 201
    assert (await plain.post("/sobjects/Account", {"Name": "x", "Region__c": "EMEA"})).status == 400
    assert len(await plain.rows("SELECT Id FROM Account WHERE Region__c = 'EMEA'")) == 1


async def test_an_object_of_ones_own(plain: Any) -> None:
    declaration = {
        "label": "Bundle",
        "fields": [
            {"name": "Name", "type": "string", "autoNumber": "B-{000}", "nameField": True},
            {"name": "Account__c", "type": "reference", "referenceTo": ["Account"], "children": "Bundles__r"},
            {"name": "Size__c", "type": "int", "length": 3, "defaultValue": 1},
        ],
    }
    await plain.seed(objects={"Bundle__c": declaration})
    account = await plain.make("Account", Name="One")
    await plain.make("Bundle__c", Account__c=account)
    found = await plain.rows("SELECT Name, (SELECT Name, Size__c FROM Bundles__r) FROM Account")
    (bundle,) = found[0]["Bundles__r"]["records"]
    assert (bundle["Name"], bundle["Size__c"]) == ("B-001", 1)


@pytest.mark.parametrize(
    "wish",
    [
        {"fields": [{"object": "Nothing", "name": "A__c"}]},
        {"fields": [{"object": "Account", "name": "A b"}]},
        {"fields": [{"object": "Account", "name": "A__c", "type": "colour"}]},
        {"fields": [{"object": "Account", "name": "A__c", "colour": "red"}]},
        {"fields": [{"object": "Account", "name": "Id", "type": "string"}]},
        {"remove_fields": ["Account.Nothing"]},
        {"picklist_values": [{"object": "Account", "field": "Name", "values": []}]},
        {"objects": {"a b": {}}},
        {"colour": 1},
        {"settings": {"colour": 1}},
        {"settings": {"latency": "long"}},
        {"settings": {"approved": 1}},
        {"records": [{"type": "Nothing"}]},
        {"records": [{"type": "Account"}]},
        {"records": [{"type": "Contact", "LastName": "x", "AccountId": "@{nobody}"}]},
        {"generate": {"planets": 1}},
        {"generate": {"contacts": 1}},
        {"delete": ["x"]},
        {"purge": ["001010000000001AAA"]},
        {"duplicate_rules": [{"object": "Account", "fields": ["Colour"]}]},
        {"currencies": [{"IsoCode": "EUR"}]},
    ],
)
async def test_wishes_that_make_no_sense_are_refused_with_a_sentence(plain: Any, wish: dict[str, Any]) -> None:
    answer = await plain.control("seed", wish)
    assert answer.status == 400
    assert len(answer.body["error"]) > 10


def test_a_schema_begins_with_keys_that_mind_capitals() -> None:
    keys = {
        (kind.name, field.name)
        for kind in Schema(now=0)
        for field in kind.fields.values()
        if field.external_id and field.unique
    }
    assert ("Account", "Billing_Id__c") in keys and ("OrderItem", "Line_Key__c") in keys
    assert len(keys) == 15


def test_ids_have_salesforces_checksum() -> None:
    # Known pairs from Salesforce's own documentation and daily life.
    assert long_id("001D000000IqhSL") == "001D000000IqhSLIAZ"
    assert long_id("0015000000Gv7qJ") == "0015000000Gv7qJAAR"
    assert read_id("001d000000iqhsliaz") == "001D000000IqhSLIAZ"
    assert read_id("001D000000IqhSL9AZ") is None
    for wrong in ("", "001", "001D000000IqhS!", 5, None, "001D000000IqhSLI!Z"):
        assert read_id(wrong) is None


@given(st.integers(0, 10**12), st.integers(0, 5000))
def test_an_id_is_read_in_both_forms_and_without_capitals(number: int, seed: int) -> None:
    ids = Ids(seed)
    ids._last["001"] = number
    made = ids.next("001")
    assert read_id(made) == read_id(made[:15]) == read_id(made.lower()) == made


@given(st.integers(0, 4_102_444_800_000))
def test_a_moment_is_read_as_it_is_shown(milliseconds: int) -> None:
    assert read_moment(show_moment(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0.00", "0.0"),
        ("1234.50", "1234.5"),
        ("15000", "15000.0"),
        ("9999999.99", "9999999.99"),
        ("10000000", "1.0E7"),
        ("-912260031", "-9.12260031E8"),
        ("123456789012345678", "1.23456789012345678E17"),
        ("0.000100", "0.0001"),
    ],
)
def test_numbers_are_written_as_java_does(number: str, written: str) -> None:
    assert write_number(Decimal(number)) == written
    assert Decimal(written) == Decimal(number)
    assert dumps({"a": [Double(number)]}) == f'{{"a":[{written}]}}'.encode()
