"""Bulk jobs in the sandbox: states over time, rows that fail, result files, pages and faults."""

from __future__ import annotations

import csv
import gzip
import io
from typing import Any

import pytest

from connectors.salesforce.sandbox.bulk.jobs import MIDWAY

JOB: dict[str, Any] = {"object": "Account", "operation": "insert", "contentType": "CSV"}
CSV = {"Content-Type": "text/csv; charset=UTF-8"}


async def _job(plain: Any, content: bytes | str, **more: Any) -> str:
    """Make a job with its file, and let it begin."""
    made = await plain.post("/jobs/ingest", {**JOB, **more})
    assert (made.status, made.body["state"]) == (200, "Open")
    url = "/" + made.body["contentUrl"]
    data = content.encode() if isinstance(content, str) else content
    uploaded = await plain.call("PUT", url, data, headers=CSV)
    assert (uploaded.status, uploaded.body) == (201, "")
    closed = await plain.patch(f"/jobs/ingest/{made.body['id']}", {"state": "UploadComplete"})
    assert closed.body["state"] == "UploadComplete"
    return str(made.body["id"])


async def _done(plain: Any, content: bytes | str, **more: Any) -> dict[str, Any]:
    id = await _job(plain, content, **more)
    await plain.advance(1)
    return dict((await plain.get(f"/jobs/ingest/{id}")).body)


async def _file(plain: Any, id: str, which: str, delimiter: str = ",") -> list[dict[str, str]]:
    text = (await plain.get(f"/jobs/ingest/{id}/{which}")).body
    return list(csv.DictReader(io.StringIO(text), delimiter=delimiter))


async def test_a_job_goes_through_its_states(plain: Any) -> None:
    await plain.seed(settings={"bulk_seconds": 100})
    id = await _job(plain, "Name,Billing_Id__c\nOne,c1\n")
    assert id.startswith("750")
    states = []
    for seconds in (0, 60, 60):
        await plain.advance(seconds)
        states.append((await plain.get(f"/jobs/ingest/{id}")).body["state"])
    assert states == ["UploadComplete", "InProgress", "JobComplete"]
    told = (await plain.get(f"/jobs/ingest/{id}")).body
    assert (told["jobType"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == ("V2Ingest", 1, 0)
    assert (str(told["apiVersion"]), told["lineEnding"], told["columnDelimiter"]) == ("68.0", "LF", "COMMA")
    (row,) = await _file(plain, id, "successfulResults")
    assert list(row) == ["sf__Id", "sf__Created", "Name", "Billing_Id__c"]
    assert (row["sf__Id"], row["sf__Created"]) == ((await plain.values("SELECT Id FROM Account"))[0], "true")
    assert await _file(plain, id, "failedResults") == await _file(plain, id, "unprocessedRecords") == []
    assert (await plain.get("/jobs/ingest")).body["records"][0]["id"] == id
    assert (await plain.call("DELETE", f"/jobs/ingest/{id}")).status == 204
    assert (await plain.get(f"/jobs/ingest/{id}")).status == 404


async def test_some_rows_fail_and_the_job_is_complete(plain: Any) -> None:
    await plain.make("Account", Name="Taken", Billing_Id__c="c1")
    header = "Name,Billing_Id__c,Credit_Limit__c,Parent.Billing_Id__c\n"
    rows = header + 'One,c1,,\n,c2,,\n"Three, Inc.",c3,12.5,c1\nFour,c4,x,\n'
    told = await _done(plain, rows + "Five,c5,,nobody\n")
    assert (told["state"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == ("JobComplete", 5, 4)
    errors = [row["sf__Error"] for row in await _file(plain, told["id"], "failedResults")]
    assert errors[0].startswith(
        "DUPLICATE_VALUE:duplicate value found: Billing_Id__c duplicates value on record with id"
    )
    assert errors[1] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
    assert [error.partition(":")[0] for error in errors[2:]] == ["JSON_PARSER_ERROR", "INVALID_FIELD"]
    found = await plain.rows("SELECT Name, Credit_Limit__c, Parent.Name FROM Account WHERE Billing_Id__c = 'c3'")
    assert found[0]["Parent"]["Name"] == "Taken"
    assert (found[0]["Name"], found[0]["Credit_Limit__c"]) == ("Three, Inc.", 12.5)


async def test_nothing_and_null_are_two_things(plain: Any) -> None:
    id = await plain.make("Account", Name="One", Phone="1", Fax="2", On_Credit_Hold__c=True)
    told = await _done(plain, f"Id,Phone,Fax,On_Credit_Hold__c\n{id},#N/A,,\n", operation="update")
    assert told["numberRecordsFailed"] == 0
    read = (await plain.get(f"/sobjects/Account/{id}")).body
    assert (read["Phone"], read["Fax"], read["On_Credit_Hold__c"]) == (None, "2", True)


async def test_upserts_update_delete_and_purge(plain: Any) -> None:
    key = {"operation": "upsert", "externalIdFieldName": "billing_id__c"}
    first = await _done(plain, "Name,Billing_Id__c\nOne,c1\nTwo,c2\nTwice,c3\nTwice,c3\nNone,\n", **key)
    assert (first["externalIdFieldName"], first["numberRecordsFailed"]) == ("Billing_Id__c", 3)
    second = await _done(plain, "Name,Billing_Id__c\nUno,c1\n", **key)
    assert [row["sf__Created"] for row in await _file(plain, second["id"], "successfulResults")] == ["false"]
    ids = await plain.values("SELECT Id FROM Account ORDER BY Name")
    gone = await _done(plain, f"Id\n{ids[0]}\n{ids[0]}\nx\n", operation="delete")
    errors = [row["sf__Error"].partition(":")[0] for row in await _file(plain, gone["id"], "failedResults")]
    assert errors == ["ENTITY_IS_DELETED", "MALFORMED_ID"]
    await _done(plain, f"Id\n{ids[1]}\n", operation="hardDelete")
    everything = await plain.query("SELECT Id FROM Account", resource="queryAll")
    assert [row["Id"] for row in everything.body["records"]] == [ids[0]]


@pytest.mark.parametrize(
    ("content", "more", "error"),
    [
        (
            "Name\r\nOne\r\n",
            {},
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        ("Name\nOne\n", {"lineEnding": "CRLF"}, "LineEnding is invalid"),
        ("Nome\nOne\n", {}, "InvalidBatch : Field name not found : Nome"),
        ("Foo.Name\nOne\n", {}, "InvalidBatch : Field name not found : Foo.Name"),
        ("Name,name\nOne,Two\n", {}, "InvalidBatch : Duplicate column"),
        ("Name\nOne,Two\n", {}, "row 2 has 2 columns"),
        ('Name\n"One\n', {}, "InvalidBatch : Failed to parse CSV"),
        ("", {}, "InvalidBatch : The CSV has no header"),
        (b"Name\n\xff\n", {}, "not encoded in UTF-8"),
        ("Name\nOne\n", {"operation": "update"}, "Missing required column: Id"),
        ("Id,Name\nx,y\n", {"operation": "delete"}, "Only the Id column"),
        ("Name\nOne\n", {"operation": "upsert", "externalIdFieldName": "Erp_Id__c"}, "Missing required column"),
    ],
)
async def test_files_that_fail_as_a_whole(plain: Any, content: bytes | str, more: dict[str, Any], error: str) -> None:
    told = await _done(plain, content, **more)
    assert (told["state"], told["numberRecordsProcessed"]) == ("Failed", 0)
    assert error in told["errorMessage"]
    assert await plain.rows("SELECT Id FROM Account") == []


async def test_other_delimiters_and_endings(plain: Any) -> None:
    told = await _done(plain, "Name;Phone\r\nOne;1\r\n", columnDelimiter="SEMICOLON", lineEnding="CRLF")
    assert told["state"] == "JobComplete"
    text = (await plain.get(f"/jobs/ingest/{told['id']}/successfulResults")).body
    assert text.startswith('"sf__Id";"sf__Created";"Name";"Phone"\r\n')


async def test_a_job_may_break_down_half_way(plain: Any) -> None:
    await plain.faults({"kind": MIDWAY, "times": 1, "match": {"path": "Account"}})
    rows = "".join(f"Account {number}\n" for number in range(10))
    told = await _done(plain, "Name\n" + rows)
    assert (told["state"], told["numberRecordsProcessed"]) == ("Failed", 5)
    left = await _file(plain, told["id"], "unprocessedrecords")
    assert [row["Name"] for row in left] == [f"Account {number}" for number in range(5, 10)]
    assert await plain.values("SELECT COUNT(Id) FROM Account") == [5]


async def test_many_rows_are_done_batch_by_batch(plain: Any) -> None:
    await plain.seed(settings={"bulk_batch_rows": 4})
    id = await _job(plain, "Name\n" + "".join(f"Account {number}\n" for number in range(10)))
    await plain.advance(1)
    told = [(await plain.get(f"/jobs/ingest/{id}")).body for _ in range(3)]
    assert [one["numberRecordsProcessed"] for one in told] == [4, 8, 10]
    assert [one["state"] for one in told] == ["InProgress", "InProgress", "JobComplete"]


async def test_what_a_job_is_not_ready_for_is_refused(plain: Any) -> None:
    for wrong in (
        {"operation": "merge"},
        {"object": "Nothing"},
        {"contentType": "XML"},
        {"columnDelimiter": "DOT"},
        {"lineEnding": "CR"},
        {"operation": "upsert"},
        {"operation": "upsert", "externalIdFieldName": "Name"},
    ):
        assert (await plain.post("/jobs/ingest", {**JOB, **wrong})).status == 400
    id = (await plain.post("/jobs/ingest", JOB)).body["id"]
    there = f"/jobs/ingest/{id}"
    assert (await plain.patch(there, {"state": "UploadComplete"})).code == "INVALIDJOBSTATE"
    assert (await plain.get(f"{there}/successfulResults")).code == "INVALIDJOBSTATE"
    assert (await plain.call("DELETE", there)).code == "INVALIDJOBSTATE"
    assert (await plain.call("PUT", f"{there}/batches", b"{}")).status == 415
    assert (await plain.call("PUT", f"{there}/batches", b"Name\nOne\n", headers=CSV)).status == 201
    assert (await plain.call("PUT", f"{there}/batches", b"Name\nOne\n", headers=CSV)).code == "INVALIDJOBSTATE"
    assert (await plain.patch(there, {"state": "Aborted"})).body["state"] == "Aborted"
    assert [row["Name"] for row in await _file(plain, id, "unprocessedrecords")] == ["One"]
    assert (await plain.patch(there, {"state": "UploadComplete"})).code == "INVALIDJOBSTATE"


async def test_a_job_may_come_with_its_file(plain: Any) -> None:
    body = (
        b'--cut\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n'
        b'{"object":"Account","operation":"insert","contentType":"CSV"}\r\n--cut\r\nContent-Type: text/csv\r\n'
        b'Content-Disposition: form-data; name="content"; filename="content"\r\n\r\nName\nOne\n\r\n--cut--\r\n'
    )
    made = await plain.call("POST", "/jobs/ingest", body, headers={"Content-Type": "multipart/form-data; boundary=cut"})
    assert (made.status, made.body["state"]) == (200, "UploadComplete")
    await plain.advance(1)
    assert (await plain.get(f"/jobs/ingest/{made.body['id']}")).body["state"] == "JobComplete"
    assert await plain.values("SELECT Name FROM Account") == ["One"]
    wrong = await plain.call("POST", "/jobs/ingest", b"x", headers={"Content-Type": "multipart/form-data; boundary=c"})
    assert wrong.code == "INVALIDJOB"


async def _query_job(plain: Any, soql: str, **more: Any) -> str:
    made = await plain.post("/jobs/query", {"operation": "query", "query": soql, **more})
    assert made.status == 200, made.body
    await plain.advance(1)
    return str(made.body["id"])


async def test_a_query_job_gives_pages_which_all_begin_with_the_header(plain: Any) -> None:
    await plain.seed(generate={"accounts": 5}, settings={})
    await plain.make("Contact", LastName='B "x", y', AccountId=(await plain.values("SELECT Id FROM Account"))[0])
    id = await _query_job(plain, "SELECT Name, AnnualRevenue, CreatedDate, On_Credit_Hold__c, Phone FROM Account")
    told = (await plain.get(f"/jobs/query/{id}")).body
    assert (told["state"], told["jobType"], told["isPkChunkingSupported"]) == ("JobComplete", "V2Query", True)
    pages, locator = [], None
    while locator != "null":
        more = f"&locator={locator}" if locator else ""
        page = await plain.get(f"/jobs/query/{id}/results?maxRecords=2{more}")
        locator = page.headers["Sforce-Locator"]
        pages.append(page)
    assert [page.headers["Sforce-NumberOfRecords"] for page in pages] == ["2", "2", "1"]
    assert {page.body.splitlines()[0] for page in pages} == {
        '"Name","AnnualRevenue","CreatedDate","On_Credit_Hold__c","Phone"'
    }
    row = next(csv.DictReader(io.StringIO(pages[0].body)))
    assert row["CreatedDate"].endswith(".000Z")
    assert (row["On_Credit_Hold__c"], row["Phone"]) == ("false", "")
    again = await plain.get(f"/jobs/query/{id}/results?maxRecords=2")
    assert again.body == pages[0].body
    links = (await plain.get(f"/jobs/query/{id}/resultPages")).body
    assert (len(links["resultPages"]), links["done"]) == (1, True)
    other = await _query_job(plain, "SELECT LastName, Account.Name FROM Contact")
    text = (await plain.get(f"/jobs/query/{other}/results")).body
    assert text.splitlines()[0] == '"LastName","Account.Name"'
    assert next(csv.DictReader(io.StringIO(text)))["LastName"] == 'B "x", y'


async def test_large_numbers_come_in_powers_of_ten(plain: Any) -> None:
    await plain.make("Account", Name="A", AnnualRevenue=912260031, Credit_Limit__c="1234.50")
    id = await _query_job(plain, "SELECT AnnualRevenue, Credit_Limit__c FROM Account")
    text = (await plain.get(f"/jobs/query/{id}/results")).body
    assert text.splitlines()[1] == '"9.12260031E8","1234.5"'


async def test_what_query_jobs_refuse(plain: Any) -> None:
    for soql in (
        "SELECT COUNT(Id) FROM Account",
        "SELECT Id FROM Account OFFSET 3",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT Id FROM Nothing",
        "SELECT Id FORM Account",
    ):
        assert (await plain.post("/jobs/query", {"operation": "query", "query": soql})).status == 400
    id = await _query_job(plain, "SELECT Colour FROM Account")
    failed = (await plain.get(f"/jobs/query/{id}")).body
    assert failed["state"] == "Failed"
    assert "No such column 'Colour'" in failed["errorMessage"]
    assert (await plain.get(f"/jobs/query/{id}/results")).code == "INVALIDJOBSTATE"
    good = await _query_job(plain, "SELECT Id FROM Account")
    assert (await plain.get(f"/jobs/query/{good}/results")).headers["Sforce-Locator"] == "null"
    mismatch = await plain.get(f"/services/data/v60.0/jobs/query/{good}/results")
    assert mismatch.status == 409
    assert (await plain.get(f"/jobs/query/{good}/results?locator=x")).code == "INVALID_QUERY_LOCATOR"
    assert (await plain.get(f"/jobs/query/{good}/results?maxRecords=x")).status == 400
    assert (await plain.patch(f"/jobs/query/{good}", {"state": "Aborted"})).code == "INVALIDJOBSTATE"
    assert (await plain.call("DELETE", f"/jobs/query/{good}")).status == 204


async def test_files_may_be_zipped(plain: Any) -> None:
    made = (await plain.post("/jobs/ingest", JOB)).body
    zipped = {**CSV, "Content-Encoding": "gzip"}
    sent = await plain.call("PUT", f"/jobs/ingest/{made['id']}/batches", gzip.compress(b"Name\nOne\n"), headers=zipped)
    assert sent.status == 201
    await plain.patch(f"/jobs/ingest/{made['id']}", {"state": "UploadComplete"})
    await plain.advance(1)
    assert (await plain.get(f"/jobs/ingest/{made['id']}")).body["numberRecordsProcessed"] == 1
    await plain.seed(generate={"accounts": 100})
    id = await _query_job(plain, "SELECT Name FROM Account")
    page = await plain.get(f"/jobs/query/{id}/results", Accept_Encoding="gzip")
    assert page.headers["Content-Encoding"] == "gzip"
    assert len(page.body.splitlines()) == 102


async def test_jobs_are_limited_by_the_day_and_kept_for_a_week(plain: Any) -> None:
    await plain.seed(settings={"daily_bulk_records": 2, "daily_query_jobs": 1})
    first = await _done(plain, "Name\nOne\nTwo\n")
    made = (await plain.post("/jobs/ingest", JOB)).body["id"]
    await plain.call("PUT", f"/jobs/ingest/{made}/batches", b"Name\nThree\n", headers=CSV)
    assert (await plain.patch(f"/jobs/ingest/{made}", {"state": "UploadComplete"})).code == "LIMIT_EXCEEDED"
    await _query_job(plain, "SELECT Id FROM Account")
    second = await plain.post("/jobs/query", {"operation": "query", "query": "SELECT Id FROM Account"})
    assert second.code == "LIMIT_EXCEEDED"
    await plain.advance(8 * 86_400)
    await plain.sign_in()
    assert (await plain.get(f"/jobs/ingest/{first['id']}")).status == 404
