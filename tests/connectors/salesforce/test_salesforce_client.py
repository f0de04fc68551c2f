"""The client library of Salesforce's own world works against the sandbox, over TLS: what a program does every day."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceMalformedRequest,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from hub.sandbox.main import find
from hub.sandbox.server import Options, Running, running

Work = Callable[[Any, Running], None]


class Here(HTTPAdapter):
    """Leads every host of Salesforce's to the sandbox, and tells it the host that was meant."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def send(self, request: PreparedRequest, *args: Any, **named: Any) -> Response:
        assert request.url is not None
        host, _, rest = request.url.removeprefix("https://").partition("/")
        request.headers["Host"] = host
        request.url = f"https://{self._place}/{rest}"
        return super().send(request, *args, **named)


def session_of(served: Running) -> Session:
    """Give a session of the library's that trusts the sandbox's own authority, and leads to nowhere else."""
    session = Session()
    # Otherwise certificates that the environment names would take the place of the sandbox's own.
    session.trust_env = False
    session.verify = str(served.announcement["ca_file"])
    # A TLS connection that is kept would end only after the test's loop has.
    session.headers["Connection"] = "close"
    session.mount("https://", Here(served.url.removeprefix("https://")))
    return session


@pytest.fixture
async def call() -> AsyncIterator[Callable[[Work], Awaitable[None]]]:
    async with running(find("salesforce"), Options(tls=True)) as served:
        served.world.books.settings.bulk_seconds = 0.05  # type: ignore[attr-defined]

        def run(work: Work) -> None:
            told = served.announcement
            with session_of(served) as session:
                client = Salesforce(
                    username=told["username"],
                    consumer_key=told["consumer_key"],
                    privatekey=told["private_key"],
                    version=told["api_version"],
                    session=session,
                )
                work(client, served)

        yield lambda work: asyncio.to_thread(run, work)


async def test_records_are_made_read_changed_and_deleted(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        made = client.Account.create({"Name": "Alder Works", "Billing_Id__c": "cus_1", "Credit_Limit__c": 1234.5})
        assert made["success"] is True
        assert client.Account.get(made["id"])["Credit_Limit__c"] == 1234.5
        assert client.Account.get_by_custom_id("Billing_Id__c", "cus_1")["Id"] == made["id"]
        assert client.Account.update(made["id"], {"Name": "Alder"}) == 204
        assert client.Account.upsert("Billing_Id__c/cus_1", {"Name": "Alder 2"}) == 200
        assert client.Account.upsert("Billing_Id__c/cus_2", {"Name": "Birch"}) == 201
        assert client.Account.delete(made["id"]) == 204
        with pytest.raises(SalesforceResourceNotFound):
            client.Account.get(made["id"])
        with pytest.raises(SalesforceMalformedRequest) as refused:
            client.Contact.create({"FirstName": "Ana"})
        content: Any = refused.value.content
        assert content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
        client.Account.create({"Name": "One", "Erp_Id__c": "E1"})
        client.Account.create({"Name": "Two", "Erp_Id__c": "E1"})
        with pytest.raises(SalesforceMoreThanOneRecord):
            client.Account.get_by_custom_id("Erp_Id__c", "E1")

    await call(work)


async def test_queries_page_and_sessions_are_renewed(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, served: Running) -> None:
        for begin in range(0, 600, 200):
            records = [
                {"attributes": {"type": "Account"}, "Name": f"Account {number}"} for number in range(begin, begin + 200)
            ]
            answer = client.restful("composite/sobjects", method="POST", json={"allOrNone": True, "records": records})
            assert all(one["success"] for one in answer)
        headers = {"Sforce-Query-Options": "batchSize=200"}
        first = client.query("SELECT Id FROM Account", headers=headers)
        assert (first["totalSize"], first["done"], len(first["records"])) == (600, False, 200)
        served.world.books.logins.revoke_all()  # type: ignore[attr-defined]
        found = client.query_all("SELECT Id, Name FROM Account ORDER BY Name", headers=headers)
        assert len({row["Id"] for row in found["records"]}) == 600
        assert client.query_all("SELECT Name FROM Account WHERE Name LIKE 'Account 59%'")["totalSize"] == 11
        assert client.is_sandbox() is False
        assert client.api_usage["api-usage"].total == 100_000

    await call(work)


async def test_what_was_changed_and_deleted_is_listed(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        kept, gone = (client.Account.create({"Name": name})["id"] for name in ("Kept", "Gone"))
        client.Account.delete(gone)
        span = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(hours=1)
        assert client.Account.updated(*span)["ids"] == [kept]
        assert [one["id"] for one in client.Account.deleted(*span)["deletedRecords"]] == [gone]
        assert client.query_all("SELECT Id FROM Account", include_deleted=True)["totalSize"] == 2

    await call(work)


async def test_the_org_describes_itself(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        assert {"Account", "Order", "Usage__c"} <= {one["name"] for one in client.describe()["sobjects"]}
        fields = {one["name"]: one for one in client.Account.describe()["fields"]}
        assert (fields["Billing_Id__c"]["externalId"], fields["Billing_Id__c"]["unique"]) == (True, True)
        assert client.Account.metadata()["objectDescribe"]["keyPrefix"] == "001"
        assert client.limits()["DailyApiRequests"]["Max"] == 100_000

    await call(work)


async def test_bulk_jobs_write_and_read(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        rows = [{"Name": f"Bulk {number}", "Billing_Id__c": f"b{number}"} for number in range(50)]
        (done,) = client.bulk2.Account.insert(records=rows, wait=0.05)
        assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (50, 0)
        (again,) = client.bulk2.Account.upsert(
            records=[*rows[:2], {"Name": "", "Billing_Id__c": "new"}], external_id_field="Billing_Id__c", wait=0.05
        )
        assert (again["numberRecordsProcessed"], again["numberRecordsFailed"]) == (3, 1)
        failed = list(csv.DictReader(io.StringIO(client.bulk2.Account.get_failed_records(again["job_id"]))))
        assert failed[0]["sf__Error"] == "REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"
        assert failed[0]["Billing_Id__c"] == "new"
        written = list(csv.DictReader(io.StringIO(client.bulk2.Account.get_successful_records(again["job_id"]))))
        assert {one["sf__Created"] for one in written} == {"false"}
        pages = list(client.bulk2.Account.query("SELECT Id, Name FROM Account", max_records=20, wait=0.05))
        read = [row for page in pages for row in csv.DictReader(io.StringIO(page))]
        assert (len(pages), len(read)) == (3, 50)
        ids = [{"Id": row["Id"]} for row in read]
        (gone,) = client.bulk2.Account.delete(records=ids, wait=0.05)
        assert gone["numberRecordsProcessed"] == 50
        assert client.query("SELECT COUNT() FROM Account")["totalSize"] == 0

    await call(work)


async def test_a_token_of_ones_own_is_enough(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, served: Running) -> None:
        with Session() as session:
            session.verify = str(served.announcement["ca_file"])
            session.trust_env = False
            session.headers["Connection"] = "close"
            direct = Salesforce(session_id=client.session_id, instance_url=served.url, session=session)
            assert direct.query_all("SELECT Id, Name FROM Account WHERE CreatedDate = TODAY")["totalSize"] == 0

    await call(work)


async def test_client_credentials_and_refused_logins(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(_client: Any, served: Running) -> None:
        told = served.announcement
        named = {"consumer_key": told["consumer_key"], "consumer_secret": told["consumer_secret"]}
        with session_of(served) as session:
            client = Salesforce(**named, domain="acme.my", session=session, version="60.0")
            assert client.query("SELECT Id FROM Account")["totalSize"] == 0
            with pytest.raises(SalesforceAuthenticationFailed) as refused:
                Salesforce(
                    username="nobody@example.com",
                    consumer_key=told["consumer_key"],
                    privatekey=told["private_key"],
                    session=session,
                    domain="test",
                )
            assert refused.value.code == "invalid_grant"

    await call(work)
