"""Drafts of invoices: an empty one, how it is told of, and how it is finalised by itself."""

from __future__ import annotations

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import Event
from connectors.stripe.sandbox.invoice_states import finalize
from connectors.stripe.sandbox.invoice_sums import embed, recompute, show
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record

#: A draft that endpoints were not told of waits no longer than this.
LONGEST = 72 * 3600


def blank(account: Account, customer: Record, currency: str) -> Record:
    """Form a draft without lines; it is not kept yet."""
    now = account.now()
    return {
        "id": account.identifiers.new("in"),
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "discounts": [],
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "livemode": False,
        "metadata": {},
        "next_payment_attempt": None,
        "number": None,
        "on_behalf_of": None,
        "parent": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_details": None,
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "test_clock": None,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
        "webhooks_delivered_at": None,
    }


def keep(account: Account, invoice: Record) -> None:
    """Keep a draft, with the lines it has so far."""
    account.invoices.add(invoice)
    account.lines.setdefault(invoice["id"], [])
    customer = account.find(account.customers, invoice["customer"])
    customer["currency"] = customer["currency"] or invoice["currency"]


def sweep(account: Account, invoice: Record, *, subscription: str | None = None) -> None:
    """Make the customer's pending items lines of a draft; those of another subscription go on waiting."""
    for item in account.invoiceitems.where("customer", invoice["customer"]):
        if item.get("deleted") or item["invoice"] is not None or item["currency"] != invoice["currency"]:
            continue
        of = ((item["parent"] or {}).get("subscription_details") or {}).get("subscription")
        if of in {None, subscription}:
            embed(account, invoice, item)


def announce(account: Account, invoice: Record) -> None:
    """Tell of a draft whose lines are there; one that advances by itself is finalised some while later."""
    recompute(account, invoice)
    if invoice["auto_advance"]:
        invoice["automatically_finalizes_at"] = account.now() + account.switches.finalizes_after
    told = account.happened("invoice.created", show(account, invoice))
    invoice["webhooks_delivered_at"] = None if told.pending else account.now()
    if invoice["auto_advance"]:
        finalize_later(account, invoice, told)


def finalize_later(account: Account, invoice: Record, told: Event | None) -> None:
    """Finalise a draft at its time; while an endpoint has not taken `told`, it waits on, for three days at most."""
    created = account.now()

    def turn() -> None:
        due = invoice.get("automatically_finalizes_at")
        if invoice.get("status") != "draft" or not due or due > account.now():
            return
        customer = account.customers.get(invoice["customer"]) or {}
        if customer.get("deleted"):
            invoice["automatically_finalizes_at"] = None
            return
        if told is not None and told.pending and account.now() < created + LONGEST:
            later = min(account.now() + account.switches.finalizes_after, created + LONGEST)
            invoice["automatically_finalizes_at"] = later
            account.agenda.plan(later, turn)
            return
        finalize(account, invoice["id"], Parameters({}))
        if invoice["collection_method"] == "send_invoice" and invoice["status"] == "open":
            account.happened("invoice.sent", show(account, invoice))

    account.agenda.plan(invoice["automatically_finalizes_at"], turn)
