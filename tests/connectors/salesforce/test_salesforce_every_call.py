"""`simple-salesforce` makes every call that the connector makes: records, queries, composite requests, bulk jobs.

What the connector sends is not listed by hand: its operations, streams and listings are tried against a sandbox, whose
log tells the calls. Where the library has no method of its own, it is its way to any resource (`restful`) that is used.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from simple_salesforce.api import Salesforce

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import SAMPLES
from hub.sandbox.main import find
from hub.sandbox.server import Options, Running, running
from tests.connectors.salesforce.connected import KEY, org
from tests.connectors.salesforce.test_salesforce_client import session_of
from tests.connectors.tried import every_call

#: What in a path names a thing of the org: an object, a field with a value, a record, a job, a page of a list.
NAMES = (
    (r"/(query|queryAll)/[^/]+$", r"/\1/{page}"),
    (r"/jobs/(ingest|query)/[^/]+", r"/jobs/\1/{job}"),
    (r"/composite/sobjects/[^/]+/[^/]+$", "/composite/sobjects/{object}/{field}"),
    (r"(/v[\d.]+)/sobjects/[^/]+/(describe|updated|deleted)$", r"\1/sobjects/{object}/\2"),
    (r"(/v[\d.]+)/sobjects/[^/]+/\w{18}$", r"\1/sobjects/{object}/{id}"),
    (r"(/v[\d.]+)/sobjects/[^/{]+/[^/]+/[^/]+$", r"\1/sobjects/{object}/{field}/{value}"),
)
#: Which versions there are is asked of the host, below which the library goes in no way.
UNSHARED = {("GET", "/services/data")}
#: Seconds until the library looks at a job again.
SOON = 0.05


def calls(served: Running) -> set[tuple[str, str]]:
    """Give the calls in the sandbox's log, without the names of what they are about."""
    found = set()
    for entry in served.world.requests.since(0):
        path = unquote(urlsplit(entry.path).path).rstrip("/")
        for pattern, name in NAMES:
            path = re.sub(pattern, name, path)
        found.add((entry.method, path))
    return found


async def connector_calls() -> set[tuple[str, str]]:
    """Give the calls that the connector makes."""
    async with org() as home:
        await every_call(home.connected, CONNECTOR, SAMPLES, KEY)
        return calls(home.sandbox)


def with_the_library(served: Running, version: str) -> None:
    """Do what the connector does, with the library alone."""
    told = served.announcement
    with session_of(served) as session:
        client: Any = Salesforce(
            username=told["username"],
            consumer_key=told["consumer_key"],
            privatekey=told["private_key"],
            version=version,
            session=session,
        )
        assert client.limits()["DailyApiRequests"]["Max"] > 0
        _records(client)
        _several(client)
        _jobs(client)


def _records(client: Any) -> None:
    assert client.Account.upsert("Billing_Id__c/cus_1", {"Name": "Alder"}) == 201
    account = client.Account.get_by_custom_id("Billing_Id__c", "cus_1")["Id"]
    assert client.Account.update(account, {"Name": "Alder Works"}) == 204
    assert client.Account.get(account)["Name"] == "Alder Works"
    assert {one["name"] for one in client.Account.describe()["fields"]} >= {"Billing_Id__c"}
    gone = client.Account.create({"Name": "Birch"})["id"]
    assert client.Account.delete(gone) == 204
    span = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(hours=1)
    assert [one["id"] for one in client.Account.deleted(*span)["deletedRecords"]] == [gone]
    assert client.query_all("SELECT Id FROM Account", include_deleted=True)["totalSize"] == 2
    assert client.query_all("SELECT Name FROM Account")["records"][0]["Name"] == "Alder Works"


def _several(client: Any) -> None:
    """Send many records by one request, in each form; the library has no methods for these resources."""
    base = f"/services/data/v{client.sf_version}/sobjects"
    usage: dict[str, Any] = {
        "attributes": {"type": "Usage__c"},
        "Key__c": "use_1",
        "Metric__c": "seats",
        "Quantity__c": 3,
    }
    usage["Account__c"] = client.Account.get_by_custom_id("Billing_Id__c", "cus_1")["Id"]
    upserts = {"allOrNone": True, "records": [usage]}
    (row,) = client.restful("composite/sobjects/Usage__c/Key__c", method="PATCH", json=upserts)
    assert (row["success"], row["created"]) == (True, True), row
    part = {"method": "PATCH", "url": f"{base}/Account/Billing_Id__c/cus_2", "referenceId": "a", "body": {"Name": "C"}}
    (answer,) = client.restful("composite", method="POST", json={"compositeRequest": [part]})["compositeResponse"]
    assert answer["httpStatusCode"] == 201
    (graph,) = client.restful(
        "composite/graph", method="POST", json={"graphs": [{"graphId": "g", "compositeRequest": [part]}]}
    )["graphs"]
    assert graph["isSuccessful"] is True
    asked = {"batchRequests": [{"method": "GET", "url": f"v{client.sf_version}/limits"}]}
    assert client.restful("composite/batch", method="POST", json=asked)["hasErrors"] is False


def _jobs(client: Any) -> None:
    rows = [{"Name": "Dogwood", "Billing_Id__c": "cus_3"}, {"Name": "", "Billing_Id__c": "cus_4"}]
    (done,) = client.bulk2.Account.upsert(records=rows, external_id_field="Billing_Id__c", wait=SOON)
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (2, 1)
    assert done["job_id"] in {one["id"] for one in client.restful("jobs/ingest")["records"]}
    assert "cus_4" in client.bulk2.Account.get_failed_records(done["job_id"])
    assert "cus_3" in client.bulk2.Account.get_successful_records(done["job_id"])
    assert "cus_4" not in client.bulk2.Account.get_unprocessed_records(done["job_id"])
    assert "Dogwood" in "".join(client.bulk2.Account.query("SELECT Id, Name FROM Account", wait=SOON))


async def test_the_library_makes_every_call_of_the_connector() -> None:
    wanted = await connector_calls()
    async with running(find("salesforce"), Options(tls=True)) as served:
        served.world.books.settings.bulk_seconds = SOON  # type: ignore[attr-defined]
        await asyncio.to_thread(with_the_library, served, str(served.announcement["api_version"]))
        assert wanted - calls(served) == UNSHARED
    assert len(wanted) > 20
