"""The connector's jobs: one batch for each key, whatever is lost on the way, and a result for each record."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from connectors.netsuite import jobs
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.failures import classify
from connectors.netsuite.samples import CUSTOMER, INVOICE, SAMPLES, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import loads
from hub.sdk.testing.live import LiveChecks
from hub.sdk.values import EffectKey, Response

KEY = EffectKey("0123456789abcdef0123456789abcdef")


class Live(LiveChecks):
    __test__ = False
    connector = CONNECTOR
    samples = SAMPLES


def _batch(*records: Any, action: str = "upsert", type: str = "customer", **more: Any) -> dict[str, Any]:
    return {"type": type, "action": action, "records": list(records), **more}


def _customer(number: int, **changed: Any) -> dict[str, Any]:
    return {**CUSTOMER, "externalId": f"cus_{number}", **changed}


async def test_results_tell_what_became_of_each_record() -> None:
    async with Live().serving() as (_, connected):
        batch = _batch(_customer(20), _customer(21, subsidiary={"id": "99"}), _customer(22))
        job = await connected.write(jobs.SUBMIT, batch, KEY)
        found = await jobs.READ.read(connected, job)
        assert found["progress"] == "failed"
        assert [result.get("id") for result in found["results"]] == ["1002", None, "1003"]
        error = found["results"][1]["error"]
        assert (error["code"], error["path"]) == ("invalid-content", "subsidiary")


async def test_unfinished_job_is_asked_about_later() -> None:
    async with Live().serving() as (served, connected):
        await served.world.books.seed({"settings": {"job_seconds": 30}})
        job = await connected.write(jobs.SUBMIT, _batch(_customer(20)), KEY)
        with pytest.raises(RetryLater) as refusal:
            await jobs.READ.read(connected, job)
        assert (refusal.value.code, refusal.value.after) == ("job-unfinished", 5.0)
        served.world.clock.advance(31)
        assert (await jobs.READ.read(connected, job))["results"] == [{"task": "1", "id": "1002"}]


@pytest.mark.parametrize("kind", ["reset_after_commit", "500_after_commit"])
async def test_lost_answer_is_repeated_with_the_same_key(kind: str) -> None:
    async with Live().serving() as (served, connected):
        await CONNECTOR.ping(connected)
        served.world.faults.replace([{"kind": kind, "times": 1}])
        person = {"isPerson": True, "firstName": "A", "lastName": "B", "subsidiary": {"id": "1"}}
        batch = _batch(person, action="create")
        with pytest.raises(OutcomeUnknown):
            await connected.write(jobs.SUBMIT, batch, KEY)
        assert await connected.write(jobs.SUBMIT, batch, KEY) == {"id": "1"}
        books = served.world.books.snapshot()
        assert (len(books["jobs"]), len(books["customers"])) == (1, 2)
        await connected.write(jobs.SUBMIT, batch, EffectKey("another"))
        assert len(served.world.books.snapshot()["customers"]) == 3


@pytest.mark.parametrize(("replace", "lines"), [(["item", "taxDetails"], 1), ([], 2)])
async def test_sublists_are_replaced_where_that_is_asked_for(replace: list[str], lines: int) -> None:
    plain = {name: value for name, value in INVOICE.items() if not name.startswith("tax")}
    plain["item"] = [{"item": {"id": "101"}, "amount": 5}]
    async with Live().serving() as (served, connected):
        for key in ("a", "b"):
            batch = _batch(plain, type="invoice", replace=replace)
            job = await connected.write(jobs.SUBMIT, batch, EffectKey(key))
            found = await jobs.READ.read(connected, job)
            assert found["progress"] == "succeeded", found
        assert len(served.world.books.snapshot()["invoices"][0]["item"]) == lines


@pytest.mark.parametrize("kind", ["500", "malformed_body", "reset_before"])
async def test_failed_reading_is_not_taken_for_a_records_failure(kind: str) -> None:
    async with Live().serving() as (served, connected):
        job = await connected.write(jobs.SUBMIT, _batch(_customer(20)), KEY)
        served.world.faults.replace([{"kind": kind, "times": 1, "match": {"path": "task"}}])
        with pytest.raises(OutcomeUnknown):
            await jobs.READ.read(connected, job)
        assert (await jobs.READ.read(connected, job))["progress"] == "succeeded"


async def test_unknown_job_is_not_found() -> None:
    async with Live().serving() as (_, connected):
        with pytest.raises(FixData) as refusal:
            await jobs.READ.read(connected, {"id": "99"})
        assert refusal.value.code == "not-found"


def test_batch_has_a_key_and_strict_names() -> None:
    settings = NetSuiteSettings.model_validate(SETTINGS)
    request = jobs.SUBMIT.request(settings, _batch(INVOICE, type="invoice", replace=["item"]), KEY)
    assert request.method == "PUT"
    assert request.url == f"{SETTINGS['base_url']}/services/rest/record/v1/invoice?replace=item"
    assert request.headers["x-netsuite-propertynamevalidation"] == "error"
    assert request.headers["prefer"] == "respond-async"
    assert str(uuid.UUID(request.headers["x-netsuite-idempotency-key"])) in request.headers.values()
    (item,) = loads(request.body)["items"]
    assert item["item"]["items"][0]["quantity"] == 1


@pytest.mark.parametrize(("action", "record"), [("upsert", {"companyName": "x"}), ("change", {"companyName": "x"})])
def test_nameless_records_are_refused(action: str, record: dict[str, str]) -> None:
    with pytest.raises(FixData) as refusal:
        jobs.SUBMIT.request(NetSuiteSettings.model_validate(SETTINGS), _batch(record, action=action), KEY)
    assert refusal.value.code == "nameless-record"


CONFLICT = b'{"title": "Conflict", "o:errorDetails": [{"o:errorCode": "IDEMPOTENCY_ERROR"}]}'


def test_known_key_is_a_success_when_the_job_is_named() -> None:
    named = Response(status=400, headers={"location": "/services/rest/async/v1/job/7"}, body=CONFLICT)
    assert classify(named) is None
    assert jobs.SUBMIT.result(named) == {"id": "7"}
    for location in ("", "/services/rest/record/v1/job/7", "https://elsewhere.example/"):
        error = classify(Response(status=400, headers={"location": location}, body=CONFLICT))
        assert isinstance(error, OutcomeUnknown)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_answer_without_a_job_is_unknown(status: int) -> None:
    with pytest.raises(OutcomeUnknown):
        jobs.SUBMIT.result(Response(status=status, headers={"location": "/services/rest/record/v1/customer/7"}))
