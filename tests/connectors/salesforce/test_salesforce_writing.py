"""Writes of the connector: under which id, once, guarded by the fields that they name, and many by one request."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce.samples import ACCOUNT, OTHER_ACCOUNT, USED
from hub.sdk.errors import FixData, NotBegun, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.guards import ReadBefore
from hub.sdk.values import EffectKey, Response
from tests.connectors.salesforce.connected import KEY, Org, org, settings, written

OTHER = EffectKey("fedcba9876543210fedcba9876543210")


def test_the_external_id_stands_in_the_address_alone() -> None:
    record = {"object": "Account", "value": "cus/1 ü", "fields": {"Name": "A", "Billing_Id__c": "cus/1 ü"}}
    request = written("record.upsert").request(settings(), record, KEY)
    assert request.url.endswith("/services/data/v68.0/sobjects/Account/Billing_Id__c/cus%2F1%20%C3%BC")
    assert request.body == b'{"Name":"A"}'
    with pytest.raises(FixData):
        written("record.upsert").request(settings(), {**record, "value": "cus_2"}, KEY)


@pytest.mark.parametrize("fields", [{"Name'x": 1}, {"Price__c": 1.5}])
def test_what_no_field_can_be_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(FixData):
        written("record.upsert").request(settings(), {"object": "Account", "value": "1", "fields": fields}, KEY)


@pytest.mark.parametrize(
    ("status", "body", "given"),
    [
        (201, {"id": ACCOUNT, "success": True, "errors": [], "created": True}, {"id": ACCOUNT, "created": True}),
        (200, {"id": ACCOUNT, "success": True, "errors": [], "created": False}, {"id": ACCOUNT, "created": False}),
        (201, {"id": ACCOUNT, "success": True, "errors": []}, {"id": ACCOUNT, "created": True}),
        (204, None, {"created": False}),
    ],
)
def test_old_and_new_answers_to_an_upsert_are_understood(status: int, body: Any, given: dict[str, Any]) -> None:
    response = Response(status=status, body=b"" if body is None else dumps(body))
    assert written("record.upsert").result(response) == given


async def test_where_several_have_the_id_nothing_is_written_and_all_of_them_are_named() -> None:
    async with org() as here:
        twins = [{"type": "Account", "Name": name, "Erp_Id__c": "e-1"} for name in ("One", "Two")]
        ids = (await here.seed({"records": twins}))["records"]
        record = {"object": "Account", "field": "Erp_Id__c", "value": "e-1", "fields": {"Site": "Wels"}}
        with pytest.raises(FixData) as refusal:
            await here.write("record.upsert", record)
        assert (refusal.value.code, refusal.value.facts["ids"]) == ("found-twice", ", ".join(ids))
        assert not [one for one in here.books["records"]["Account"] if one.get("Site") == "Wels"]


async def test_a_record_without_an_id_elsewhere_is_made_once() -> None:
    async with org() as here:
        record = {"object": "Account", "fields": {"Name": "Cedar"}}
        first = await here.write("record.create", record)
        assert await here.write("record.create", record) == first
        assert (await here.write("record.create", record, OTHER))["id"] != first["id"]
        assert sum(one["Name"] == "Cedar" for one in here.books["records"]["Account"]) == 2
        with pytest.raises(FixData):
            await here.write("record.create", {**record, "fields": {"Billing_Id__c": "cus_5"}})


async def test_what_is_deleted_already_is_deleted() -> None:
    async with org() as here:
        gone = {"object": "Account", "id": OTHER_ACCOUNT}
        assert await here.write("record.delete", gone) == {"id": OTHER_ACCOUNT, "deleted": True}
        assert await here.write("record.delete", gone) == {"id": OTHER_ACCOUNT, "deleted": True}
        with pytest.raises(FixData) as refusal:
            await here.write("record.delete", {"object": "Account", "id": "001990000000009AAA"})
        assert refusal.value.facts["status"] == 404


async def stands(here: Org, name: str, record: dict[str, Any]) -> tuple[Any, bool]:
    """Look at what stands in the place of a write."""
    operation = written(name)
    assert isinstance(operation.guard, ReadBefore)
    return await here.connected.stand(operation.guard.look, operation.request(here.connected.settings, record, KEY))


async def test_a_guard_sees_the_fields_that_are_written_and_no_others() -> None:
    async with org() as here:
        record = {"external_id": "cus_1", "fields": {"BillingCity": "Linz", "ParentId": None, "Fax": ""}}
        await here.write("account.upsert", record)
        before, held = await stands(here, "account.upsert", record)
        assert held
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "Site": "elsewhere"}]})
        assert await stands(here, "account.upsert", record) == (
            (await stands(here, "account.upsert", record))[0],
            True,
        )
        assert (await stands(here, "account.upsert", record))[0].version == before.version
        await here.seed({"changes": [{"type": "Account", "id": ACCOUNT, "BillingCity": "Wels"}]})
        after, held = await stands(here, "account.upsert", record)
        assert not held
        assert after.version != before.version


async def test_times_ids_and_relations_are_compared_as_what_they_mean() -> None:
    async with org() as here:
        record = {
            "object": "Usage__c",
            "value": "use_5",
            "fields": {
                "Account__r": {"Billing_Id__c": "cus_1"},
                "Metric__c": "seats",
                "From__c": "2026-01-31T11:00:00.500+01:00",
                "Quantity__c": Decimal("2.50"),
                "Is_Rated__c": False,
            },
        }
        await here.write("record.upsert", record)
        assert (await stands(here, "record.upsert", record))[1]
        short = {**record, "fields": {"Account__c": ACCOUNT[:15]}}
        assert (await stands(here, "record.upsert", short))[1]


async def test_of_many_records_all_or_none_are_written() -> None:
    async with org() as here:
        rows = [{"value": f"use_{number}", "fields": {**USED, "Quantity__c": number}} for number in range(200)]
        assert len((await here.write("records.upsert", {"object": "Usage__c", "records": rows}))["ids"]) == 200
        before = here.books["records"]["Usage__c"]
        wrong = [{**rows[0], "fields": {**USED, "Quantity__c": 99}}, {"value": "use_x", "fields": {"Metric__c": "y"}}]
        with pytest.raises(FixData) as refusal:
            await here.write("records.upsert", {"object": "Usage__c", "records": wrong})
        assert refusal.value.facts["record"] == 1
        assert here.books["records"]["Usage__c"] == before


@pytest.mark.parametrize("results", [1, 3])
def test_an_answer_that_is_not_about_all_records_is_unknown(results: int) -> None:
    """What a result is about is told by its place: with one too few or too many, none of them is."""
    operation, rows = written("records.upsert"), [{"value": f"u{number}", "fields": USED} for number in range(2)]
    request = operation.request(settings(), {"object": "Usage__c", "records": rows}, KEY)
    one = '{"id": "001010000000009AAA", "success": true, "errors": []}'

    def answered(count: int) -> bool:
        body = f"[{', '.join([one] * count)}]".encode()
        output = operation.result(Response(status=200, headers={"content-type": "application/json"}, body=body))
        assert operation.about is not None
        return operation.about(request, output)

    assert answered(2)
    assert not answered(results)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: parts[:1],
        lambda parts: parts[1:],
        lambda parts: [*parts, parts[0]],
        lambda parts: [parts[0], parts[0]],
        lambda parts: parts[::-1],
        lambda parts: [{**parts[0], "httpStatusCode": 400, "body": [{"errorCode": "STRING_TOO_LONG"}]}],
    ],
    ids=["cut", "headless", "one-too-many", "doubled", "turned-round", "refused-and-cut"],
)
def test_a_composite_that_does_not_answer_for_each_record_is_unknown(spoil: Callable[[list[Any]], list[Any]]) -> None:
    """What is missing may have been refused, and what is doubled may be somebody else's: nothing is known of either."""
    operation = written("records.write")
    rows = [{"object": "Usage__c", "value": f"u{number}", "fields": USED} for number in range(2)]
    sent = loads(operation.request(settings(), {"records": rows}, KEY).body)["compositeRequest"]
    parts = [
        {
            "referenceId": part["referenceId"],
            "httpStatusCode": 201,
            "httpHeaders": {},
            "body": {"id": f"00101000000000{number}AAA", "success": True, "errors": []},
        }
        for number, part in enumerate(sent)
    ]

    def outcome(answered: list[Any]) -> Any:
        return operation.result(Response(status=200, body=dumps({"compositeResponse": answered})))

    assert len(outcome(parts)["ids"]) == 2
    with pytest.raises(OutcomeUnknown):
        outcome(spoil(parts))


async def test_a_composite_leads_from_one_of_its_records_to_another() -> None:
    async with org() as here:
        records = [
            {"object": "Account", "value": "cus_7", "fields": {"Name": "Elm"}},
            {"object": "Contact", "value": "con_7", "fields": {"LastName": "U", "Account": {"Billing_Id__c": "cus_7"}}},
        ]
        found = await here.write("records.write", {"records": records})
        contact = next(one for one in here.books["records"]["Contact"] if one["Billing_Id__c"] == "con_7")
        assert {contact["Id"], contact["AccountId"]} == {*found["ids"]}
        records[1]["fields"] = {"LastName": ""}
        with pytest.raises(FixData) as refusal:
            await here.write("records.write", {"records": [{**records[0], "fields": {"Name": "Elms"}}, records[1]]})
        assert refusal.value.facts["record"] == 1
        assert [one["Name"] for one in here.books["records"]["Account"] if one.get("Billing_Id__c") == "cus_7"] == [
            "Elm"
        ]


@pytest.mark.parametrize("name", ["records.upsert", "records.write"])
async def test_a_record_that_somebody_holds_keeps_all_of_them_back_for_a_moment(name: str) -> None:
    async with org() as here:
        await here.seed({"locks": {ACCOUNT: 60}})
        rows = [{"value": "cus_1", "fields": {"Site": "a"}}, {"value": "cus_2", "fields": {"Site": "b"}}]
        record: dict[str, Any] = {"records": [{"object": "Account", **row} for row in rows]}
        if name == "records.upsert":
            record = {"object": "Account", "records": rows}
        with pytest.raises(NotBegun) as refusal:
            await here.write(name, record)
        assert refusal.value.code == "unable-to-lock-row"


def many(name: str, *rows: dict[str, Any]) -> dict[str, Any]:
    """Give what an operation takes for these records of an account."""
    if name == "records.write":
        return {"records": [{"object": "Account", **row} for row in rows]}
    return {"object": "Account", "records": [*rows]}


MANY = pytest.mark.parametrize("name", ["records.upsert", "records.write", "bulk.submit"])


@MANY
def test_a_record_that_is_there_twice_is_refused(name: str) -> None:
    row = {"value": "a", "fields": {"Site": "x"}}
    with pytest.raises(FixData) as refusal:
        written(name).request(settings(), many(name, row, row), KEY)
    assert refusal.value.code == "named-twice"


@MANY
def test_fields_that_name_another_external_id_are_refused(name: str) -> None:
    same = {"value": "a", "fields": {"Site": "x", "Billing_Id__c": "a"}}
    request = written(name).request(settings(), many(name, same), KEY)
    assert b"Site" in request.body
    with pytest.raises(FixData) as refusal:
        written(name).request(settings(), many(name, {**same, "value": "b"}), KEY)
    assert refusal.value.code == "bad-external-id"


async def test_the_records_of_a_loop_are_made_by_one_request_each_for_itself() -> None:
    bulk = written("record.create").bulk
    assert bulk is not None
    keys = [EffectKey(f"{number:032x}") for number in range(1, 4)]
    inputs: list[dict[str, Any]] = [
        {"object": "Account", "fields": {"Name": "Fir"}},
        {"object": "Contact", "fields": {"FirstName": "nobody"}},
        {"object": "Product2", "fields": {"Name": "Fir"}},
    ]
    async with org() as here:
        request = bulk.request(here.connected.settings, list(zip(keys, inputs, strict=True)), KEY)
        for _ in range(2):
            found = dict(bulk.results(await here.connected.send(request)))
            assert found.keys() == set(keys)
            assert isinstance(found[keys[1]], FixData)
            assert found[keys[1]].code == "required-field-missing"  # type: ignore[union-attr]
        books = here.books["records"]
        assert [one["Id"] for one in books["Account"] if one["Name"] == "Fir"] == [found[keys[0]]["id"]]  # type: ignore[index]
        assert [one["Billing_Id__c"] for one in books["Product2"] if one["Name"] == "Fir"] == [keys[2]]


@pytest.mark.parametrize(
    "body", [{}, {"graphs": None}, {"graphs": [None]}, {"graphs": [{"graphId": "a", "graphResponse": {}}]}]
)
def test_an_answer_without_its_graphs_tells_nothing(body: Any) -> None:
    bulk = written("record.create").bulk
    assert bulk is not None
    with pytest.raises(OutcomeUnknown):
        bulk.results(Response(status=200, body=dumps(body)))
