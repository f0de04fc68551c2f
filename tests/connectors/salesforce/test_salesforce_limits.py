"""The sandbox's limits, versions, pages of queries, and the faults that only this vendor has."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest


async def test_every_call_is_counted_and_the_day_rolls_on(plain: Any) -> None:
    await plain.seed(settings={"daily_requests": 5})
    used = [(await plain.get("/sobjects/Account/x")).headers["Sforce-Limit-Info"] for _ in range(5)]
    assert used == [f"api-usage={number}/5" for number in range(1, 6)]
    refused = await plain.get("/limits")
    assert (refused.status, refused.code, refused.message) == (
        403,
        "REQUEST_LIMIT_EXCEEDED",
        "TotalRequests Limit exceeded.",
    )
    assert "Retry-After" not in refused.headers
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=5/5"
    assert (await plain.control("health")).body["progress"]["refused_by_limits"] == 1
    await plain.advance(86_401)
    await plain.sign_in()
    left = (await plain.get("/limits")).body["DailyApiRequests"]
    assert left == {"Max": 5, "Remaining": 4}
    await plain.seed(calls=4)
    assert (await plain.get("/limits")).status == 403


async def test_too_many_long_calls_at_once(plain: Any) -> None:
    await plain.seed(settings={"concurrent_requests": 2, "long_running_seconds": 0, "latency": 0.2})
    answers = await asyncio.gather(*(plain.get("/limits") for _ in range(4)))
    refused = [answer for answer in answers if answer.status == 403]
    assert len(refused) == 2
    assert refused[0].message == "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    await plain.seed(settings={"long_running_seconds": 20})
    answers = await asyncio.gather(*(plain.get("/limits") for _ in range(4)))
    assert {answer.status for answer in answers} == {200}


async def test_versions_are_listed_for_everybody(plain: Any) -> None:
    async with plain.session.get(f"{plain.served.url}/services/data") as answer:
        listed = await answer.json()
        assert "Sforce-Limit-Info" not in answer.headers
    assert listed[-1] == {"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}
    assert [one["label"] for one in listed[-4:-1]] == ["Winter '26", "Spring '26", "Summer '26"]
    assert listed[0]["version"] == "31.0"
    for version, status in ((31, 200), (45, 200), (68, 200), (30, 410), (7, 410), (69, 404)):
        assert (await plain.get(f"/services/data/v{version}.0/limits")).status == status
    assert (await plain.get("/services/data/v68.5/limits")).status == 404
    assert "sobjects" in (await plain.get("/")).body
    await plain.seed(settings={"oldest_version": 41})
    assert (await plain.get("/services/data/v40.0/limits")).code == "GONE"


async def test_an_address_has_a_longest_length(plain: Any) -> None:
    soql = "SELECT Id FROM Account WHERE Name IN ('{}')"
    assert (await plain.query(soql.format("x" * 16_000))).status == 200
    longer = await plain.query(soql.format("x" * 17_000))
    assert (longer.status, longer.code) == (414, "URI_TOO_LONG")


async def test_pages_of_a_query_are_a_hint_and_stay_as_they_were(plain: Any) -> None:
    await plain.seed(generate={"accounts": 450})
    soql = "SELECT Id, Name FROM Account ORDER BY Name"
    first = (await plain.query(soql, Sforce_Query_Options="batchSize=1")).body
    assert (first["totalSize"], first["done"], len(first["records"])) == (450, False, 200)
    assert first["nextRecordsUrl"].startswith("/services/data/v68.0/query/0r8")
    await plain.make("Account", Name="A new one")
    second = (await plain.get(first["nextRecordsUrl"], Sforce_Query_Options="batchSize=200")).body
    third = (await plain.get(second["nextRecordsUrl"], Sforce_Query_Options="batchSize=200")).body
    assert (third["done"], "nextRecordsUrl" in third, third["totalSize"]) == (True, False, 450)
    ids = {row["Id"] for page in (first, second, third) for row in page["records"]}
    assert len(ids) == 450
    assert len((await plain.query(soql)).body["records"]) == 451
    for locator in ("0r8010000000009AAA-200", "x", first["nextRecordsUrl"].rpartition("/")[2][:-3] + "99999"):
        wrong = await plain.get(f"/query/{locator}")
        assert (wrong.status, wrong.code, wrong.message) == (400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    await plain.advance(2 * 86_400 + 1)
    await plain.sign_in()
    assert (await plain.get(first["nextRecordsUrl"])).code == "INVALID_QUERY_LOCATOR"
    await plain.seed(settings={"rows_per_page": 50})
    assert len((await plain.query(soql)).body["records"]) == 50


async def test_lists_of_children_have_pages_of_their_own(plain: Any) -> None:
    await plain.seed(generate={"accounts": 1, "contacts": 450})
    outer = (await plain.query("SELECT Id, (SELECT Id FROM Contacts) FROM Account")).body
    assert outer["done"] is True
    children = outer["records"][0]["Contacts"]
    seen = [row["Id"] for row in children["records"]]
    assert (children["totalSize"], children["done"], len(seen)) == (450, False, 200)
    while not children["done"]:
        children = (await plain.get(children["nextRecordsUrl"], Sforce_Query_Options="batchSize=200")).body
        seen += [row["Id"] for row in children["records"]]
    assert len(set(seen)) == len(seen) == 450


async def test_reading_on_by_the_time_of_the_last_change(plain: Any) -> None:
    await plain.seed(generate={"accounts": 30})
    soql = "SELECT Id, SystemModstamp FROM Account WHERE {} ORDER BY SystemModstamp, Id LIMIT 7"
    stamp, last, seen = "2020-01-01T00:00:00.000+0000", "000000000000000AAA", []
    while rows := await plain.rows(
        soql.format(f"SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{last}')")
    ):
        seen += [row["Id"] for row in rows]
        stamp, last = rows[-1]["SystemModstamp"], rows[-1]["Id"]
    assert len(seen) == len(set(seen)) == 30
    await plain.advance(60)
    await plain.patch(f"/sobjects/Account/{seen[3]}", {"Name": "Changed"})
    await plain.post(
        "/composite/sobjects",
        {
            "allOrNone": True,
            "records": [
                {"attributes": {"type": "Account"}, "id": seen[5], "Name": "Undone"},
                {"attributes": {"type": "Account"}, "id": seen[6], "Name": None},
            ],
        },
    )
    since = "SELECT Id FROM Account WHERE SystemModstamp > {}"
    assert await plain.values(since.format(stamp)) == [seen[3]]
    assert len(await plain.rows("SELECT Id FROM Account WHERE SystemModstamp >= 2020-01-01T00:00:00Z")) == 30


async def test_a_long_transaction_shows_records_that_look_old(plain: Any) -> None:
    await plain.make("Account", Name="First")
    (stamp,) = await plain.values("SELECT SystemModstamp FROM Account")
    await plain.advance(60)
    await plain.make("Account", Name="Last")
    await plain.seed(late_records=[{"type": "Account", "Name": "Late", "seconds": 30}])
    soql = "SELECT Name FROM Account WHERE SystemModstamp {} {} ORDER BY SystemModstamp"
    assert await plain.values(soql.format(">", stamp)) == ["Late", "Last"]
    (late,) = await plain.values("SELECT SystemModstamp FROM Account WHERE Name = 'Late'")
    assert await plain.values(soql.format(">", late)) == ["Last"]
    assert await plain.values(soql.format(">=", stamp)) == ["First", "Late", "Last"]


async def test_aggregates_come_in_one_page_or_not_at_all(plain: Any) -> None:
    await plain.seed(generate={"accounts": 12}, settings={"aggregate_rows": 10})
    refused = await plain.query("SELECT Name, COUNT(Id) FROM Account GROUP BY Name")
    assert (refused.code, "queryMore()" in refused.message) == ("EXCEEDED_ID_LIMIT", True)
    assert len(await plain.rows("SELECT Name, COUNT(Id) FROM Account GROUP BY Name LIMIT 10")) == 10


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("unable_to_lock_row", 400, "UNABLE_TO_LOCK_ROW"),
        ("400", 400, "FIELD_INTEGRITY_EXCEPTION"),
        ("401", 401, "INVALID_SESSION_ID"),
        ("403", 403, "INSUFFICIENT_ACCESS_OR_READONLY"),
        ("404", 404, "NOT_FOUND"),
        ("410", 410, "GONE"),
        ("429", 403, "REQUEST_LIMIT_EXCEEDED"),
        ("500", 500, "UNKNOWN_EXCEPTION"),
        ("500_after_commit", 500, "UNKNOWN_EXCEPTION"),
        ("503", 503, "SERVER_UNAVAILABLE"),
    ],
)
async def test_faults_come_in_salesforces_words(plain: Any, kind: str, status: int, code: str) -> None:
    await plain.faults({"kind": kind, "times": 1, "retry_after": "5"})
    answer = await plain.post("/sobjects/Account", {"Name": "A"})
    assert (answer.status, answer.code) == (status, code)
    assert "Retry-After" not in answer.headers
    made = len((await plain.books())["accepted"])
    assert made == (kind == "500_after_commit")
    assert (await plain.control("faults")).body["injected"] == {kind: 1}


@pytest.mark.parametrize(("kind", "status"), [("502", 502), ("504", 504), ("gateway_html", 503)])
async def test_gateways_answer_with_pages(plain: Any, kind: str, status: int) -> None:
    await plain.faults({"kind": kind, "times": 1})
    answer = await plain.get("/limits")
    assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (status, "text/html")
    assert answer.body.startswith("<html>")


async def test_a_record_comes_back_as_another_or_as_a_later_release_would_give_it(plain: Any) -> None:
    account = await plain.make("Account", Name="A")
    contract = await plain.make("Contract", AccountId=account)
    await plain.faults(*({"kind": kind, "times": 1} for kind in ("foreign_body", "renamed_field", "unknown_value")))
    foreign, renamed, unknown = [(await plain.get(f"/sobjects/Contract/{contract}")).body for _ in range(3)]
    assert foreign["Id"] == f"{contract}0"
    assert (renamed["Id_v2"], "Id" in renamed) == (contract, False)
    assert unknown["Status"] == "of_a_later_release"
    assert (await plain.control("faults")).body["injected"] == {
        "foreign_body": 1,
        "renamed_field": 1,
        "unknown_value": 1,
    }


async def test_a_page_that_is_packed_is_spoilt_too(plain: Any) -> None:
    await plain.seed(generate={"accounts": 50})
    soql, packed = "SELECT Id, Name FROM Account", {"Accept_Encoding": "gzip"}
    assert (await plain.query(soql, **packed)).headers["Content-Encoding"] == "gzip"
    for kind, rows in (("rows_doubled", 100), ("rows_missing", 49)):
        await plain.faults({"kind": kind, "times": 1})
        spoilt = await plain.query(soql, **packed)
        assert "Content-Encoding" not in spoilt.headers
        assert len(spoilt.body["records"]) == rows
    await plain.faults({"kind": "bad_gzip", "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await plain.query(soql, **packed)


async def test_a_query_may_take_too_long(plain: Any) -> None:
    await plain.faults({"kind": "query_timeout", "times": 1})
    assert (await plain.get("/limits")).status == 200
    assert (await plain.query("SELECT Id FROM Account")).code == "QUERY_TIMEOUT"


async def test_everything_is_forgotten_but_the_keys(plain: Any) -> None:
    await plain.make("Account", Name="A")
    await plain.seed(settings={"daily_requests": 1}, fields=[{"object": "Account", "name": "A__c", "type": "int"}])
    await plain.control("reset", {})
    assert (await plain.get("/limits")).code == "INVALID_SESSION_ID"
    await plain.sign_in()
    assert await plain.rows("SELECT Id FROM Account") == []
    form = {"grant_type": "refresh_token", "refresh_token": plain.facts["refresh_token"]}
    assert (await plain.ask_token(**form, client_id=plain.facts["consumer_key"])).status == 200
    assert "A__c" not in {one["name"] for one in (await plain.get("/sobjects/Account/describe")).body["fields"]}
