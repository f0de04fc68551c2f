"""Avalara's own client library makes every call that the connector makes, with the connector's own questions.

What the connector sends is not listed by hand: its operations are tried against a sandbox, whose log tells the calls.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any
from urllib.parse import unquote, urlsplit

from avalara.client import AvataxClient

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.samples import SAMPLES
from connectors.avatax.sandbox.app import sandbox
from hub.sandbox.server import Running, running
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.avatax.test_avalara_client import IRVINE, model
from tests.connectors.tried import every_call

KEY = EffectKey("a" * 32)


def calls(served: Running) -> set[tuple[str, str]]:
    """Give the calls in the sandbox's log, with `{}` for company and document."""
    found = set()
    for entry in served.world.requests.since(0):
        path = unquote(urlsplit(entry.path).path)
        path = re.sub(r"/companies/[^/]+", "/companies/{}", path)
        found.add((entry.method, re.sub(r"/companies/{}/transactions/[^/]+", "/companies/{}/transactions/{}", path)))
    return found


async def connector_calls(served: Running) -> set[tuple[str, str]]:
    """Give the calls that the connector makes."""
    settings = CONNECTOR.settings.model_validate(live_settings(CONNECTOR, SAMPLES, served.announcement))
    connected = Connected(CONNECTOR, settings)
    try:
        await every_call(connected, CONNECTOR, SAMPLES, KEY)
    finally:
        await connected.close()
    return calls(served)


def with_the_library(served: Running) -> None:
    """Quote, record, find, read, adjust, refund and void documents, and resolve an address."""
    told = served.announcement
    client: Any = AvataxClient("Concord tests", "1", "here", served.url)
    client.add_credentials(told["account_id"], told["license_key"])
    assert client.ping().json()["authenticated"] is True
    every = {"$include": "Details,Addresses"}
    quoted = client.create_transaction(model(type="SalesOrder"), include=every)
    assert (quoted.status_code, quoted.json()["status"]) == (201, "Temporary")
    made = client.create_transaction(model(referenceCode=KEY), include=every).json()
    wanted = f"$filter=referenceCode eq '{KEY}' and date ge '1970-01-01'&$include=Details,Addresses&$orderBy=id DESC"
    (found,) = client.list_transactions_by_company("DEFAULT", include=wanted).json()["value"]
    assert (found["id"], found["totalTax"], len(found["lines"])) == (made["id"], made["totalTax"], 2)
    read = client.get_transaction_by_code(
        "DEFAULT", "INV-1", include="documentType=SalesInvoice&$include=Details"
    ).json()
    assert (read["id"], read["lines"][0]["details"][0]["jurisType"]) == (made["id"], "STA")
    why = {"adjustmentReason": "PriceAdjusted", "adjustmentDescription": "It fell.", "newTransaction": model()}
    adjusted = client.adjust_transaction("DEFAULT", "INV-1", why, include="documentType=SalesInvoice").json()
    assert (adjusted["version"], adjusted["id"] != made["id"]) == (2, True)
    back = {"refundTransactionCode": "CN-1", "refundDate": "2026-02-01", "refundType": "Full"}
    returned = client.refund_transaction("DEFAULT", "INV-1", back, include="documentType=SalesInvoice").json()
    assert (returned["type"], returned["totalTax"]) == ("ReturnInvoice", -adjusted["totalTax"])
    # Of a code that no sale has, the one document there is is meant.
    assert client.get_transaction_by_code("DEFAULT", "CN-1").json()["id"] == returned["id"]
    void = client.void_transaction("DEFAULT", "CN-1", {"code": "DocVoided"}, include="documentType=ReturnInvoice")
    assert void.json()["status"] == "Cancelled"
    assert client.resolve_address_post(IRVINE).json()["resolutionQuality"] == "Rooftop"


async def test_the_library_makes_every_call_of_the_connector() -> None:
    async with running(sandbox) as served:
        await served.world.books.seed(SAMPLES.seed)
        wanted = await connector_calls(served)
        await served.world.reset()
        await asyncio.to_thread(with_the_library, served)
        assert wanted - calls(served) == set()
        assert len(wanted) >= len(CONNECTOR.operations)
