"""Lists with filters, the metadata catalog, validation of names, permissions, and the shared pool of requests."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest

RECORDS = "/services/rest/record/v1"


async def _ids(plain: Any, kind: str, filter: str) -> list[str]:
    answer = await plain.get(f"/{kind}?q={quote(filter)}")
    assert answer.status == 200, answer.body
    assert "q=" in answer.body["links"][0]["href"]
    return [item["id"] for item in answer.body["items"]]


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        ('companyName IS "Acme"', ["1001"]),
        ("companyname START_WITH Sak", ["1002"]),
        ("companyName IS_NOT Acme AND companyName CONTAIN u", ["1002", "1003"]),
        ("companyName ENDWITH ne OR id EQUAL 1001", ["1001", "1003"]),
        ("id BETWEEN [1002, 1003]", ["1002", "1003"]),
        ("id ANY_OF [1001, 1003]", ["1001", "1003"]),
        ("id ANY_OF_NOT [1001, 1003]", ["1002"]),
        ("subsidiary ANY_OF [3, 5] AND (companyName IS Dune OR companyName IS Acme)", ["1003"]),
        ("companyName IS Acme OR companyName IS Dune AND id LESS 1003", ["1001"]),
        ("email EMPTY", ["1001", "1002", "1003"]),
        ("email EMPTY_NOT", []),
        ("isPerson IS false AND balance EQUAL 0", ["1001", "1002", "1003"]),
        ('externalId IS "cus_2"', ["1002"]),
        ('dateCreated AFTER "1/1/2019"', ["1001", "1002", "1003"]),
        ('dateCreated BEFORE "1/1/2019"', []),
        ('companyName IS "a \\"b\\""', []),
    ],
)
async def test_filters(plain: Any, filter: str, ids: list[str]) -> None:
    assert await _ids(plain, "customer", filter) == ids


async def test_filters_by_amount_and_day(plain: Any, make_invoice: Any) -> None:
    for number, (amount, day) in enumerate([("10.10", "2026-01-31"), ("20.20", "2026-02-28")], start=1):
        await plain.put(f"/invoice/eid:in_{number}", make_invoice(amount, tranDate=day))
    assert await _ids(plain, "invoice", "total GREATER_OR_EQUAL 20.2") == ["5002"]
    assert await _ids(plain, "invoice", 'tranDate ON "1/31/2026"') == ["5001"]
    assert await _ids(plain, "invoice", 'tranDate ON_OR_BEFORE "1/31/2026" OR total LESS 10') == ["5001"]
    assert await _ids(plain, "invoice", "entity EQUAL 1001") == ["5001", "5002"]


@pytest.mark.parametrize(
    "filter",
    [
        "companyName",
        "companyName IS",
        "companyName EQUAL Acme",
        "nothing IS Acme",
        "id IS Acme",
        "id EQUAL Acme",
        'dateCreated AFTER "2019-01-01"',
        "(companyName IS Acme",
        "companyName IS Acme companyName IS Dune",
        "companyName IS Acme AND",
        "id BETWEEN [1]",
        "id ANY_OF [1, 2",
        "isPerson IS perhaps",
        "addressBook EMPTY",
        'companyName IS "open',
    ],
)
async def test_filters_that_make_no_sense_are_refused(plain: Any, filter: str) -> None:
    answer = await plain.get(f"/customer?q={quote(filter)}")
    assert (answer.status, answer.error["o:errorCode"], answer.error["o:errorQueryParam"]) == (
        400,
        "INVALID_PARAMETER",
        "q",
    )


async def test_filtered_lists_are_paged(plain: Any) -> None:
    first = await plain.get("/customer?q=id%20GREATER%201000&limit=2")
    assert (first.body["count"], first.body["hasMore"], first.body["totalResults"]) == (2, True, 3)
    following = next(link["href"] for link in first.body["links"] if link["rel"] == "next")
    second = await plain.call("GET", following.removeprefix(plain.served.url))
    assert [item["id"] for item in second.body["items"]] == ["1003"]
    for page in ("limit=1001", "limit=0", "limit=2&offset=1", "limit=1&offset=1000", "limit=x"):
        assert (await plain.get(f"/customer?{page}")).error["o:errorCode"] == "INVALID_PARAMETER"


async def test_catalog_names_the_types_and_describes_those_that_are_selected(plain: Any) -> None:
    names = [item["name"] for item in (await plain.get("/metadata-catalog")).body["items"]]
    assert {"customer", "invoice", "creditMemo", "customerPayment"} <= set(names)
    headers = {"Accept": "application/swagger+json"}
    swagger = (await plain.call("GET", f"{RECORDS}/metadata-catalog?select=invoice,customer", headers=headers)).body
    assert (swagger["openapi"], sorted(swagger["components"]["schemas"])) == ("3.0.1", ["customer", "invoice"])
    assert sorted(swagger["paths"]) == ["/customer", "/customer/{id}", "/invoice", "/invoice/{id}"]
    for name in ("nothing", "?select=nothing"):
        assert (await plain.get(f"/metadata-catalog/{name}".replace("/?", "?"))).status == 404


async def test_records_fit_their_schemas(plain: Any, make_invoice: Any) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("100.00", tax="19.00"))
    headers = {"Accept": "application/schema+json"}
    for name, key in (("invoice", "5001"), ("customer", "1001")):
        schema = (await plain.call("GET", f"{RECORDS}/metadata-catalog/{name}", headers=headers)).body
        record = (await plain.get(f"/{name}/{key}?expandSubResources=true")).body
        known = {field for field, shape in schema["properties"].items() if shape}
        assert set(record) <= known | {"links"}
        jsonschema_rs.validate(schema, json.loads(json.dumps(record, default=float)))
        assert {"id", "externalId", "currency"} <= set(schema["x-ns-filterable"])
        assert schema["properties"]["lastModifiedDate"]["readOnly"]


async def test_unknown_names_are_refused_warned_of_or_ignored(plain: Any) -> None:
    body = {"companyName": "Acme", "compnyName": "x", "addressBook": {"items": [{"lable": "x"}]}}
    refused = await plain.put("/customer/eid:cus_1", body, names="error")
    assert (refused.status, refused.error["o:errorPath"]) == (400, "compnyName")
    warned = await plain.put("/customer/eid:cus_1", body, names="warning")
    assert (warned.status, "compnyName, addressBook.items[0].lable" in warned.headers["Warning"]) == (204, True)
    default = await plain.call("PUT", f"{RECORDS}/customer/eid:cus_1", body)
    assert "Warning" in default.headers
    assert "Warning" not in (await plain.put("/customer/eid:cus_1", body, names="ignore")).headers
    assert (await plain.put("/customer/eid:cus_1", body, names="perhaps")).error["o:errorCode"] == "INVALID_HEADER"


@pytest.mark.parametrize(
    ("denied", "method", "path", "body"),
    [
        ("rest_webservices", "GET", f"{RECORDS}/metadata-catalog", None),
        ("customer", "GET", f"{RECORDS}/customer/1001", None),
        ("customer", "PUT", f"{RECORDS}/customer/eid:cus_1", {"companyName": "x"}),
        ("suiteql", "POST", "/services/rest/query/v1/suiteql", {"q": "SELECT id FROM customer"}),
        ("governanceLimits", "GET", "/services/rest/system/v1/governanceLimits", None),
    ],
)
async def test_role_without_the_permission_is_refused(
    plain: Any, denied: str, method: str, path: str, body: Any
) -> None:
    headers = {"Prefer": "transient"}
    assert (await plain.call(method, path, body, headers=headers)).status < 300
    await plain.seed({"settings": {"denied": [denied]}})
    answer = await plain.call(method, path, body, headers=headers)
    assert (answer.status, answer.error["o:errorCode"]) == (403, "INSUFFICIENT_PERMISSION")


async def test_pool_is_shared_with_other_integrations(plain: Any) -> None:
    await plain.seed({"settings": {"latency": 0.2, "others": 3}})
    answers = await asyncio.gather(*(plain.get("/customer/1001") for _ in range(4)))
    assert sorted(answer.status for answer in answers) == [200, 200, 429, 429]
    limits = (await plain.call("GET", "/services/rest/system/v1/governanceLimits")).body
    assert limits == {
        "accountConcurrencyLimit": 5,
        "accountUnallocatedConcurrencyLimit": 5,
        "integrationLimitType": "accountLimit",
    }


async def test_server_tells_its_time(plain: Any) -> None:
    answer = await plain.call("GET", "/services/rest/system/v1/serverTime")
    assert answer.body["serverTime"].startswith(plain.served.world.clock.now().strftime("%Y-%m-%dT%H:%M"))
