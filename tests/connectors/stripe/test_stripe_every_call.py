"""Stripe's own library, the present release and older ones, makes every call that the connector makes.

What the connector sends is not listed by hand: its operations are tried against a sandbox, whose log tells the calls.
An operation that the library's program does not cover fails here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from connectors.stripe.sandbox.routes import ROUTES, ROUTES_V2, STREAM
from hub.sandbox.server import Running
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.stripe.test_stripe_older_library import FOLDERS
from tests.connectors.stripe.with_library import run
from tests.connectors.tried import every_call

KEY = EffectKey("a" * 32)
#: Paths with an object in them come last: `/v1/customers/search` is no customer.
SERVED = {(method, path) for method, path, _ in (*ROUTES, *ROUTES_V2)} | {("POST", STREAM)}
PATHS = sorted(SERVED, key=lambda route: route[1].count("{"))
PATTERNS = [(method, path, re.compile(re.sub(r"\{\w+\}", "[^/]+", path))) for method, path in PATHS]
EXPECTED: Mapping[str, Any] = {
    "account": "account",
    "catalogue": ["Seats", 900, True, True, True, True, "A place", False],
    "customers": ["+43 1", {"erp": "12"}, True, True],
    "subscriptions": ["active", "active", True, True, True, True, 4, True, "canceled", ["paid", 2700]],
    "invoices": [["draft", "open", "paid", 1200], "uncollectible", "void", 1200, [1200], True, True, [700, "paid"]],
    "meters": ["s-1", "s-2", "duplicate_meter_event", [100], "active", True, "v1.billing.meter.no_meter_found"],
    "payments": [
        ["succeeded", "canceled", 5000],
        True,
        True,
        [700, 5000],
        ["succeeded", True],
        [5000, 5000],
        True,
    ],
    "credit_notes": [["issued", 250, 750], [250], True, "void", "void", 1000],
    "settlement": ["needs_response", 1, True, "completed"],
    "taxes": [True, ["seats"], ["transaction", "reversal"], -500],
    "events": [],
}


def calls(sandbox: Running) -> set[tuple[str, str]]:
    """Give the calls in the sandbox's log, with `{id}` for the objects in them."""
    found = set()
    for entry in sandbox.world.requests.since(0):
        path = urlsplit(entry.path).path
        found.add(
            next((method, name) for method, name, at in PATTERNS if method == entry.method and at.fullmatch(path))
        )
    return found


async def connector_calls(sandbox: Running) -> set[tuple[str, str]]:
    """Give the calls that the connector makes."""
    settings = CONNECTOR.settings.model_validate(live_settings(CONNECTOR, SAMPLES, sandbox.announcement))
    connected = Connected(CONNECTOR, settings)
    try:
        await every_call(connected, CONNECTOR, SAMPLES, KEY)
    finally:
        await connected.close()
    return calls(sandbox)


async def made_by(sandbox: Running, folder: str | None) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """Seed the sandbox and give what the library saw there, and the connector's calls that it did not make."""
    await sandbox.world.books.seed(SAMPLES.seed)
    wanted = await connector_calls(sandbox)
    await sandbox.world.reset()
    await sandbox.world.books.seed(SAMPLES.seed)
    seen = await run("every_call.py", sandbox, [folder] if folder else [])
    return seen, wanted - calls(sandbox)


async def test_the_present_release_makes_every_call_of_the_connector(sandbox: Running) -> None:
    seen, left = await made_by(sandbox, None)
    assert left == set()
    assert {name: seen[name] for name in EXPECTED} == EXPECTED


@pytest.mark.skipif(not FOLDERS, reason="CONCORD_OLDER_STRIPE names no folder with an older release")
@pytest.mark.parametrize("folder", FOLDERS)
async def test_an_older_release_makes_every_call_it_knows(sandbox: Running, folder: str) -> None:
    seen, left = await made_by(sandbox, folder)
    assert int(seen["release"].split(".")[0]) < 16
    expected = dict(EXPECTED)
    if int(seen["release"].split(".")[0]) < 12:
        # Payments of invoices are there from basil on.
        assert {path for _, path in left} == {"/v1/invoice_payments", "/v1/invoice_payments/{id}"}
        expected["invoices"] = EXPECTED["invoices"][:-1]
    else:
        assert left == set()
    assert {name: seen[name] for name in expected} == expected
