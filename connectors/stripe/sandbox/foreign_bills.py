"""Invoices of subscriptions that are not there: a seed says what one would have billed, for whole periods or parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.invoice_sums import item_of
from connectors.stripe.sandbox.table import Record

#: What a seed says of an invoice and of its lines, beside the API's parameters.
LINE_WISHES = frozenset({"proration", "subscription_item"})


def bill(account: Account, invoice: Record, subscription: str, wishes: Sequence[Mapping[str, Any]]) -> None:
    """Let a draft come from a subscription; a line with a `subscription_item` is billed for it, others are items."""
    invoice |= {
        "billing_reason": "subscription_update",
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": {}, "subscription": subscription},
            "type": "subscription_details",
        },
    }
    for line, wish in zip(account.lines[invoice["id"]], wishes, strict=True):
        item = account.invoiceitems.get(item_of(line) or "") or {}
        prorated = bool(wish.get("proration"))
        origin = {
            "invoice_item": item["id"],
            "proration": prorated,
            "proration_details": {"credited_items": None},
            "subscription": subscription,
        }
        kind = "invoice_item_details"
        if "subscription_item" in wish:
            kind, origin = "subscription_item_details", origin | {"subscription_item": wish["subscription_item"]}
        line["parent"] = {"invoice_item_details": None, "subscription_item_details": None, "type": kind, kind: origin}
        item["proration"] = prorated
        item["parent"] = {
            "subscription_details": {"subscription": subscription, "subscription_item": wish.get("subscription_item")},
            "type": "subscription_details",
        }
