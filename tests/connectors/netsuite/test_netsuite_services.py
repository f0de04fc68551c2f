"""The sandbox's other services: SuiteQL, RESTlets, governance, and faults on the wire."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

SUITEQL = "/services/rest/query/v1/suiteql"
RESTLET = "/app/site/hosting/restlet.nl"
NOTICE = "?script=customscript_collections_notice&deploy=customdeploy_collections_notice"
WHERE = "SELECT t.id FROM transaction t WHERE {} ORDER BY t.id"


async def _business(plain: Any, make_invoice: Any) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("100.00", memo="first"))
    await plain.put("/invoice/eid:in_2", make_invoice("250.50", memo="it's 100%"))
    await plain.put("/invoice/eid:in_3", make_invoice("1500", customer="cus_2", tranDate="2026-03-05"))
    apply = {"items": [{"doc": {"id": "5001"}}]}
    await plain.post("/customerPayment", {"customer": {"id": "1001"}, "memo": "concord:k1", "apply": apply})


async def test_values_are_text_and_nulls_are_left_out(plain: Any, make_invoice: Any) -> None:
    await _business(plain, make_invoice)
    answer = await plain.query(
        "SELECT id, TranId, memo, trandate, foreigntotal, type FROM transaction ORDER BY id DESC"
    )
    assert answer.status == 200
    assert (answer.body["count"], answer.body["totalResults"], answer.body["hasMore"]) == (4, 4, False)
    assert answer.body["items"][0]["type"] == "CustPymt"
    assert answer.body["items"][1] == {
        "links": [],
        "id": "5003",
        "tranid": "INV00003",
        "trandate": "3/5/2026",
        "foreigntotal": "1500",
        "type": "CustInvc",
    }


@pytest.mark.parametrize(
    ("where", "params", "ids"),
    [
        ("type = 'CustPymt' AND memo = ?", ["concord:k1"], ["5004"]),
        ("type = 'CustInvc' AND memo = ?", ["concord:k1"], []),
        ("memo = 'it''s 100%'", [], ["5002"]),
        ("memo LIKE 'concord:%' OR externalid = ?", ["in_3"], ["5003", "5004"]),
        ("memo IS NULL", [], ["5003"]),
        ("NOT memo = 'first'", [], ["5002", "5004"]),
        ("memo NOT LIKE '%s%' AND memo IS NOT NULL", [], ["5004"]),
        ("id IN (?, ?, 9)", ["5001", "5002"], ["5001", "5002"]),
        ("id NOT IN (5001, 5002)", [], ["5003", "5004"]),
        ("id > ? AND id <= 5003", ["5001"], ["5002", "5003"]),
        ("t.foreigntotal BETWEEN 200 AND 300.5", [], ["5002"]),
        ("foreigntotal <> 100", [], ["5002", "5003"]),
        ("(type = 'CustInvc' OR memo = 'x') AND foreigntotal < 200", [], ["5001"]),
        ("trandate >= '3/1/2026' AND type = 'CustInvc'", [], ["5003"]),
        ("trandate = TO_DATE('2026-03-05', 'YYYY-MM-DD')", [], ["5003"]),
        ("UPPER(memo) = 'FIRST'", [], ["5001"]),
        ("status = 'B' AND type = 'CustInvc'", [], ["5001"]),
        ("foreignamountunpaid > 0", [], ["5002", "5003"]),
        ("lastmodifieddate > '1/1/2020' AND id = 5001", [], ["5001"]),
        ("id = -1", [], []),
    ],
)
async def test_conditions(plain: Any, make_invoice: Any, where: str, params: list[str], ids: list[str]) -> None:
    await _business(plain, make_invoice)
    answer = await plain.query(WHERE.format(where), *params)
    assert answer.status == 200, answer.body
    assert [row["id"] for row in answer.body["items"]] == ids


async def test_grouping_and_other_tables(plain: Any, make_invoice: Any) -> None:
    await _business(plain, make_invoice)
    grouped = await plain.query(
        "SELECT currency, COUNT(*) AS documents, SUM(foreigntotal) total FROM transaction "
        "WHERE type = 'CustInvc' GROUP BY currency ORDER BY total DESC"
    )
    rows = [{name: row[name] for name in ("currency", "documents", "total")} for row in grouped.body["items"]]
    assert rows == [
        {"currency": "5", "documents": "1", "total": "1500"},
        {"currency": "4", "documents": "2", "total": "350.5"},
    ]
    lines = await plain.query("SELECT foreignamount FROM transactionline WHERE transaction = 5002 AND mainline = 'F'")
    assert lines.body["items"] == [{"links": [], "foreignamount": "-250.5"}]
    customers = await plain.query("SELECT id FROM customer WHERE externalid = 'cus_2'")
    assert customers.body["items"] == [{"links": [], "id": "1002"}]
    assert (await plain.query("SELECT DISTINCT type FROM transaction ORDER BY type")).body["count"] == 2
    assert (await plain.query("SELECT symbol FROM currency WHERE id = 6")).body["items"][0]["symbol"] == "KWD"
    stamp = await plain.query(
        "SELECT TO_CHAR(trandate, 'YYYY-MM-DD\"T\"HH24:MI:SS') AS day FROM transaction WHERE id = 5003"
    )
    assert stamp.body["items"][0]["day"] == "2026-03-05T00:00:00"
    assert (await plain.query("SELECT COUNT(*) FROM transaction WHERE id = 1")).body["items"][0]["expr1"] == "0"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT",
        "SELECT id",
        "SELECT id FROM nowhere",
        "SELECT nothing FROM transaction",
        "SELECT id FROM transaction WHERE",
        "SELECT id FROM transaction WHERE id",
        "SELECT id FROM transaction WHERE id = ",
        "SELECT id FROM transaction WHERE id = ?",
        "SELECT id FROM transaction WHERE (id = 1",
        "SELECT id FROM transaction; DROP TABLE transaction",
        "SELECT id FROM transaction t JOIN entity e ON e.id = t.entity",
        "SELECT id FROM transaction WHERE id = 'x'",
        "SELECT id FROM transaction WHERE trandate > '2026-01-01'",
        "SELECT x.id FROM transaction t",
        "SELECT id, COUNT(*) FROM transaction",
        "SELECT NOPE(id) FROM transaction",
        "SELECT id FROM transaction WHERE COUNT(*) > 1",
        "DELETE FROM transaction",
        "SELECT id FROM transaction WHERE memo = 'open",
    ],
)
async def test_queries_that_make_no_sense_are_refused(plain: Any, make_invoice: Any, query: str) -> None:
    await _business(plain, make_invoice)
    answer = await plain.query(query)
    assert (answer.status, answer.error["o:errorCode"]) == (400, "INVALID_PARAMETER"), answer.body


async def test_query_requests_follow_the_rules(plain: Any) -> None:
    missing = await plain.call("POST", SUITEQL, {"q": "SELECT id FROM customer"})
    assert (missing.status, missing.error["o:errorHeader"]) == (400, "Prefer")
    for body in ({}, {"q": 1}, {"q": "SELECT id FROM customer", "params": "x"}, b"no"):
        assert (await plain.call("POST", SUITEQL, body, headers={"Prefer": "transient"})).status == 400
    surplus = await plain.query("SELECT id FROM customer WHERE id = ?", "1001", "1002")
    assert surplus.status == 400
    for page in ("?limit=1001", "?limit=2&offset=1", "?limit=1000&offset=100000"):
        refused = await plain.query("SELECT id FROM customer", page=page)
        assert (refused.status, refused.error["o:errorCode"]) == (400, "INVALID_PARAMETER")
    second = await plain.query("SELECT id FROM customer ORDER BY id", page="?limit=2&offset=2")
    assert [row["id"] for row in second.body["items"]] == ["1003"]
    assert second.body["hasMore"] is False


async def test_restlet_does_it_again_on_every_call(plain: Any) -> None:
    for place in (1, 2):
        answer = await plain.call("POST", RESTLET + NOTICE, {"customer": "1001", "amount": 12.34})
        assert (answer.status, answer.body["notice"]) == (200, place)
    assert [call["body"]["customer"] for call in (await plain.books())["restletCalls"]] == ["1001", "1001"]
    unknown = await plain.call("POST", RESTLET + "?script=7&deploy=1", {})
    assert (unknown.status, unknown.body["error"]["code"]) == (400, "SSS_INVALID_SCRIPTLET_ID")
    thrown = await plain.call("POST", RESTLET + NOTICE, {})
    assert (thrown.status, thrown.body["error"]["code"]) == (400, "SSS_MISSING_REQD_ARGUMENT")


async def test_sixth_request_at_once_is_refused(plain: Any) -> None:
    await plain.seed({"settings": {"latency": 0.2}})
    paths = ["/customer/1001"] * 8
    answers = await asyncio.gather(*(plain.get(path) for path in paths))
    refused = [answer for answer in answers if answer.status != 200]
    assert len(refused) == 3
    assert {answer.status for answer in refused} == {429}
    assert refused[0].error["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert "Retry-After" not in refused[0].headers
    calls = await asyncio.gather(*(plain.call("POST", RESTLET + NOTICE, {"customer": "1"}) for _ in range(6)))
    assert sorted(answer.status for answer in calls) == [200] * 5 + [400]
    over = next(answer for answer in calls if answer.status == 400)
    assert over.body["error"]["code"] == "SSS_REQUEST_LIMIT_EXCEEDED"
    await plain.seed({"settings": {"concurrency": 8}})
    assert {answer.status for answer in await asyncio.gather(*(plain.get(path) for path in paths))} == {200}
    limits = await plain.call("GET", "/services/rest/system/v1/governanceLimits")
    assert limits.body["accountConcurrencyLimit"] == 8


async def test_faults_speak_netsuite(plain: Any, make_invoice: Any) -> None:
    await plain.faults(
        [{"kind": "429", "times": 1}, {"kind": "500", "times": 1}, {"kind": "reset_after_commit", "times": 1}]
    )
    assert (await plain.get("/customer/1001")).error["o:errorCode"] == "CONCURRENCY_LIMIT_EXCEEDED"
    assert (await plain.get("/customer/1001")).error["o:errorCode"] == "UNEXPECTED_ERROR"
    with pytest.raises(aiohttp.ClientError):
        await plain.post("/invoice", make_invoice("10.00", externalId="in_1"))
    assert [one["externalId"] for one in (await plain.books())["invoices"]] == ["in_1"]


async def test_simple_requests_are_quick(plain: Any) -> None:
    await plain.seed({"settings": {"concurrency": 64}})

    async def some() -> None:
        for _ in range(20):
            assert (await plain.get("/customer/1001")).status == 200

    started = time.perf_counter()
    await asyncio.gather(*(some() for _ in range(8)))
    # Client and server share this process and its one loop; this only guards against a collapse.
    assert time.perf_counter() - started < 3


async def test_reset_forgets_business_and_keeps_the_integration(plain: Any, make_invoice: Any) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("10.00"))
    await plain.served.world.reset()
    assert (await plain.get("/customer/1001")).status == 401
    await plain.sign_in()
    books = await plain.books()
    assert not books["invoices"]
    assert not books["customers"]
    assert not books["accepted"]
