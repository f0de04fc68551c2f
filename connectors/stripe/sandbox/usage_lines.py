"""Lines of subscriptions: for a period of what is licensed, ahead; for what a meter counted in one, behind."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import prices
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import plain, rounded, step
from connectors.stripe.sandbox.meter_usage import usage
from connectors.stripe.sandbox.table import Record


def is_metered(item: Record) -> bool:
    """Tell whether an item is billed by what a meter counts."""
    return bool(item["price"]["recurring"]["usage_type"] == "metered")


def add_period(
    account: Account,
    invoice: Record,
    subscription: Record,
    item: Record,
    start: int,
    end: int,
    *,
    share: Decimal = Decimal(1),
) -> None:
    """Add the line of an item's period to a draft; the sums are not yet true again.

    Of what the period costs `share` is billed: nothing of a trial, and a part of one that is cut short.
    """
    quantity = _quantity(account, subscription, item, start, end)
    price = item["price"]
    amount = rounded(prices.cost(account, price, quantity) * share, step(price["currency"]))
    line: dict[str, Any] = {
        "id": account.identifiers.new("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": _words(account, price, quantity, trial=share == 0),
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice["id"],
        "livemode": False,
        "metadata": dict(subscription["metadata"]),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": end, "start": start},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": int(quantity),
        "quantity_decimal": plain(quantity),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }
    account.line_rates[line["id"]] = [rate["id"] for rate in item["tax_rates"]]
    account.lines[invoice["id"]].append(line)


def refresh_usage(account: Account, invoice: Record) -> None:
    """Count again what was used: until a draft is finalised, usage of its period that comes late is still billed."""
    for line in account.lines[invoice["id"]]:
        details = line["parent"].get("subscription_item_details") or {}
        item = account.subscription_items.get(details.get("subscription_item") or "")
        subscription = account.subscriptions.get(details.get("subscription") or "")
        if item is None or subscription is None or item.get("deleted") or not is_metered(item):
            continue
        start, end = line["period"]["start"], line["period"]["end"]
        quantity = _quantity(account, subscription, item, start, end)
        amount = prices.cost(account, item["price"], quantity)
        line |= {
            "amount": amount,
            "description": _words(account, item["price"], quantity, trial=False),
            "quantity": int(quantity),
            "quantity_decimal": plain(quantity),
            "subtotal": amount,
        }


def _quantity(account: Account, subscription: Record, item: Record, start: int, end: int) -> Decimal:
    if is_metered(item):
        return usage(account, item["price"]["recurring"]["meter"], subscription["customer"], start, end)
    return Decimal(item["quantity"])


def _words(account: Account, price: Record, quantity: Decimal, *, trial: bool) -> str:
    product = account.products.get(price["product"]) or {}
    name = product.get("name") or price["product"]
    if trial:
        return f"Trial period for {name}"
    every = f"every {price['recurring']['interval_count']} {price['recurring']['interval']}s"
    rhythm = price["recurring"]["interval"] if price["recurring"]["interval_count"] == 1 else every
    return f"{plain(quantity)} x {name} (per {rhythm})"
