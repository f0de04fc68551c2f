"""What the sandbox shows of billing, against the shapes of Stripe's SDKs, where `CONCORD_STRIPE_SPECS` names them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.sandbox.server import Running
from hub.sdk.exact_json import loads

SPECS = os.environ.get("CONCORD_STRIPE_SPECS", "")
pytestmark = pytest.mark.skipif(not SPECS, reason="CONCORD_STRIPE_SPECS names no folder")

SHAPES = (
    "2025-02-24.acacia",
    "2025-08-27.basil",
    "2025-10-29.clover",
    "2026-02-25.clover",
    "2026-06-24.dahlia",
    "2026-10-28.endive",
)
#: What is there only when asked for, only of deleted objects, or only of another flow: all may be missing.
ABSENT = {
    "_resource_cls",
    "applies_to",
    "currency_options",
    "current_trial",
    "deleted",
    "managed_payments",
    "presentment_details",
    "tiers",
}
WISH: dict[str, Any] = {
    "meters": [{"key": "meter", "display_name": "C", "event_name": "calls", "default_aggregation": {"formula": "sum"}}],
    "products": [{"key": "product", "name": "Seats"}],
    "prices": [
        {"key": "price", "product": "@product", "currency": "eur", "unit_amount": 5, "recurring": {"interval": "month"}}
    ],
    "customers": [{"key": "customer", "name": "A"}],
    "coupons": [{"key": "coupon", "percent_off": 10}],
    "tax_rates": [{"key": "rate", "display_name": "VAT", "percentage": 19, "inclusive": False}],
    "subscriptions": [
        {
            "key": "subscription",
            "customer": "@customer",
            "items": [{"price": "@price"}],
            "collection_method": "send_invoice",
            "days_until_due": 1,
        }
    ],
}
#: What every payment method has, and a card's part.
METHOD = {
    "allow_redisplay",
    "billing_details",
    "card",
    "created",
    "customer",
    "customer_account",
    "id",
    "livemode",
    "metadata",
    "object",
    "type",
}
PATHS = {
    "payment_method": "payment_methods/pm_card_visa",
    "coupon": "coupons/{coupon}",
    "tax_rate": "tax_rates/{rate}",
    "billing.meter": "billing/meters/{meter}",
    "price": "prices/{price}",
    "product": "products/{product}",
    "subscription": "subscriptions/{subscription}",
}


def differing(shape: Any, shown: dict[str, Any]) -> list[str]:
    """Give the fields that are shown and not described, and those that must be there and are not."""
    fields = shape["fields"]
    surplus = [f"{name} is not described" for name in shown if name not in fields]
    missing = [f"{name} is not there" for name in fields if name not in shown and name not in ABSENT]
    null = [
        f"{name} is null"
        for name, value in shown.items()
        if value is None and name in fields and not fields[name].startswith("Optional")
    ]
    return surplus + missing + null


@pytest.mark.parametrize("version", SHAPES)
async def test_objects_are_shown_as_the_sdk_of_the_version_describes_them(sandbox: Running, version: str) -> None:
    resources = loads((Path(SPECS) / f"sdk_shapes.{version}.json").read_bytes())["resources"]
    keys = (await sandbox.world.books.seed(WISH))["keys"]
    headers = {"Authorization": f"Bearer {sandbox.announcement['api_key']}", "Stripe-Version": version}
    found: dict[str, list[str]] = {}
    async with aiohttp.ClientSession(headers=headers) as http:
        for kind, path in PATHS.items():
            async with http.get(f"{sandbox.url}/v1/{path.format(**keys)}") as answer:
                shown = await answer.json()
            found[kind] = differing(resources[kind], shown)
            if kind == "payment_method":
                # Each kind of method has a part of its own; the others are not there.
                kinds = resources[kind]["fields"].keys() - METHOD
                found[kind] = [one for one in found[kind] if one.removesuffix(" is not there") not in kinds]
            if kind == "subscription":
                (item,) = shown["items"]["data"]
                found["subscription_item"] = differing(resources["subscription_item"], item)
                found["plan"] = differing(resources["plan"], item["plan"])
    assert not any(found.values()), found
