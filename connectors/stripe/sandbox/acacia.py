"""Invoices, their lines and items as acacia showed them: what basil took away is put back from what is kept.

Before basil an invoice had one payment, told its taxes by rate, and its lines held whole prices.
Source: Stripe's changelog of 2025-03-31.basil, and its samples of 2025-02-14 and 2025-03-25.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.stripe.sandbox.amounts import plain
from connectors.stripe.sandbox.table import Record

if TYPE_CHECKING:
    from connectors.stripe.sandbox.account import Account


def invoice(account: Account, newer: Record) -> Record:
    """Give an invoice with its one payment, its tax and its subscription in their old places."""
    gone = {"parent", "payments", "total_taxes", "confirmation_secret"}
    parent = newer["parent"] or {}
    subscription, quote = parent.get("subscription_details") or {}, parent.get("quote_details") or {}
    discounts = [account.discounts.get(discount) for discount in newer["discounts"]]
    taxes = _taxes(newer["total_taxes"])
    older: Record = {name: value for name, value in newer.items() if name not in gone}
    older |= {
        "application_fee_amount": None,
        "automatic_tax": {name: value for name, value in newer["automatic_tax"].items() if name != "provider"},
        "discount": discounts[0] if len(discounts) == 1 else None,
        "quote": quote.get("quote"),
        "subscription": subscription.get("subscription"),
        "subscription_details": {"metadata": subscription.get("metadata")},
        "tax": sum(tax["amount"] for tax in taxes) if taxes else None,
        "total_tax_amounts": taxes,
        "transfer_data": None,
        **_payment(account, newer),
    }
    if subscription.get("subscription_proration_date") is not None:
        older["subscription_proration_date"] = subscription["subscription_proration_date"]
    return older


def line(account: Account, newer: Record) -> Record:
    """Give a line with its price, its taxes and where it comes from in their old places."""
    parent = newer["parent"] or {}
    origin: Record = parent.get(parent.get("type", "")) or {}
    by_subscription = parent.get("type") == "subscription_item_details"
    taxes = newer["taxes"] or []
    net = newer["amount"] - sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "inclusive")
    quantity = newer["quantity"]
    older = {name: value for name, value in newer.items() if name not in {"parent", "pricing", "taxes"}}
    older |= {
        "amount_excluding_tax": net,
        "plan": None,
        "price": _price(account, newer["pricing"]),
        "proration": bool(origin.get("proration")),
        "proration_details": origin.get("proration_details") or {"credited_items": None},
        "subscription": origin.get("subscription"),
        "tax_amounts": _taxes(taxes),
        "tax_rates": [account.tax_rates.get(tax["tax_rate_details"]["tax_rate"]) for tax in taxes],
        "type": "subscription" if by_subscription else "invoiceitem",
        "unit_amount_excluding_tax": plain(round(Decimal(net) / quantity, 12)) if quantity else str(net),
    }
    if origin.get("invoice_item"):
        older["invoice_item"] = origin["invoice_item"]
    if by_subscription:
        older["subscription_item"] = origin.get("subscription_item")
    return older


def item(account: Account, newer: Record) -> Record:
    """Give an invoice item with its price and subscription in their old places."""
    details = (newer["parent"] or {}).get("subscription_details") or {}
    unit = (newer["pricing"] or {}).get("unit_amount_decimal")
    exact = None if unit is None else Decimal(unit)
    older = {name: value for name, value in newer.items() if name not in {"parent", "pricing"}}
    older |= {
        "plan": None,
        "price": _price(account, newer["pricing"]),
        "subscription": details.get("subscription"),
        "unit_amount": int(exact) if exact is not None and exact == exact.to_integral_value() else None,
        "unit_amount_decimal": unit,
    }
    if details.get("subscription_item"):
        older["subscription_item"] = details["subscription_item"]
    return older


def price(_: Account, newer: Record) -> Record:
    """Give a price with the way usage was added up, which meters tell since."""
    recurring = newer["recurring"]
    return newer if recurring is None else newer | {"recurring": {"aggregate_usage": None, **recurring}}


def plan(_: Account, newer: Record) -> Record:
    """Give a plan likewise."""
    return {"aggregate_usage": None, **newer}


def subscription(account: Account, newer: Record) -> Record:
    """Give a subscription with the period its items have now, and its one discount."""
    items = newer["items"]["data"]
    discounts = [account.discounts.get(discount) for discount in newer["discounts"]]
    return newer | {
        "current_period_end": max((item["current_period_end"] for item in items), default=newer["created"]),
        "current_period_start": max((item["current_period_start"] for item in items), default=newer["created"]),
        "discount": discounts[0] if len(discounts) == 1 else None,
    }


def subscription_item(_: Account, newer: Record) -> Record:
    """Give an item without a period of its own."""
    return {name: value for name, value in newer.items() if name not in {"current_period_end", "current_period_start"}}


def payment_intent(account: Account, newer: Record) -> Record:
    """Give a payment intent with the link to its invoice."""
    return newer | {"invoice": account.invoices_of_intents.get(newer["id"])}


def charge(account: Account, newer: Record) -> Record:
    """Give a charge with the link to its invoice."""
    return newer | {"invoice": account.invoices_of_intents.get(newer["payment_intent"])}


def credit_note(account: Account, newer: Record) -> Record:
    """Give a credit note with its one refund and its taxes in their old places."""
    refunds = newer["refunds"]
    older = {name: value for name, value in newer.items() if name not in {"refunds", "total_taxes"}}
    return older | {"refund": refunds[0]["refund"] if refunds else None, "tax_amounts": _taxes(newer["total_taxes"])}


def credit_note_line(account: Account, newer: Record) -> Record:
    """Give a line of a credit note with its taxes in their old places."""
    net = newer["amount"] - sum(tax["amount"] for tax in newer["taxes"] if tax["tax_behavior"] == "inclusive")
    unit = plain(round(Decimal(net) / newer["quantity"], 12)) if newer["quantity"] else None
    older = {name: value for name, value in newer.items() if name != "taxes"}
    return older | {
        "amount_excluding_tax": net,
        "tax_amounts": _taxes(newer["taxes"]),
        "unit_amount_excluding_tax": unit,
    }


def _payment(account: Account, newer: Record) -> Record:
    """Give the payment of an invoice: the last that paid, else the one that Stripe keeps ready."""
    known = account.invoice_payments.where("invoice", newer["id"])
    paying = [payment for payment in known if payment["status"] == "paid"]
    ready = [payment for payment in known if payment["status"] == "open" and payment["is_default"]]
    chosen = (paying or ready or [{"payment": {}}])[-1]
    intent = chosen["payment"].get("payment_intent")
    paid = newer["status"] == "paid"
    return {
        "charge": (account.payment_intents.get(intent) or {}).get("latest_charge") if intent else None,
        "paid": paid,
        "paid_out_of_band": paid and not paying and newer["amount_paid"] > 0,
        "payment_intent": intent,
    }


def _price(account: Account, pricing: Any) -> Record | None:
    details = (pricing or {}).get("price_details")
    return account.prices.get(details["price"]) if details else None


def _taxes(newer: Sequence[Record] | None) -> list[Record]:
    return [
        {
            "amount": tax["amount"],
            "inclusive": tax["tax_behavior"] == "inclusive",
            "tax_rate": tax["tax_rate_details"]["tax_rate"],
            "taxability_reason": tax["taxability_reason"],
            "taxable_amount": tax["taxable_amount"],
        }
        for tax in newer or ()
    ]
