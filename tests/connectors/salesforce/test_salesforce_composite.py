"""Many calls in one: composite requests, graphs, batches, trees and collections."""

from __future__ import annotations

from typing import Any

import pytest

BASE = "/services/data/v68.0"


def part(method: str, path: str, reference: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"method": method, "url": BASE + path, "referenceId": reference, "body": body, **more}


def account(name: str, **more: Any) -> dict[str, Any]:
    return {"attributes": {"type": "Account"}, "Name": name, **more}


async def test_one_call_uses_what_another_answered(plain: Any) -> None:
    parts = [
        part("POST", "/sobjects/Account", "acme", {"Name": "Acme"}),
        part("POST", "/sobjects/Contact", "bee", {"LastName": "Bee", "AccountId": "@{acme.id}"}),
        part("GET", "/sobjects/Account/@{acme.id}?fields=Name", "read"),
        part("GET", "/query?q=SELECT+Id,Name+FROM+Contact+WHERE+AccountId='@{acme.id}'", "found"),
        part("PATCH", "/sobjects/Contact/@{found.records[0].Id}", "named", {"Title": "of @{read.Name}"}),
    ]
    before = (await plain.get("/limits")).body["DailyApiRequests"]["Remaining"]
    answer = await plain.post("/composite", {"compositeRequest": parts})
    results = {one["referenceId"]: one for one in answer.body["compositeResponse"]}
    assert [one["httpStatusCode"] for one in results.values()] == [201, 201, 200, 200, 204]
    assert results["acme"]["httpHeaders"]["Location"].endswith(results["acme"]["body"]["id"])
    assert await plain.values("SELECT Title FROM Contact") == ["of Acme"]
    after = (await plain.get("/limits")).body["DailyApiRequests"]["Remaining"]
    assert before - after == 3  # The composite request, the query, and the look at the limits.


async def test_calls_fail_alone_or_together(plain: Any) -> None:
    parts = [
        part("POST", "/sobjects/Account", "good", {"Name": "Acme"}),
        part("POST", "/sobjects/Account", "bad", {}),
        part("POST", "/sobjects/Contact", "rests", {"LastName": "B", "AccountId": "@{bad.id}"}),
        part("POST", "/sobjects/Account", "other", {"Name": "Other"}),
    ]
    alone = (await plain.post("/composite", {"compositeRequest": parts})).body["compositeResponse"]
    assert [one["httpStatusCode"] for one in alone] == [201, 400, 400, 201]
    assert alone[1]["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert alone[2]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    accepted = len((await plain.books())["accepted"])
    together = await plain.post("/composite", {"allOrNone": True, "compositeRequest": parts})
    codes = [one["body"][0]["errorCode"] for one in together.body["compositeResponse"]]
    assert (together.status, codes) == (
        200,
        ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", "PROCESSING_HALTED"],
    )
    assert await plain.values("SELECT Name FROM Account ORDER BY Name") == ["Acme", "Other"]
    assert len((await plain.books())["accepted"]) == accepted


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "JSON_PARSER_ERROR"),
        ({"compositeRequest": []}, "JSON_PARSER_ERROR"),
        ({"compositeRequest": [part("GET", "/limits", str(number)) for number in range(26)]}, "INVALID_INPUT"),
        ({"compositeRequest": [part("GET", "/query?q=x", str(number)) for number in range(6)]}, "INVALID_INPUT"),
        ({"compositeRequest": [part("GET", "/limits", "a"), part("GET", "/limits", "a")]}, "INVALID_INPUT"),
        ({"compositeRequest": [part("GET", "/limits", "a b")]}, "INVALID_INPUT"),
    ],
)
async def test_composite_requests_that_are_refused_as_a_whole(plain: Any, body: Any, code: str) -> None:
    assert ((answer := await plain.post("/composite", body)).status, answer.code) == (400, code)


async def test_what_stands_in_a_composite_request_has_versions_and_limits_too(plain: Any) -> None:
    parts = [
        {"method": "GET", "url": "/services/data/v20.0/limits", "referenceId": "old"},
        {"method": "GET", "url": "/elsewhere", "referenceId": "nowhere"},
        part("POST", "/composite", "again", {"compositeRequest": []}),
        part("GET", "/limits", "good"),
    ]
    results = (await plain.post("/composite", {"compositeRequest": parts})).body["compositeResponse"]
    assert [one["httpStatusCode"] for one in results] == [410, 404, 400, 200]


async def test_a_graph_is_all_or_none_and_the_next_one_is_not(plain: Any) -> None:
    def graph(name: str, *, last: Any) -> dict[str, Any]:
        parts = [
            part("POST", "/sobjects/Account", "a", {"Name": name}),
            part("POST", "/sobjects/Contact", "b", {"LastName": last, "AccountId": "@{a.id}"}),
        ]
        return {"graphId": name, "compositeRequest": parts}

    answer = await plain.post("/composite/graph", {"graphs": [graph("good", last="Bee"), graph("bad", last=None)]})
    good, bad = answer.body["graphs"]
    assert (good["graphId"], good["isSuccessful"], bad["isSuccessful"]) == ("good", True, False)
    codes = [one["body"][0]["errorCode"] for one in bad["graphResponse"]["compositeResponse"]]
    assert codes == ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert await plain.values("SELECT Name FROM Account") == ["good"]
    deep = [part("POST", "/sobjects/Account", "n0", {"Name": "0"})]
    for number in range(1, 16):
        body = {"Name": str(number), "ParentId": f"@{{n{number - 1}.id}}"}
        deep.append(part("POST", "/sobjects/Account", f"n{number}", body))
    refused = await plain.post("/composite/graph", {"graphs": [{"graphId": "deep", "compositeRequest": deep}]})
    assert refused.code == "INVALID_INPUT"
    many = [graph(str(number), last="Bee") for number in range(76)]
    assert (await plain.post("/composite/graph", {"graphs": many})).code == "INVALID_INPUT"
    assert (await plain.post("/composite/graph", {"graphs": [graph("x", last="B")] * 2})).code == "INVALID_INPUT"


async def test_the_nodes_of_a_graph_are_records_of_a_few_kinds(plain: Any) -> None:
    def graph(*parts: Any) -> dict[str, Any]:
        return {"graphs": [{"graphId": "g", "compositeRequest": list(parts)}]}

    assert (await plain.post("/composite/graph", graph(part("GET", "/query?q=x", "a")))).code == "INVALID_INPUT"
    listed = (await plain.get("/sobjects")).body["sobjects"]
    kinds = [part("GET", f"/sobjects/{one['name']}/x", f"n{number}") for number, one in enumerate(listed)]
    assert (await plain.post("/composite/graph", graph(*kinds))).code == "INVALID_INPUT"
    assert (await plain.post("/composite/graph", graph(*kinds[:15]))).body["graphs"][0]["isSuccessful"] is False


async def test_a_batch_goes_on_or_halts(plain: Any) -> None:
    requests = [
        {"method": "GET", "url": "v68.0/limits"},
        {"method": "PATCH", "url": "v68.0/sobjects/Account/001010000000009AAA", "richInput": {"Name": "A"}},
        {"method": "POST", "url": "v68.0/sobjects/Account", "richInput": {"Name": "A"}},
    ]
    on = (await plain.post("/composite/batch", {"batchRequests": requests})).body
    assert (on["hasErrors"], [one["statusCode"] for one in on["results"]]) == (True, [200, 404, 201])
    halted = (await plain.post("/composite/batch", {"batchRequests": requests, "haltOnError": True})).body
    assert [one["statusCode"] for one in halted["results"]] == [200, 404, 412]
    assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


async def test_a_tree_is_planted_whole_or_not(plain: Any) -> None:
    def tree(last: str | None) -> dict[str, Any]:
        contact = {"attributes": {"type": "Contact", "referenceId": "c1"}, "LastName": last}
        return {
            "records": [
                {
                    "attributes": {"type": "Account", "referenceId": "a1"},
                    "Name": "Acme",
                    "Contacts": {"records": [contact]},
                },
                {"attributes": {"type": "Account", "referenceId": "a2"}, "Name": "Birch"},
            ]
        }

    bad = await plain.post("/composite/tree/Account", tree(None))
    assert (bad.status, bad.body["hasErrors"], bad.body["results"][0]["referenceId"]) == (400, True, "c1")
    assert bad.body["results"][0]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    assert await plain.rows("SELECT Id FROM Account") == []
    good = await plain.post("/composite/tree/Account", tree("Bee"))
    assert (good.status, [one["referenceId"] for one in good.body["results"]]) == (201, ["a1", "c1", "a2"])
    found = await plain.rows("SELECT LastName, Account.Name FROM Contact")
    assert found[0]["Account"]["Name"] == "Acme"
    twice = {"records": [{"attributes": {"type": "Account", "referenceId": "x"}, "Name": "A"}] * 2}
    assert (await plain.post("/composite/tree/Account", twice)).code == "INVALID_INPUT"


async def test_a_collection_tells_of_each_record_in_order(plain: Any) -> None:
    records = [account("One"), account(""), {"attributes": {"type": "Contact"}, "LastName": "Bee"}]
    made = (await plain.post("/composite/sobjects", {"records": records})).body
    assert [one["success"] for one in made] == [True, False, True]
    assert made[1]["errors"] == [
        {"statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [Name]", "fields": ["Name"]}
    ]
    nothing = (await plain.post("/composite/sobjects", {"allOrNone": True, "records": records})).body
    assert [one["errors"][0]["statusCode"] for one in nothing] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUIRED_FIELD_MISSING",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    ]
    assert await plain.values("SELECT COUNT(Id) FROM Account") == [1]
    changes = [
        {"attributes": {"type": "Account"}, "id": made[0]["id"], "Name": "Two"},
        {"attributes": {"type": "Account"}, "id": "001010000000099AAA", "Name": "x"},
        {"attributes": {"type": "Account"}, "id": "x", "Name": "x"},
        {"attributes": {"type": "Account"}, "Name": "x"},
        {"attributes": {"type": "Nothing"}, "id": made[0]["id"]},
    ]
    changed = (await plain.patch("/composite/sobjects", {"records": changes})).body
    assert [one["success"] or one["errors"][0]["statusCode"] for one in changed] == [
        True,
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
        "INVALID_TYPE",
    ]
    ids = [made[0]["id"], made[2]["id"]]
    read = (await plain.post("/composite/sobjects/Account", {"ids": [*ids, "x"], "fields": ["Name"]})).body
    assert [one and one["Name"] for one in read] == ["Two", None, None]
    listed = (await plain.get(f"/composite/sobjects/Account?ids={ids[0]}&fields=Id,Name")).body
    assert listed[0]["Name"] == "Two"
    gone = await plain.call("DELETE", f"/composite/sobjects?ids={','.join(ids)},{ids[0]}&allOrNone=false")
    assert [one["success"] for one in gone.body] == [True, True, False]
    assert gone.body[2]["errors"][0]["statusCode"] == "ENTITY_IS_DELETED"


async def test_a_collection_is_upserted_by_a_key(plain: Any) -> None:
    records = [account("One", Billing_Id__c="c1"), account("Two", Billing_Id__c="c2"), account("x")]
    path = "/composite/sobjects/Account/Billing_Id__c"
    first = (await plain.patch(path, {"records": records})).body
    assert [one["created"] for one in first] == [True, True, False]
    assert first[2]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"
    second = (await plain.patch(path, {"records": [account("Three", Billing_Id__c="c1"), *records[:2]]})).body
    assert [one["errors"][0]["statusCode"] if one["errors"] else one["created"] for one in second] == [
        "DUPLICATE_VALUE",
        "DUPLICATE_VALUE",
        False,
    ]
    assert (await plain.patch("/composite/sobjects/Account/Name", {"records": records})).status == 404
    mixed = {"records": [{"attributes": {"type": "Contact"}, "LastName": "x"}]}
    assert (await plain.patch(path, mixed)).code == "INVALID_TYPE"


async def test_a_collection_has_a_largest_size(plain: Any) -> None:
    too_many = {"records": [account(str(number)) for number in range(201)]}
    assert (await plain.post("/composite/sobjects", too_many)).code == "EXCEEDED_ID_LIMIT"
    contact = {"attributes": {"type": "Contact"}, "LastName": "x"}
    runs = {"records": [account("x"), contact] * 6}
    assert (await plain.post("/composite/sobjects", runs)).code == "INVALID_BATCH_OPERATION"
    assert (await plain.post("/composite/sobjects", {"records": "x"})).code == "JSON_PARSER_ERROR"
    assert (await plain.post("/composite/sobjects", {"records": []})).code == "MISSING_ARGUMENT"


async def test_a_failed_record_of_a_collection_leaves_nothing_behind(shop: Any) -> None:
    opportunity = await shop.make("Opportunity", Name="O", StageName="Prospecting", CloseDate="2026-01-31")
    entry = (await shop.values("SELECT Id FROM PricebookEntry"))[0]
    line = {"attributes": {"type": "OpportunityLineItem"}, "OpportunityId": opportunity, "PricebookEntryId": entry}
    records = [{**line, "Quantity": 1, "UnitPrice": 5}, {**line, "Quantity": 1}]
    await shop.post("/composite/sobjects", {"allOrNone": True, "records": records})
    read = (await shop.get(f"/sobjects/Opportunity/{opportunity}")).body
    assert (read["HasOpportunityLineItem"], read["Amount"], read["Pricebook2Id"]) == (False, None, None)
