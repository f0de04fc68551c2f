"""Billing at Stripe: customers, subscriptions, and invoices from draft to end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.stripe.client import listed, pages, read_object, reading, settings_of
from connectors.stripe.reading import ID, SECONDS, list_of, read_by_id, search_of
from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import release_of
from connectors.stripe.writing import METADATA, annotates, changes, creates, ends
from hub.sdk.calls import Course
from hub.sdk.connector import JsonSchema, Operation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session

TEXT: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 5000}
CURRENCY: JsonSchema = {"type": "string", "pattern": "^[A-Za-z]{3}$"}
#: Minor units; with decimals as text where Stripe takes parts of them.
AMOUNT: JsonSchema = {"type": "integer"}
DECIMAL: JsonSchema = {"type": "string", "pattern": r"^-?\d{1,15}(\.\d{1,12})?$"}
FLAG: JsonSchema = {"type": "boolean"}
IDS: JsonSchema = {"type": "array", "items": ID}
_COUNT: JsonSchema = {"type": "integer", "minimum": 0}
#: What made a payment of an invoice: a payment intent, or a payment record of money that came another way.
_MADE_BY = {
    "type": "object",
    "properties": {
        "type": {"enum": ["payment_intent", "payment_record"]},
        "payment_intent": ID,
        "payment_record": ID,
    },
    "required": ["type"],
    "additionalProperties": False,
}
_COLLECTION: JsonSchema = {"enum": ["charge_automatically", "send_invoice"]}


def shape(properties: Mapping[str, JsonSchema], *required: str) -> JsonSchema:
    """Describe an object that has these fields and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


_CLEARED: JsonSchema = {"type": "string", "maxLength": 5000}
_DISCOUNTS: JsonSchema = {"type": "array", "items": shape({"coupon": TEXT}, "coupon")}
_CUSTOMER: Mapping[str, JsonSchema] = {
    "name": TEXT,
    "email": TEXT,
    "phone": TEXT,
    "description": TEXT,
    # An empty text takes a part out; what is not named stays.
    "address": shape(dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"), _CLEARED)),
    "invoice_prefix": {"type": "string", "pattern": "^[A-Z0-9]{3,12}$"},
    "invoice_settings": shape({"default_payment_method": ID, "footer": TEXT}),
    "preferred_locales": {"type": "array", "items": TEXT},
    "tax_exempt": {"enum": ["none", "exempt", "reverse"]},
    "metadata": METADATA,
}
_SUBSCRIPTION: Mapping[str, JsonSchema] = {
    "customer": ID,
    "items": {
        "type": "array",
        "items": shape({"price": ID, "quantity": _COUNT, "tax_rates": IDS, "metadata": METADATA}, "price"),
        "minItems": 1,
        "maxItems": 20,
    },
    "collection_method": _COLLECTION,
    "days_until_due": _COUNT,
    "default_payment_method": ID,
    "default_tax_rates": IDS,
    # Stripe Tax taxes its invoices; no rates are named beside it.
    "automatic_tax": shape({"enabled": FLAG}, "enabled"),
    "description": TEXT,
    "discounts": _DISCOUNTS,
    "payment_behavior": {"enum": ["allow_incomplete", "default_incomplete", "error_if_incomplete"]},
    "trial_end": SECONDS,
    "trial_period_days": _COUNT,
    "cancel_at": SECONDS,
    "cancel_at_period_end": FLAG,
    "metadata": METADATA,
}
_ITEM_CHANGE = shape(
    {"id": ID, "price": ID, "quantity": _COUNT, "deleted": FLAG, "clear_usage": FLAG, "tax_rates": IDS}
)
#: An item that is there is named by its `id`; one with a `price` alone is new.
_SUBSCRIPTION_CHANGE: Mapping[str, JsonSchema] = {
    "items": {
        "type": "array",
        "items": {
            **_ITEM_CHANGE,
            "anyOf": [{"required": ["id"]}, {"required": ["price"]}],
            "dependentRequired": {"clear_usage": ["deleted"]},
        },
        "minItems": 1,
        "maxItems": 40,
    },
    "proration_behavior": {"enum": ["create_prorations", "always_invoice", "none"]},
    "proration_date": SECONDS,
    "default_tax_rates": {**IDS, "minItems": 1},
    "automatic_tax": shape({"enabled": FLAG}, "enabled"),
    "collection_method": _COLLECTION,
    "days_until_due": _COUNT,
    "description": TEXT,
    "metadata": METADATA,
}
_INVOICE_ITEM: Mapping[str, JsonSchema] = {
    "customer": ID,
    "invoice": ID,
    "price": ID,
    # In the place of a price: one that is made for this item alone.
    "price_data": shape(
        {
            "currency": CURRENCY,
            "product": ID,
            "unit_amount_decimal": DECIMAL,
            "tax_behavior": {"enum": ["inclusive", "exclusive", "unspecified"]},
        },
        "currency",
        "product",
        "unit_amount_decimal",
    ),
    "quantity": _COUNT,
    "amount": AMOUNT,
    "unit_amount_decimal": DECIMAL,
    "currency": CURRENCY,
    "description": TEXT,
    "discountable": FLAG,
    "discounts": _DISCOUNTS,
    "period": shape({"start": SECONDS, "end": SECONDS}, "start", "end"),
    "tax_rates": IDS,
    "metadata": METADATA,
}
_INVOICE: Mapping[str, JsonSchema] = {
    "customer": ID,
    "currency": CURRENCY,
    "auto_advance": FLAG,
    "collection_method": _COLLECTION,
    "days_until_due": _COUNT,
    "due_date": SECONDS,
    "default_tax_rates": IDS,
    "description": TEXT,
    "discounts": _DISCOUNTS,
    "footer": TEXT,
    "number": TEXT,
    "pending_invoice_items_behavior": {"enum": ["include", "exclude"]},
    "metadata": METADATA,
}
_INVOICE_GIVES = (
    "status",
    "number",
    "customer",
    "currency",
    "subtotal",
    "total",
    "amount_due",
    "amount_paid",
    "amount_remaining",
)

_RATE_PARAMETER = re.compile(r"^default_tax_rates\[\d+\]$")
_ITEM_PARAMETER = re.compile(r"^items\[(?P<place>\d+)\]\[(?P<field>\w+)\](\[\d+\])?$")
_OF_THE_CHANGE = frozenset({"proration_behavior", "proration_date"})


def _item_form(settings: StripeSettings, record: Record) -> Record:
    """Name the price as the connection's version does: `pricing[price]` since basil."""
    if "price" not in record or release_of(settings.api_version) == "acacia":
        return record
    return {name: value for name, value in record.items() if name != "price"} | {"pricing": {"price": record["price"]}}


def _ending(settings: StripeSettings, record: Record) -> Record:
    """End a subscription at a moment, or with the period that runs."""
    return {"cancel_at": record["cancel_at"]} if "cancel_at" in record else {"cancel_at_period_end": True}


def _is_ending(sent: Mapping[str, str], subscription: Mapping[str, Any]) -> bool:
    """Tell whether a subscription ends as was ordered, or has ended."""
    if subscription.get("status") == "canceled":
        return True
    if "cancel_at" in sent:
        return str(subscription.get("cancel_at")) == sent["cancel_at"]
    return subscription.get("cancel_at_period_end") is True


def _with_items(settings: StripeSettings, subscription: Mapping[str, Any]) -> Course[Mapping[str, Any]]:
    """Give a subscription with all its items; Stripe itself shows only the first ones."""
    items = yield from listed(settings, "subscription_items", query={"subscription": subscription["id"]})
    return {**subscription, "items": items}


def _is_changed(sent: Mapping[str, str], subscription: Mapping[str, Any]) -> bool:
    """Tell whether a subscription is as a change leaves it: its items, no two of which have one price, and its terms.

    How the change itself was billed cannot be seen afterwards: where nothing else was sent, it does not hold.
    """
    items: dict[str, dict[str, Any]] = {}
    noted: dict[str, str] = {}
    terms: dict[str, str] = {}
    rates: set[str] = set()
    for name, value in sent.items():
        if match := _ITEM_PARAMETER.match(name):
            wanted = items.setdefault(match["place"], {})
            if match["field"] == "tax_rates":
                wanted.setdefault("tax_rates", set()).add(value)
            else:
                wanted[match["field"]] = value
        elif name.startswith("metadata["):
            noted[name[9:-1]] = value
        elif _RATE_PARAMETER.match(name):
            rates.add(value)
        elif name not in _OF_THE_CHANGE:
            terms[name] = value
    metadata = subscription.get("metadata") or {}
    automatic = terms.pop("automatic_tax[enabled]", None)
    return (
        bool(items or noted or terms or rates or automatic)
        and (not rates or rates == {rate["id"] for rate in subscription.get("default_tax_rates") or ()})
        and (automatic is None or ((subscription.get("automatic_tax") or {}).get("enabled") is (automatic == "true")))
        and all(_has_item(subscription["items"], wanted) for wanted in items.values())
        and all(metadata.get(name, "") == value for name, value in noted.items())
        and all(subscription.get(name) is not None and str(subscription[name]) == terms[name] for name in terms)
    )


def _has_item(items: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> bool:
    """Look among a subscription's items for one that was asked for; one that was taken out must be gone."""
    named = [item for item in items if wanted.get("id", item["id"]) == item["id"]]
    if wanted.get("deleted") == "true":
        return not named
    return any(
        wanted.get("price", item["price"]["id"]) == item["price"]["id"]
        and wanted.get("quantity", str(item.get("quantity"))) == str(item.get("quantity"))
        and wanted.get("tax_rates", rates) == rates
        for item in named
        for rates in [{rate["id"] for rate in item.get("tax_rates") or ()}]
    )


async def _read_invoice(session: Session, wanted: Record) -> Record:
    """Read an invoice with all its lines; Stripe itself embeds only the first ones."""
    invoice = read_object(await session.send(reading(settings_of(session), "invoices", wanted["id"])), "invoice")
    lines = invoice.get("lines")
    if not isinstance(lines, dict) or not isinstance(lines.get("data"), list):
        raise OutcomeUnknown("The invoice came without lines.", code="unreadable-answer", id=wanted["id"])
    if lines.get("has_more") is True:
        found: list[dict[str, Any]] = []
        async for page in pages(session, "invoices", wanted["id"], "lines", query={}):
            found.extend(page)
        if invoice.get("status") == "draft" and len(found) < len(lines["data"]):
            raise FixData("The draft changed while it was read.", code="changed-while-read", id=wanted["id"])
        invoice["lines"] = {**lines, "data": found, "has_more": False}
    return invoice


async def _read_customer(session: Session, wanted: Record) -> Record:
    """Read a customer with the numbers under which it is registered for tax; Stripe shows them only when asked."""
    request = reading(settings_of(session), "customers", wanted["id"], query={"expand": ["tax_ids"]})
    return read_object(await session.send(request), "customer")


_READS: tuple[Operation, ...] = (
    read_by_id("invoice", "invoices", title="Read an invoice with all its lines", read=_read_invoice),
    list_of(
        "invoice",
        "invoices",
        title="List invoices, newest first, each with its first lines",
        filters={
            "customer": ID,
            "subscription": ID,
            "status": {"enum": ["draft", "open", "paid", "uncollectible", "void"]},
        },
    ),
    read_by_id("invoice_payment", "invoice_payments", title="Read a payment of an invoice"),
    list_of(
        "invoice_payment",
        "invoice_payments",
        title="List payments of invoices, newest first",
        filters={"invoice": ID, "payment": _MADE_BY, "status": {"enum": ["open", "paid", "canceled"]}},
    ),
    read_by_id("invoiceitem", "invoiceitems", name="invoice_item.read", title="Read an invoice item"),
    list_of(
        "invoiceitem",
        "invoiceitems",
        name="invoice_item.list",
        title="List invoice items, newest first; those that wait for an invoice are pending",
        filters={"customer": ID, "invoice": ID, "pending": FLAG},
    ),
    read_by_id("customer", "customers", title="Read a customer with its tax ids", read=_read_customer),
    list_of("customer", "customers", title="List customers, newest first", filters={"email": TEXT}),
    search_of("customer", "customers", title="Find customers by their metadata, up to an hour late"),
    read_by_id("subscription", "subscriptions", title="Read a subscription with its first items"),
    list_of(
        "subscription",
        "subscriptions",
        title="List subscriptions, newest first; cancelled ones only when asked for",
        filters={
            "customer": ID,
            "price": ID,
            "status": {
                "enum": [
                    "active",
                    "all",
                    "canceled",
                    "ended",
                    "incomplete",
                    "incomplete_expired",
                    "past_due",
                    "paused",
                    "trialing",
                    "unpaid",
                ]
            },
        },
    ),
    read_by_id("subscription_item", "subscription_items", title="Read an item of a subscription"),
    list_of(
        "subscription_item",
        "subscription_items",
        title="List the items of a subscription",
        filters={"subscription": ID},
        required=("subscription",),
        timed=False,
    ),
)
_WRITES: tuple[Operation, ...] = (
    creates(
        "customer.create",
        "customers",
        title="Create a customer",
        fields=_CUSTOMER,
        gives=("name", "email"),
        searched=True,
    ),
    changes(
        "customer.update",
        "customers",
        title="Change the fields of a customer that are given",
        fields=_CUSTOMER,
        gives=("name", "email"),
    ),
    creates(
        "subscription.create",
        "subscriptions",
        title="Begin a subscription; its first period is billed at once",
        fields=_SUBSCRIPTION,
        required=("customer", "items"),
        gives=("status", "customer", "currency", "latest_invoice"),
        searched=True,
        undo="subscription.cancel",
    ),
    changes(
        "subscription.update",
        "subscriptions",
        title="Change a subscription: other prices and quantities, more items or fewer, other terms",
        fields=_SUBSCRIPTION_CHANGE,
        gives=("status", "customer", "currency", "latest_invoice"),
        holds=_is_changed,
        whole=_with_items,
    ),
    changes(
        "subscription.cancel",
        "subscriptions",
        title="Let a subscription end with the period that runs, or at a given time",
        fields={"cancel_at": SECONDS},
        form=_ending,
        gives=("status", "cancel_at", "cancel_at_period_end", "canceled_at"),
        holds=_is_ending,
    ),
    ends(
        "subscription.end",
        "subscriptions",
        title="End a subscription now; where asked for, credit what is left of its period, and bill what waits",
        fields={"prorate": FLAG, "invoice_now": FLAG},
        gives=("status", "canceled_at", "ended_at", "latest_invoice"),
    ),
    creates(
        "invoice_item.create",
        "invoiceitems",
        title="Add an item to a draft, or to the customer's next invoice",
        fields=_INVOICE_ITEM,
        required=("customer",),
        gives=("customer", "invoice", "amount", "currency"),
        kind="invoiceitem",
        form=_item_form,
        listed_by=("customer", "invoice"),
    ),
    creates(
        "invoice.create",
        "invoices",
        title="Create a draft of an invoice",
        fields=_INVOICE,
        required=("customer",),
        gives=_INVOICE_GIVES,
        searched=True,
    ),
    changes(
        "invoice.finalize",
        "invoices",
        verb="finalize",
        title="Finalise a draft: it gets its number, and its amounts no longer change",
        fields={"auto_advance": FLAG},
        gives=_INVOICE_GIVES,
        holds=lambda _, invoice: invoice.get("status") in {"open", "paid", "uncollectible", "void"},
        undo="invoice.void",
    ),
    changes(
        "invoice.pay",
        "invoices",
        verb="pay",
        title="Charge what remains of an invoice, or take it as paid outside Stripe",
        fields={"paid_out_of_band": FLAG, "payment_method": ID, "off_session": FLAG},
        gives=_INVOICE_GIVES,
        holds=lambda _, invoice: invoice.get("status") == "paid",
    ),
    changes(
        "invoice.void",
        "invoices",
        verb="void",
        title="Void an open or uncollectible invoice of which nothing is paid",
        gives=_INVOICE_GIVES,
        holds=lambda _, invoice: invoice.get("status") == "void",
    ),
    changes(
        "invoice.mark_uncollectible",
        "invoices",
        verb="mark_uncollectible",
        title="Give up an open invoice; it may still be paid or voided",
        gives=_INVOICE_GIVES,
        holds=lambda _, invoice: invoice.get("status") == "uncollectible",
    ),
    annotates("invoice", "invoices", title="Note something in an invoice's metadata, such as its id in the ERP"),
    annotates("customer", "customers", title="Note something in a customer's metadata"),
)
BILLING: tuple[Operation, ...] = (*_READS, *_WRITES)
