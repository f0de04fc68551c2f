"""What is sold, subscribed to and metered, and what pays for it, in four releases: described in each, read as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors import stripe
from connectors.stripe.samples import SAMPLES
from connectors.stripe.sandbox.rendering import render
from connectors.stripe.sandbox.terms import show
from connectors.stripe.versions import NEWEST, SETTLED, schema_of
from connectors.stripe.webhook import parse
from hub.sandbox.exact_json import dumps
from hub.sandbox.server import Running
from hub.sdk.exact_json import loads
from hub.sdk.testing.samples import WebhookSample
from tests.connectors.stripe.partners import Inbox, settled
from tests.connectors.stripe.shapes import VERSIONS, misfits, name_of
from tests.connectors.stripe.small_hub import workspace

ACACIA = VERSIONS[0]
MONTH = {"interval": "month"}
#: Prices of every kind; subscriptions that begin, wait for a payment, are tried out, and are to end.
COMPANY: dict[str, Any] = {
    "switches": {"rate": None},
    "tax_rates": [{"key": "vat", "display_name": "VAT", "percentage": "19", "inclusive": False, "country": "DE"}],
    "coupons": [{"key": "percent", "percent_off": "12.5"}],
    "meters": [
        {"key": "calls", "display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}},
    ],
    "products": [{"key": "seats", "name": "Seats", "description": "By the seat", "unit_label": "seat"}],
    "prices": [
        {"key": "seat", "product": "@seats", "currency": "eur", "unit_amount": 900, "recurring": MONTH},
        {"key": "setup", "product": "@seats", "currency": "jpy", "unit_amount": 500},
        {
            "key": "call",
            "product": "@seats",
            "currency": "eur",
            "recurring": {**MONTH, "usage_type": "metered", "meter": "@calls"},
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 100, "unit_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "0.25"}],
        },
        {
            "key": "thousand",
            "product": "@seats",
            "currency": "eur",
            "unit_amount_decimal": "12.5",
            "recurring": {"interval": "year"},
            "transform_quantity": {"divide_by": 1000, "round": "up"},
        },
    ],
    "customers": [
        {"key": "customer", "name": "Alder", "invoice_settings": {"default_payment_method": "pm_card_visa"}},
        {"key": "other", "name": "Beech"},
    ],
    "subscriptions": [
        {
            "customer": "@customer",
            "items": [{"price": "@seat", "quantity": 3, "tax_rates": ["@vat"]}, {"price": "@call"}],
            "discounts": [{"coupon": "@percent"}],
            "default_tax_rates": ["@vat"],
        },
        {"customer": "@customer", "items": [{"price": "@thousand", "quantity": 7000}], "trial_period_days": 14},
        {"customer": "@customer", "items": [{"price": "@seat"}], "cancel_at_period_end": True},
        {
            "customer": "@other",
            "items": [{"price": "@seat"}],
            "collection_method": "send_invoice",
            "days_until_due": 14,
            "metadata": {"contract": "C-1"},
        },
    ],
}


def held(sandbox: Running) -> list[dict[str, Any]]:
    """Give every object of what is sold, subscribed to and charged, as it is kept."""
    books: Any = sandbox.world.books
    account = books.account
    subscriptions = [show(account, one) for one in account.subscriptions.oldest_first()]
    items = [item for one in subscriptions for item in one["items"]["data"]]
    tables = (account.products, account.prices, account.meters, account.charges, account.payment_intents)
    return [*subscriptions, *items, *(dict(one) for table in tables for one in table.oldest_first())]


def shown(sandbox: Running, record: dict[str, Any], version: str) -> dict[str, Any]:
    """Give an object as a version shows it, with its numbers as they go over the wire."""
    books: Any = sandbox.world.books
    found: dict[str, Any] = loads(dumps(render(books.account, record, version)))
    return found


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_object_is_described_in_every_release(sandbox: Running, version: str) -> None:
    await sandbox.world.books.seed(COMPANY)
    seen = set()
    for record in held(sandbox):
        kind = record["object"]
        assert not misfits(name_of(kind, version), shown(sandbox, record, version)), record
        seen.add(kind)
    assert seen == {"billing.meter", "product", "subscription_item", *SETTLED}


async def test_what_acacia_shows_is_read_as_the_newest_shows_it(sandbox: Running) -> None:
    await sandbox.world.books.seed(COMPANY)
    bundle, read = workspace(), set()
    for record in held(sandbox):
        kind = record["object"]
        if kind not in SETTLED:
            continue
        newest = shown(sandbox, record, VERSIONS[-1])
        older = shown(sandbox, record, ACACIA)
        found = bundle.read_as(name_of(kind, ACACIA), older, f"stripe.{kind}@{NEWEST}")
        assert not misfits(f"stripe.{kind}@{NEWEST}", found, made=True), kind
        # What came after acacia cannot be told from it; all that it does tell is the same.
        assert {name: newest[name] for name in found if name != "items"} == {
            name: value for name, value in found.items() if name != "items"
        }
        items = [each["items"]["data"] if "items" in each else [] for each in (found, newest)]
        for mine, theirs in zip(*items, strict=True):
            assert mine == {name: theirs[name] for name in mine}
        read.add(kind)
    assert read == SETTLED


async def test_events_of_every_kind_claim_the_schema_they_have(sandbox: Running, inbox: Inbox) -> None:
    kinds = ["billing.meter.*", "charge.*", "customer.subscription.*", "payment_intent.*", "price.*", "product.*"]
    for version in (ACACIA, VERSIONS[-1]):
        await sandbox.world.books.seed(
            {"endpoints": [{"url": inbox.url, "enabled_events": kinds, "api_version": version}]}
        )
    await sandbox.world.books.seed(COMPANY)
    await settled(sandbox)
    seen = set()
    for body in inbox.bodies:
        event = loads(body)
        record = event["data"]["object"]
        assert not misfits(name_of(record["object"], event["api_version"]), record), event["type"]
        seen.add((record["object"], schema_of(record["object"], event["api_version"])))
    assert seen >= {(kind, version) for kind in SETTLED for version in ("2024-09-30", NEWEST)}
    assert seen >= {("product", NEWEST), ("billing.meter", NEWEST)}


@pytest.mark.parametrize("sample", SAMPLES.webhooks, ids=lambda sample: sample.fixture)
def test_a_fixture_is_as_its_schema_says(sample: WebhookSample) -> None:
    (event,) = parse((Path(stripe.__file__).parent / "fixtures" / sample.fixture).read_bytes())
    assert event.schema is None or not misfits(event.schema, event.record)
