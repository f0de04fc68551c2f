"""Asynchronous requests: accepted at once, carried out later, once for each idempotency key; and batches."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

RECORDS = "/services/rest/record/v1"
COLLECTION = "application/vnd.oracle.resource+json; type=collection"
ASYNC = {"Prefer": "respond-async", "X-NetSuite-PropertyNameValidation": "error"}


async def _submit(plain: Any, method: str, path: str, body: Any = None, **headers: str) -> Any:
    return await plain.call(method, RECORDS + path, body, headers={**ASYNC, **headers})


async def _batch(plain: Any, method: str, path: str, items: list[Any], **headers: str) -> Any:
    return await _submit(plain, method, path, {"items": items}, **{"Content-Type": COLLECTION, **headers})


async def _finish(plain: Any) -> None:
    plain.served.world.clock.advance(1)


async def _results(plain: Any, job: str) -> list[Any]:
    tasks = (await plain.call("GET", f"{job}/task/")).body
    found = []
    for item in tasks["items"]:
        path = item["links"][0]["href"].removeprefix(plain.served.url)
        task = (await plain.call("GET", path)).body
        assert task["completed"], task
        related = next(link["href"] for link in task["links"] if link["rel"] == "related")
        found.append(await plain.call("GET", related.removeprefix(plain.served.url)))
    return found


async def test_accepted_request_is_carried_out_later(plain: Any, make_invoice: Any) -> None:
    accepted = await _submit(plain, "POST", "/invoice", make_invoice("10.00", externalId="in_1"))
    assert (accepted.status, accepted.body) == (202, None)
    assert accepted.headers["Preference-Applied"] == "respond-async"
    job = accepted.headers["Location"]
    assert job == "/services/rest/async/v1/job/1"
    assert not (await plain.books())["invoices"]
    pending = (await plain.call("GET", job)).body
    assert (pending["completed"], pending["id"], pending["progress"]) == (False, "1", "pending")
    early = await plain.call("GET", f"{job}/task/1/result")
    assert (early.status, early.error["o:errorCode"]) == (400, "INVALID_REQUEST")
    await _finish(plain)
    done = (await plain.call("GET", job)).body
    assert (done["completed"], done["progress"]) == (True, "succeeded")
    assert done["task"]["links"][0]["href"].endswith(f"{job}/task")
    (result,) = await _results(plain, job)
    assert (result.status, result.id) == (204, "5001")
    assert [one["externalId"] for one in (await plain.books())["invoices"]] == ["in_1"]


async def test_failure_comes_back_as_the_error_it_is(plain: Any, make_invoice: Any) -> None:
    job = (await _submit(plain, "POST", "/invoice", make_invoice("1.00", customer="nobody"))).headers["Location"]
    await _finish(plain)
    assert (await plain.call("GET", job)).body["progress"] == "failed"
    assert (await plain.call("GET", f"{job}/task/1")).body["progress"] == "failed"
    (result,) = await _results(plain, job)
    assert (result.status, result.error["o:errorCode"]) == (400, "INVALID_CONTENT")


async def test_reads_and_transforms_are_jobs_too(plain: Any, make_invoice: Any) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("10.00"))
    read = (await _submit(plain, "GET", "/invoice/5001?expandSubResources=true")).headers["Location"]
    made = (await _submit(plain, "POST", "/invoice/5001/!transform/creditMemo", {})).headers["Location"]
    await _finish(plain)
    assert (await _results(plain, read))[0].body["item"]["count"] == 1
    assert (await _results(plain, made))[0].headers["Location"].endswith("/creditMemo/5002")


async def test_a_key_is_carried_out_once(plain: Any, make_invoice: Any) -> None:
    key = {"X-NetSuite-Idempotency-Key": str(uuid.uuid4())}
    first = await _submit(plain, "POST", "/invoice", make_invoice("10.00"), **key)
    again = await _submit(plain, "POST", "/invoice", make_invoice("10.00"), **key)
    assert (again.status, again.body["title"], again.error["o:errorCode"]) == (400, "Conflict", "IDEMPOTENCY_ERROR")
    assert again.headers["Location"] == first.headers["Location"]
    await _finish(plain)
    later = await _submit(plain, "POST", "/invoice", make_invoice("99.00"), **key)
    assert later.headers["Location"] == first.headers["Location"]
    await _finish(plain)
    assert len((await plain.books())["invoices"]) == 1
    assert len((await plain.books())["jobs"]) == 1


async def test_a_key_is_ignored_at_once_and_must_be_a_uuid(plain: Any, make_invoice: Any) -> None:
    headers = {"X-NetSuite-Idempotency-Key": str(uuid.uuid4())}
    for _ in range(2):
        answer = await plain.call("POST", f"{RECORDS}/invoice", make_invoice("10.00"), headers=headers)
        assert answer.status == 204
    assert len((await plain.books())["invoices"]) == 2
    refused = await _submit(plain, "POST", "/invoice", {}, **{"X-NetSuite-Idempotency-Key": "mine"})
    assert (refused.status, refused.error["o:errorHeader"]) == (400, "X-NetSuite-Idempotency-Key")


async def test_batch_writes_each_record_and_tells_each_result(plain: Any) -> None:
    good = {"externalId": "cus_8", "companyName": "Eight", "subsidiary": {"id": "2"}}
    known = {"externalId": "cus_1", "companyName": "Acme and Daughters"}
    bad = {"externalId": "cus_7", "companyName": "Seven", "subsidiary": {"id": "99"}}
    accepted = await _batch(plain, "PUT", "/customer", [good, known, bad])
    assert accepted.status == 202, accepted.body
    await _finish(plain)
    job = accepted.headers["Location"]
    results = await _results(plain, job)
    assert [result.status for result in results] == [204, 204, 400]
    assert [result.id for result in results[:2]] == ["1004", "1001"]
    assert (await plain.call("GET", job)).body["progress"] == "failed"
    names = {one["externalId"]: one["companyName"] for one in (await plain.books())["customers"]}
    assert (names["cus_1"], names["cus_8"], "cus_7" in names) == ("Acme and Daughters", "Eight", False)


async def test_batches_create_change_read_and_delete(plain: Any) -> None:
    person = {"isPerson": True, "firstName": "A", "lastName": "B", "subsidiary": {"id": "1"}}
    made = (await _batch(plain, "POST", "/customer", [person, person])).headers["Location"]
    changed = (await _batch(plain, "PATCH", "/customer", [{"id": "1001", "email": "a@b.example"}])).headers["Location"]
    await _finish(plain)
    assert [result.id for result in await _results(plain, made)] == ["1004", "1005"]
    assert [result.status for result in await _results(plain, changed)] == [204]
    read = (await _submit(plain, "GET", "/customer?ids=1001,1002&expandRecords=true")).headers["Location"]
    gone = (await _submit(plain, "DELETE", "/customer?ids=1004,1005")).headers["Location"]
    await _finish(plain)
    assert [result.body["id"] for result in await _results(plain, read)] == ["1001", "1002"]
    assert (await _results(plain, read))[0].body["email"] == "a@b.example"
    assert [result.status for result in await _results(plain, gone)] == [204, 204]
    assert len((await plain.books())["customers"]) == 3


@pytest.mark.parametrize(
    ("method", "path", "items"),
    [
        ("PUT", "/customer", [{"externalId": f"c{n}"} for n in range(101)]),
        ("PUT", "/customer", []),
        ("PUT", "/customer", [{"companyName": "nameless"}]),
        ("PATCH", "/customer", [{"companyName": "nameless"}]),
        ("PUT", "/customer", ["text"]),
        ("PUT", "/customer/eid:cus_1", [{"externalId": "cus_1"}]),
    ],
)
async def test_batches_that_make_no_sense_are_refused(plain: Any, method: str, path: str, items: list[Any]) -> None:
    answer = await _batch(plain, method, path, items)
    assert answer.status == 400, answer.body
    assert not (await plain.books())["jobs"]


async def test_batch_is_only_asynchronous(plain: Any) -> None:
    answer = await plain.call(
        "PUT", f"{RECORDS}/customer", {"items": [{"externalId": "x"}]}, headers={"Content-Type": COLLECTION}
    )
    assert (answer.status, answer.error["o:errorHeader"]) == (400, "Prefer")


async def test_unknown_jobs_and_tasks_are_not_found(plain: Any) -> None:
    job = (await _submit(plain, "GET", "/customer/1001")).headers["Location"]
    for path in ("/services/rest/async/v1/job/99", f"{job}/task/2", f"{job}/task/2/result"):
        assert (await plain.call("GET", path)).error["o:errorCode"] == "NONEXISTENT_ID"


async def test_queries_are_never_asynchronous(plain: Any) -> None:
    answer = await plain.call(
        "POST", "/services/rest/query/v1/suiteql", {"q": "SELECT id FROM customer"}, headers={"Prefer": "respond-async"}
    )
    assert (answer.status, answer.error["o:errorHeader"]) == (400, "Prefer")
