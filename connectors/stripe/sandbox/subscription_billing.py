"""What subscriptions bill and when: each period, changes within one, and what was used by the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from connectors.stripe.sandbox import automatic_tax, invoice_drafts, invoice_items, prices
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import rounded, step
from connectors.stripe.sandbox.collection import collect
from connectors.stripe.sandbox.events import Event, changed
from connectors.stripe.sandbox.invoice_states import finalize, void
from connectors.stripe.sandbox.invoice_sums import subscription_of
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.terms import ends, items_of, part, period_at, show
from connectors.stripe.sandbox.usage_lines import add_period, is_metered


class Charge(StrEnum):
    """When an invoice is charged that is finalised at once: before the answer, after it, or by the customer."""

    NOW = "now"
    LATER = "later"
    NEVER = "never"


#: While a subscription is in one of these, its periods go on.
LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
#: A first payment that is not made within this time ends the subscription before it began.
INCOMPLETE = 23 * 3600


def change(account: Account, subscription: Record, after: Record) -> None:
    """Change a subscription and tell of it."""
    shown = show(account, subscription)
    previous = changed({name: shown.get(name) for name in after}, after)
    subscription |= {name: value for name, value in after.items() if name != "items"}
    if previous:
        account.happened("customer.subscription.updated", show(account, subscription), previous)


def begin(account: Account, subscription: Record, *, charge: Charge, prorates: bool = True) -> None:
    """Bill the first period, ahead; what is charged at once is finalised and charged before the answer.

    A period that the subscription ends in costs its part of a whole one, or nothing where nothing is prorated.
    """
    trial = subscription["status"] == "trialing"
    invoice = _draft(account, subscription, "subscription_create", at_once=True)
    for item in items_of(account, subscription["id"]):
        if not is_metered(item):
            start, end = item["current_period_start"], item["current_period_end"]
            share = Decimal(0) if trial else part(subscription, item, start, end)
            if share in {0, 1} or prorates:
                add_period(account, invoice, subscription, item, start, end, share=share)
    invoice_drafts.sweep(account, invoice, subscription=subscription["id"])
    _issue(account, subscription, invoice, charge=charge)
    if subscription["status"] == "incomplete" and subscription["latest_invoice"] is None:
        # There is nothing to be paid before it begins.
        change(account, subscription, {"status": "active"})
    if subscription["status"] == "incomplete":
        account.agenda.plan(account.now() + INCOMPLETE, lambda: _expire(account, subscription))
    plan(account, subscription)


def plan(account: Account, subscription: Record) -> None:
    """Plan the next moment at which something happens to a subscription."""
    moments = [item["current_period_end"] for item in items_of(account, subscription["id"])]
    if subscription["cancel_at"]:
        moments.append(subscription["cancel_at"])
    if moments:
        account.agenda.plan(min(moments), lambda: _turn(account, subscription))


def prorate(account: Account, subscription: Record, item: Record, before: Record | None, *, at: int) -> None:
    """Credit what is left of an item's period as it was, and bill it as it is; both wait for the next invoice.

    `before` is None for a new item; a deleted item is only credited. What a meter counts is never prorated.
    """
    start, end = item["current_period_start"], item["current_period_end"]
    if subscription["status"] == "trialing" or end <= start or not start <= at < end:
        return
    if before is not None and not is_metered(before):
        _unused(account, subscription, before, at, end)
    if not item.get("deleted") and not is_metered(item):
        _remaining(account, subscription, item, at, end)


def fit(account: Account, subscription: Record, *, prorates: bool) -> bool:
    """Let the periods that run end with the subscription where that ends in them, and else in full.

    What a period is cut by is credited, and what it is made longer by is billed, with the next invoice. Tells whether
    a period has changed.
    """
    moved = False
    for item in items_of(account, subscription["id"]):
        start, old = item["current_period_start"], item["current_period_end"]
        trial = subscription["status"] == "trialing"
        whole = period_at(subscription["billing_cycle_anchor"], item["price"]["recurring"], start)[1]
        new = item["current_period_end"] = ends(subscription, subscription["trial_end"] if trial else whole)
        moved = moved or new != old
        if new == old or trial or not prorates or is_metered(item):
            continue
        if new < old:
            _unused(account, subscription, item, new, old)
        else:
            _remaining(account, subscription, item, old, new)
    return moved


def bill_now(account: Account, subscription: Record) -> None:
    """Bill at once what waits for a subscription's next invoice."""
    invoice = _draft(account, subscription, "subscription_update", at_once=True)
    invoice_drafts.sweep(account, invoice, subscription=subscription["id"])
    _issue(account, subscription, invoice, charge=Charge.NOW)


def end(account: Account, subscription: Record, *, reason: str, bill: bool = True) -> None:
    """End a subscription now; what was used and what waits is billed for the last time."""
    now = account.now()
    if bill:
        invoice = _draft(account, subscription, "subscription_cycle", at_once=True)
        for item in items_of(account, subscription["id"]):
            if is_metered(item):
                add_period(account, invoice, subscription, item, item["current_period_start"], now)
        invoice_drafts.sweep(account, invoice, subscription=subscription["id"])
        _issue(account, subscription, invoice, charge=Charge.LATER)
    subscription |= {
        "status": "canceled",
        "canceled_at": subscription["canceled_at"] or now,
        "ended_at": now,
        "cancellation_details": {**subscription["cancellation_details"], "reason": reason},
    }
    account.happened("customer.subscription.deleted", show(account, subscription))


def listener(account: Account) -> Callable[[Event], None]:
    """Make what changes a subscription's status when an invoice of it was paid or could not be."""

    def listen(event: Event) -> None:
        if event.type not in {"invoice.paid", "invoice.payment_failed"}:
            return
        invoice = account.invoices.get(event.subject) or {"parent": None}
        subscription = account.subscriptions.get(subscription_of(invoice) or "")
        if subscription is None or subscription["latest_invoice"] != invoice["id"]:
            return
        if event.type == "invoice.paid" and subscription["status"] in {"incomplete", "past_due", "unpaid"}:
            change(account, subscription, {"status": "active"})
        elif event.type == "invoice.payment_failed" and subscription["status"] in {"active", "past_due"}:
            if invoice["next_payment_attempt"] is None and invoice["attempt_count"] > 1:
                end(account, subscription, reason="payment_failed", bill=False)
            else:
                change(account, subscription, {"status": "past_due"})

    return listen


def _turn(account: Account, subscription: Record) -> None:
    """Let a subscription end, or its items begin their next period, whichever is due."""
    now = account.now()
    if subscription["status"] not in LIVE:
        return
    if subscription["cancel_at"] and subscription["cancel_at"] <= now:
        end(account, subscription, reason="cancellation_requested")
        return
    due = [item for item in items_of(account, subscription["id"]) if item["current_period_end"] <= now]
    if not due:
        return
    after: Record = {}
    if subscription["status"] == "trialing":
        after = {"status": "active", "billing_cycle_anchor": now}
        subscription["billing_cycle_anchor"] = now
    invoice = _draft(account, subscription, "subscription_cycle", at_once=False)
    invoice |= {"period_start": due[0]["current_period_start"], "period_end": due[0]["current_period_end"]}
    _renew(account, subscription, invoice, due, trial=bool(after))
    invoice_drafts.sweep(account, invoice, subscription=subscription["id"])
    _issue(account, subscription, invoice, charge=Charge.LATER)
    change(account, subscription, after | {"latest_invoice": subscription["latest_invoice"]})
    plan(account, subscription)


def _renew(account: Account, subscription: Record, invoice: Record, due: Sequence[Record], *, trial: bool) -> None:
    before = show(account, subscription)["items"]
    before = before | {"data": [dict(item) for item in before["data"]]}
    for item in due:
        start, finish = item["current_period_start"], item["current_period_end"]
        if is_metered(item) and not trial:
            add_period(account, invoice, subscription, item, start, finish)
        start, finish = period_at(subscription["billing_cycle_anchor"], item["price"]["recurring"], finish)
        finish = ends(subscription, finish)
        item |= {"current_period_start": start, "current_period_end": finish}
        if not is_metered(item):
            share = part(subscription, item, start, finish)
            add_period(account, invoice, subscription, item, start, finish, share=share)
    account.happened("customer.subscription.updated", show(account, subscription), {"items": before})


def _draft(account: Account, subscription: Record, reason: str, *, at_once: bool) -> Record:
    """Form a draft that comes from a subscription; one that is charged at once does not wait to be finalised."""
    customer = account.find(account.customers, subscription["customer"])
    by_invoice = subscription["collection_method"] == "send_invoice"
    invoice = invoice_drafts.blank(account, customer, subscription["currency"]) | {
        "auto_advance": by_invoice or not at_once,
        "automatic_tax": automatic_tax.on_invoice(subscription),
        "billing_reason": reason,
        "collection_method": subscription["collection_method"],
        "default_tax_rates": subscription["default_tax_rates"],
        "discounts": [found for found in subscription["discounts"] if _holds(account, found)],
        "due_date": account.now() + subscription["days_until_due"] * 86400 if by_invoice else None,
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
    }
    account.lines[invoice["id"]] = []
    return invoice


def _issue(account: Account, subscription: Record, invoice: Record, *, charge: Charge) -> None:
    """Keep a draft that has its lines, and finalise and charge what does not wait; one without lines is dropped."""
    if not account.lines[invoice["id"]]:
        del account.lines[invoice["id"]]
        return
    invoice_drafts.keep(account, invoice)
    subscription["latest_invoice"] = invoice["id"]
    _use_discounts(account, subscription)
    invoice_drafts.announce(account, invoice)
    if not invoice["auto_advance"]:
        finalize(account, invoice["id"], Parameters({"auto_advance": charge is Charge.LATER}))
        if charge is Charge.NOW:
            collect(account, invoice)
            invoice["auto_advance"] = True


def _unused(account: Account, subscription: Record, item: Record, start: int, end: int) -> None:
    _pending(account, subscription, item, start, end, -part(subscription, item, start, end), "Unused")


def _remaining(account: Account, subscription: Record, item: Record, start: int, end: int) -> None:
    _pending(account, subscription, item, start, end, part(subscription, item, start, end), "Remaining")


def _pending(
    account: Account, subscription: Record, item: Record, start: int, end: int, share: Decimal, word: str
) -> None:
    currency = item["price"]["currency"]
    whole = prices.cost(account, item["price"], Decimal(item["quantity"]))
    amount = rounded(whole * share, step(currency))
    day = datetime.fromtimestamp(start, UTC).strftime("%-d %b %Y")
    wanted = {
        "amount": amount,
        "currency": currency,
        "description": f"{word} time on {_what(account, item)} after {day}",
        "period": {"start": start, "end": end},
    }
    made = invoice_items.make(
        account, Parameters(wanted), customer=subscription["customer"], currency=currency, invoice=None
    )
    made |= {
        "discountable": False,
        "parent": {
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
            "type": "subscription_details",
        },
        "pricing": {
            "price_details": {"price": item["price"]["id"], "product": item["price"]["product"]},
            "type": "price_details",
            "unit_amount_decimal": item["price"]["unit_amount_decimal"],
        },
        "proration": True,
        "quantity": item["quantity"],
        "quantity_decimal": str(item["quantity"]),
        "tax_rates": item["tax_rates"],
    }
    invoice_items.keep(account, made)


def _what(account: Account, item: Record) -> str:
    product = account.products.get(item["price"]["product"]) or {}
    return f"{item['quantity']} x {product.get('name') or item['price']['product']}"


def _holds(account: Account, discount: str) -> bool:
    found = account.find(account.discounts, discount)
    return found["end"] is None or account.now() < found["end"]


def _use_discounts(account: Account, subscription: Record) -> None:
    """Take away the discounts that were for one invoice only."""
    kept = []
    for identifier in subscription["discounts"]:
        discount = account.find(account.discounts, identifier)
        coupon = account.coupons.get(discount["source"]["coupon"]) or {}
        if coupon.get("duration") != "once":
            kept.append(identifier)
    subscription["discounts"] = kept


def _expire(account: Account, subscription: Record) -> None:
    if subscription["status"] != "incomplete":
        return
    invoice = account.invoices.get(subscription["latest_invoice"] or "") or {}
    if invoice.get("status") == "open":
        void(account, invoice["id"], Parameters({}))
    change(account, subscription, {"status": "incomplete_expired", "ended_at": account.now()})
