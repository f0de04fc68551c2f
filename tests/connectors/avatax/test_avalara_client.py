"""Avalara's own client library works against the sandbox: every call that the connector has too, and refusals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any

import pytest_asyncio
from avalara.client import AvataxClient

from connectors.avatax.sandbox.app import sandbox
from hub.sandbox.server import Running, running

Work = Callable[[Any, Running], None]
IRVINE = {"line1": "2000 Main Street", "city": "Irvine", "region": "CA", "country": "US", "postalCode": "92614"}


def model(**changes: Any) -> dict[str, Any]:
    return {
        "code": "INV-1",
        "type": "SalesInvoice",
        "companyCode": "DEFAULT",
        "date": date(2026, 1, 31).isoformat(),
        "customerCode": "ACME",
        "commit": True,
        "addresses": {"SingleLocation": IRVINE},
        "lines": [{"number": "1", "amount": 100}, {"number": "2", "amount": 50.5, "taxCode": "SW052000"}],
        **changes,
    }


@pytest_asyncio.fixture
async def call() -> AsyncIterator[Callable[[Work], Awaitable[None]]]:
    async with running(sandbox) as served:

        def client() -> Any:
            made = AvataxClient("Concord tests", "1", "here", served.url)
            told = served.announcement
            return made.add_credentials(told["account_id"], told["license_key"])

        yield lambda work: asyncio.to_thread(lambda: work(client(), served))


async def test_the_ping_tells_who_calls(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, served: Running) -> None:
        told = client.ping().json()
        assert told["authenticated"] is True
        assert told["authenticatedAccountId"] == int(served.announcement["account_id"])
        stranger = AvataxClient("x", "1", "here", served.url).add_credentials("1", "2")
        assert stranger.ping().json()["authenticated"] is False
        refused = stranger.create_transaction(model())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "AuthenticationException")

    await call(work)


async def test_a_document_from_quote_to_void(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        quoted = client.create_transaction(model(type="SalesOrder"), include={"$include": "Details"}).json()
        made = client.create_transaction(model(commit=False))
        assert (made.status_code, made.json()["status"]) == (201, "Saved")
        assert quoted["totalTax"] == made.json()["totalTax"] == 11.66
        done = client.commit_transaction("DEFAULT", "INV-1", {"commit": True})
        assert (done.status_code, done.json()["status"]) == (200, "Committed")
        read = client.get_transaction_by_code_and_type("DEFAULT", "INV-1", "SalesInvoice", include="Details").json()
        assert read["id"] == client.get_transaction_by_id(read["id"]).json()["id"]
        listed = client.list_transactions_by_company("DEFAULT", include="$filter=date ge '2026-01-01'").json()
        assert [row["code"] for row in listed["value"]] == ["INV-1"]
        voided = client.void_transaction("DEFAULT", "INV-1", {"code": "DocVoided"})
        assert voided.json()["status"] == "Cancelled"
        again = client.void_transaction("DEFAULT", "INV-1", {"code": "DocVoided"})
        assert (again.status_code, again.json()["error"]["code"]) == (400, "TransactionAlreadyCancelled")

    await call(work)


async def test_a_document_is_adjusted_filed_and_then_refunded(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        client.create_transaction(model())
        lower = model(lines=[{"number": "1", "amount": 90}])
        why = {"adjustmentReason": "PriceAdjusted", "adjustmentDescription": "It fell.", "newTransaction": lower}
        adjusted = client.adjust_transaction("DEFAULT", "INV-1", why).json()
        assert (adjusted["version"], adjusted["adjustmentReason"], adjusted["totalTax"]) == (2, "PriceAdjusted", 6.98)
        assert client.lock_transaction("DEFAULT", "INV-1", {"isLocked": True}).json()["locked"] is True
        refused = client.void_transaction("DEFAULT", "INV-1", {"code": "DocVoided"})
        assert refused.json()["error"]["details"][0]["number"] == 1100
        asked = {"refundTransactionCode": "CN-1", "refundDate": "2026-02-01", "refundType": "Full"}
        back = client.refund_transaction("DEFAULT", "INV-1", asked).json()
        assert (back["type"], back["totalTax"]) == ("ReturnInvoice", -6.98)

    await call(work)


async def test_the_rarer_changes(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        body = {"createTransactionModel": model(), "adjustmentReason": "Other", "adjustmentDescription": "First."}
        assert client.create_or_adjust_transaction(body).json()["version"] == 1
        assert client.create_or_adjust_transaction(body).json()["version"] == 2
        assert client.verify_transaction("DEFAULT", "INV-1", {"verifyTotalTax": 11.66}).status_code == 200
        assert client.uncommit_transaction("DEFAULT", "INV-1").json()["status"] == "Saved"
        assert client.change_transaction_code("DEFAULT", "INV-1", {"newCode": "INV-2"}).json()["code"] == "INV-2"
        settled = client.settle_transaction("DEFAULT", "INV-2", {"commit": {"commit": True}}).json()
        assert settled["status"] == "Committed"
        client.void_transaction("DEFAULT", "INV-2", {"code": "DocVoided"})
        assert client.unvoid_transaction("DEFAULT", "INV-2").json()["status"] == "Saved"

    await call(work)


async def test_addresses_and_companies(call: Callable[[Work], Awaitable[None]]) -> None:
    def work(client: Any, _served: Running) -> None:
        found = client.resolve_address(IRVINE).json()
        assert found["validatedAddresses"][0]["city"] == "IRVINE"
        assert client.resolve_address_post({**IRVINE, "region": ""}).json()["messages"][0]["severity"] == "Error"
        companies = client.query_companies("$filter=companyCode eq 'DEFAULT'").json()
        assert companies["value"][0]["companyCode"] == "DEFAULT"

    await call(work)
