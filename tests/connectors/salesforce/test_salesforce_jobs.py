"""Bulk jobs of the connector: small and large tables, rows that are refused, jobs that are found again, and lists."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.salesforce import bulk_jobs, csv_files, listings
from connectors.salesforce.listings import LISTINGS
from connectors.salesforce.samples import ACCOUNT, USED
from hub.sdk.by_content import Sought
from hub.sdk.connector import Listing, Page
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import dumps
from hub.sdk.values import EffectKey, Response
from tests.connectors.salesforce.connected import KEY, Org, org, settings, written

EVER = datetime(1970, 1, 1, tzinfo=UTC)
OTHER = EffectKey("fedcba9876543210fedcba9876543210")


def usage(*numbers: int, **more: Any) -> dict[str, Any]:
    """Give the input of a job that writes usage."""
    rows = [{"value": f"job_{number}", "fields": {**USED, "Quantity__c": number, **more}} for number in numbers]
    return {"object": "Usage__c", "records": rows}


def test_a_table_says_exactly_what_was_meant() -> None:
    rows = [
        {"Key__c": "a", "Name": 'say "x", y\nz', "Amount__c": Decimal("1E+2"), "Is_Rated__c": True, "Site": None},
        {"Key__c": "b", "Account__r": {"Billing_Id__c": "cus_1"}, "Name": "", "Count__c": 7},
    ]
    table = csv_files.table(rows, "Key__c").decode()
    assert table == (
        "Key__c,Account__r.Billing_Id__c,Amount__c,Count__c,Is_Rated__c,Name,Site\n"
        'a,,100,,true,"say ""x"", y\nz",#N/A\n'
        "b,cus_1,,7,,#N/A,\n"
    )
    for wrong in ({"Name": "#N/A"}, {"Name": 1.5}, {"Name": ["a"]}, {"Na,me": "a"}):
        with pytest.raises(FixData):
            csv_files.table([{"Key__c": "a", **wrong}], "Key__c")


def test_cells_come_back_as_rest_gives_them() -> None:
    types = {"Amount": "currency", "Count": "int", "At": "datetime", "On": "boolean", "Name": "string"}
    row = ["9.12260031E8", "7", "2026-01-31T10:00:00.000Z", "false", ""]
    (found,) = csv_files.typed([*types], [row], types)
    assert found == {
        "Amount": Decimal(912260031),
        "Count": 7,
        "At": "2026-01-31T10:00:00.000+0000",
        "On": False,
        "Name": None,
    }
    for name, cell in (("Amount", "x"), ("Count", "1.5"), ("On", "yes"), ("Amount", "1E999999")):
        with pytest.raises(OutcomeUnknown):
            csv_files.typed([name], [[cell]], types)


@pytest.mark.parametrize("body", [b"", b"<html>", b"a,b\n1\n", b'a,b\n"1,2\n', b"a,b\n1,2", b"a,a\n1,2\n", b"\xff\n"])
def test_a_table_that_is_not_whole_is_none(body: bytes) -> None:
    kind = "text/html" if body.startswith(b"<") else "text/csv"
    with pytest.raises(OutcomeUnknown):
        csv_files.read(Response(status=200, headers={"content-type": kind}, body=body))


@pytest.mark.parametrize(("at_once", "calls"), [(90_000, 1), (10, 3)])
async def test_small_and_large_tables_are_written(monkeypatch: pytest.MonkeyPatch, at_once: int, calls: int) -> None:
    monkeypatch.setattr(bulk_jobs, "AT_ONCE", at_once)
    async with org() as here:
        job = await here.write("bulk.submit", usage(1, 2, 3))
        assert len([one for one in here.connected.asked if "/jobs/ingest" in one]) == calls
        found = await here.read("bulk.read", {**job, "with_ids": True})
        assert (found["state"], found["written"], found["failed"], found["unprocessed"]) == ("JobComplete", 3, [], [])
        assert {*found["ids"]} == {"job_1", "job_2", "job_3"}


def test_no_text_ends_the_table_before_its_end() -> None:
    row = {"value": "a", "fields": {"Name": "--concord-bulk-job--\r\n\r\n--x\r\nContent-Type: text/csv\r\n\r\n"}}
    request = written("bulk.submit").request(settings(), {"object": "Account", "records": [row]}, KEY)
    boundary = request.headers["content-type"].rpartition("=")[2].encode()
    assert request.body.count(b"--" + boundary) == 3


async def test_rows_that_are_refused_are_named_by_their_ids() -> None:
    async with org() as here:
        record = usage(1, 2)
        record["records"].append({"value": "job_3", "fields": {**USED, "Quantity__c": "many"}})
        record["records"].append({"value": "job_4", "fields": {"Metric__c": "seats"}})
        found = await here.read("bulk.read", await here.write("bulk.submit", record))
        assert found["written"] == 2
        assert {one["value"]: one["code"] for one in found["failed"]}.keys() == {"job_3", "job_4"}
        assert all(one["code"] != "refused" and one["reason"] for one in found["failed"])


async def test_a_job_at_work_is_asked_about_again() -> None:
    async with org() as here:
        await here.seed({"settings": {"bulk_seconds": 60}})
        job = await here.write("bulk.submit", usage(1))
        with pytest.raises(RetryLater) as later:
            await here.read("bulk.read", job)
        assert (later.value.code, later.value.facts["job"]) == ("job-unfinished", job["id"])
        with pytest.raises(OutcomeUnknown) as unknown:
            await here.connected.find(written("bulk.submit"), usage(1), KEY)
        assert unknown.value.code == "job-unfinished"
        here.sandbox.world.clock.advance(61)
        assert await here.connected.find(written("bulk.submit"), usage(1), KEY) == job
        assert (await here.read("bulk.read", job))["written"] == 1


async def test_a_job_is_found_by_its_table_and_by_nothing_less() -> None:
    async with org() as here:
        find, operation = here.connected.find, written("bulk.submit")
        assert await find(operation, usage(1, 2), KEY) is None
        first = await here.write("bulk.submit", usage(1, 2))
        again = await here.write("bulk.submit", usage(1, 2))
        assert first != again
        assert await find(operation, usage(1, 2), OTHER) == first
        for other in (usage(1), usage(1, 2, 3), usage(1, 2, Metric__c="messages")):
            assert await find(operation, other, KEY) is None


async def test_the_same_table_of_an_earlier_time_or_of_another_write_is_not_taken() -> None:
    """The same values may come again, with others in between: each time has a job of its own."""
    async with org() as here:
        find, operation, clock = here.connected.find, written("bulk.submit"), here.sandbox.world.clock
        first = await here.write("bulk.submit", usage(1, 2))
        clock.advance(900)
        other = await here.write("bulk.submit", usage(1, 2, Metric__c="messages"))
        clock.advance(900)
        sent = Sought(since=clock.now() - timedelta(minutes=10))
        assert await find(operation, usage(1, 2), KEY, sent) is None
        third = await here.write("bulk.submit", usage(1, 2))
        assert await find(operation, usage(1, 2), KEY, sent) == third
        assert first != third != other
        assert await find(operation, usage(1, 2), KEY, Sought(since=sent.since, taken=[third])) is None
        fourth = await here.write("bulk.submit", usage(1, 2))
        assert await find(operation, usage(1, 2), KEY, Sought(since=sent.since, taken=[third])) == fourth


def test_a_write_is_named_by_what_its_table_says() -> None:
    by_content = written("bulk.submit").by_content
    assert by_content is not None
    formed = written("bulk.submit").request
    names = [
        by_content.name(formed(settings(), record, key))
        for key in (KEY, OTHER)
        for record in (usage(1, 2), {**usage(), "records": usage(2, 1)["records"]}, usage(1, 3))
    ]
    assert names[0] == names[1] == names[3] == names[4]
    assert names[2] == names[5] != names[0]


async def test_a_job_that_fails_midway_tells_what_it_never_tried() -> None:
    async with org() as here:
        await here.seed({"settings": {"bulk_batch_rows": 2}})
        here.sandbox.world.faults.replace([{"kind": "bulk_fails_midway", "times": 1}])
        job = await here.write("bulk.submit", usage(*range(1, 7)))
        found: Any = None
        for _ in range(10):
            try:
                found = await here.read("bulk.read", job)
                break
            except RetryLater:
                continue
        assert found["state"] == "Failed"
        assert found["written"] + len(found["unprocessed"]) == 6
        assert found["unprocessed"]


def listing(name: str) -> Listing:
    """Give a listing by name."""
    return next(one for one in LISTINGS if one.name == name)


async def pages(here: Org, cursor: str | None = None) -> list[Page]:
    """List all accounts."""
    return [page async for page in listing("all_accounts").pull(here.connected, cursor, EVER)]


async def test_a_list_is_made_once_and_read_on_from_any_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "PAGE_ROWS", 20)
    async with org({"settings": {"bulk_seconds": 0}, "generate": {"accounts": 95}}) as here:
        found = await pages(here)
        events = [event for page in found for event in page.events]
        assert [len(page.events) for page in found] == [0, 20, 20, 20, 20, 15]
        assert {event.subject for event in events} == {one["Id"] for one in here.books["records"]["Account"]}
        for place, page in enumerate(found):
            rest = [event.external_id for later in found[place + 1 :] for event in later.events]
            assert [event.external_id for one in await pages(here, page.cursor) for event in one.events] == rest
        # Who asks for larger pages goes on with the same list, from any page of the smaller ones.
        sized = listing("all_accounts").sized
        assert sized is not None
        larger = [page async for page in sized(here.connected, found[2].cursor, EVER, 50)]
        assert [len(page.events) for page in larger] == [50, 5]
        assert len(here.books["jobs"]) == 1
        count = listing("all_accounts").count
        assert count is not None
        assert await count(here.connected, EVER, datetime(2100, 1, 1, tzinfo=UTC)) == 95
        # What a list gives is what a read gives.
        [one] = [event for event in events if event.subject == ACCOUNT]
        assert one.record == await here.read("account.read", {"id": ACCOUNT})


async def test_a_list_that_is_still_being_made_is_named_before_it_is_waited_for() -> None:
    async with org({"settings": {"bulk_seconds": 60}, "generate": {"accounts": 3}}) as here:
        pull = listing("all_accounts").pull(here.connected, None, EVER)
        named = await anext(pull)
        assert named.events == []
        with pytest.raises(RetryLater) as later:
            await anext(pull)
        assert later.value.code == "job-unfinished"
        here.sandbox.world.clock.advance(61)
        assert sum(len(page.events) for page in await pages(here, named.cursor)) == 3
        assert len(here.books["jobs"]) == 1


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        ("2026-01-31T09:59:59.000+0000", 0.25),
        ("2026-01-31T09:59:56.000+0000", 1.0),
        ("2026-01-31T09:59:28.000+0000", 8.0),
        ("2026-01-31T08:00:00.000+0000", 10.0),
        # Its second has not ended yet: the header tells no part of one.
        ("2026-01-31T10:00:00.900+0000", 0.25),
        (None, 0.25),
    ],
)
def test_a_list_is_looked_at_by_its_age(made: str | None, seconds: float) -> None:
    body = dumps({"id": "750990000000009AAA", "state": "InProgress", **({"createdDate": made} if made else {})})
    dated = {"date": "Sat, 31 Jan 2026 10:00:00 GMT"}
    assert listings.next_look(Response(status=200, headers=dated, body=body)) == seconds
    assert listings.next_look(Response(status=200, headers={}, body=body)) == 0.25


async def test_a_list_that_is_gone_is_made_anew() -> None:
    async with org({"settings": {"bulk_seconds": 0}, "generate": {"accounts": 3}}) as here:
        again = await pages(here, "750990000000009AAA 20")
        assert Counter(len(page.events) for page in again) == {0: 1, 3: 1}
