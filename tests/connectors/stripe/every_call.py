"""Every call that the connector makes, made with a release of Stripe's library instead.

Run by itself, as two releases share no process. Takes the address and the key of a sandbox in which what no call can
bring about has happened already: a dispute, a payout, a thin event. Prints what it saw as one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import stripe

Seen = dict[str, Any]
THIN = "v1.billing.meter.no_meter_found"


def ids(page: Any) -> list[str]:
    """Give the ids of a list, from its first page to its last."""
    return [one.id for one in page.auto_paging_iter()]


def catalogue(call: Any) -> Seen:
    """Make what is sold, and read it back by id, in lists and by search."""
    product = call.products.create({"name": "Seats", "metadata": {"sku": "S-1"}})
    price = call.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}}
    )
    searched = call.products.search({"query": 'metadata["sku"]:"S-1"'}).data
    other = call.prices.create({"product": product.id, "currency": "usd", "unit_amount": 990})
    return {
        "price": price.id,
        "read": [
            call.products.retrieve(product.id).name,
            call.prices.retrieve(price.id).unit_amount,
            product.id in ids(call.products.list({"active": True})),
            ids(call.prices.list({"product": product.id, "active": True, "currency": "eur"})) == [price.id],
            [one.id for one in searched] == [product.id],
            {one.id for one in call.prices.search({"query": f'product:"{product.id}"'}).data} == {price.id, other.id},
            call.products.update(product.id, {"description": "A place"}).description,
            call.prices.update(other.id, {"active": False}).active,
        ],
    }


def customers(call: Any) -> Seen:
    """Make a customer who pays by card, change and annotate it."""
    made = call.customers.create(
        {
            "name": "Cedar",
            "email": "pay@cedar.example",
            "invoice_settings": {"default_payment_method": "pm_card_visa"},
            "metadata": {"order": "8"},
        }
    )
    changed = call.customers.update(made.id, {"phone": "+43 1", "metadata": {"order": "", "erp": "12"}})
    read = call.customers.retrieve(made.id).to_dict()
    return {
        "customer": made.id,
        "read": [
            changed.phone,
            dict(read["metadata"]),
            ids(call.customers.list({"email": "pay@cedar.example"})) == [made.id],
            [one.id for one in call.customers.search({"query": 'metadata["erp"]:"12"'}).data] == [made.id],
        ],
    }


def subscriptions(call: Any, customer: str, price: str) -> list[Any]:
    """Begin a subscription, read it with its items, let it end with its period, and end it now."""
    begun = call.subscriptions.create({"customer": customer, "items": [{"price": price, "quantity": 3}]})
    item = begun["items"].data[0].id
    first = call.invoices.retrieve(begun.latest_invoice)
    return [
        begun.status,
        call.subscriptions.retrieve(begun.id).status,
        ids(call.subscriptions.list({"customer": customer})) == [begun.id],
        begun.id in [one.id for one in call.subscriptions.search({"query": 'status:"active"'}).data],
        ids(call.subscription_items.list({"subscription": begun.id})) == [item],
        call.subscriptions.update(begun.id, {"items": [{"id": item, "quantity": 4}], "proration_behavior": "none"}).id
        == begun.id,
        call.subscription_items.retrieve(item).quantity,
        call.subscriptions.update(begun.id, {"cancel_at_period_end": True}).cancel_at_period_end,
        call.subscriptions.cancel(begun.id, {"prorate": False, "cancellation_details": {"comment": "moved"}}).status,
        [first.status, first.total],
    ]


def draft(call: Any, customer: str, amount: int) -> Any:
    """Make a draft with one line."""
    made = call.invoices.create({"customer": customer, "currency": "eur"})
    call.invoice_items.create({"customer": customer, "invoice": made.id, "amount": amount, "currency": "eur"})
    return call.invoices.retrieve(made.id)


def invoices(call: Any, customer: str, *, payments: bool) -> list[Any]:
    """Lead invoices to each of their ends."""
    first = draft(call, customer, 1200)
    (item,) = call.invoice_items.list({"customer": customer, "invoice": first.id}).data
    call.invoices.update(first.id, {"metadata": {"erp": "4711"}})
    final = call.invoices.finalize_invoice(first.id)
    paid = call.invoices.pay(final.id, {"paid_out_of_band": True})
    given_up, void = [call.invoices.finalize_invoice(draft(call, customer, amount).id) for amount in (300, 400)]
    seen = [
        [first.status, final.status, paid.status, paid.amount_due],
        call.invoices.mark_uncollectible(given_up.id).status,
        call.invoices.void_invoice(void.id).status,
        call.invoice_items.retrieve(item.id).amount,
        [line.amount for line in call.invoices.line_items.list(first.id).data],
        ids(call.invoices.list({"customer": customer, "status": "void"})) == [void.id],
        [one.id for one in call.invoices.search({"query": 'metadata["erp"]:"4711"'}).data] == [first.id],
    ]
    if payments:
        (payment,) = call.invoice_payments.list({"invoice": paying(call, customer)}).data
        seen.append([call.invoice_payments.retrieve(payment.id).amount_paid, payment.status])
    return seen


def paying(call: Any, customer: str) -> str:
    """Make an invoice that a card pays."""
    final = call.invoices.finalize_invoice(draft(call, customer, 700).id)
    return str(call.invoices.pay(final.id).id)


def meters(call: Any, client: Any, customer: str, hosts: Any) -> list[Any]:
    """Count what is sent in both APIs and by the stream, and read a thin event."""
    made = call.billing.meters.create(
        {"display_name": "Storage", "event_name": "storage", "default_aggregation": {"formula": "sum"}}
    )
    payload = {"stripe_customer_id": customer, "value": "25"}
    sent = client.v2.billing.meter_events.create({"event_name": "storage", "identifier": "s-1", "payload": payload})
    again = client.v2.billing.meter_events
    try:
        again.create({"event_name": "storage", "identifier": "s-1", "payload": payload})
        twice = "counted twice"
    except stripe.StripeError as error:
        twice = str(error.code)
    reported = call.billing.meter_events.create({"event_name": "storage", "identifier": "s-2", "payload": payload})
    opened = client.v2.billing.meter_event_session.create()
    streaming: Any = stripe.StripeClient(opened.authentication_token, base_addresses=hosts, max_network_retries=0)
    streaming.v2.billing.meter_event_stream.create(
        {"events": [{"event_name": "storage", "identifier": f"s-{place}", "payload": payload} for place in (3, 4)]}
    )
    span = {"customer": customer, "start_time": 1_699_999_980, "end_time": 4_102_444_800}
    # Older releases list thin events only by the object that they are about.
    listed: Any = client.raw_request("get", "/v2/core/events")
    (thin,) = [one["id"] for one in listed.data["data"] if one["type"] == THIN]
    return [
        sent.identifier,
        reported.identifier,
        twice,
        [one.aggregated_value for one in call.billing.meters.event_summaries.list(made.id, span).data],
        call.billing.meters.retrieve(made.id).status,
        made.id in ids(call.billing.meters.list()),
        client.v2.core.events.retrieve(thin).type,
    ]


def payments(call: Any, customer: str) -> list[Any]:
    """Ask for payments, make one, cancel one, and give a part of the money back."""
    asked = {"amount": 5000, "currency": "eur", "customer": customer, "metadata": {"order": "9"}}
    first, second = call.payment_intents.create(asked), call.payment_intents.create({**asked, "metadata": {}})
    made = call.payment_intents.confirm(first.id, {"payment_method": "pm_card_visa"})
    ended = call.payment_intents.cancel(second.id, {"cancellation_reason": "abandoned"})
    (charge,) = call.charges.list({"payment_intent": first.id}).data
    refund = call.refunds.create({"payment_intent": first.id, "amount": 700})
    movement = call.balance_transactions.retrieve(charge.balance_transaction)
    return [
        [made.status, ended.status, call.payment_intents.retrieve(first.id).amount_received],
        set(ids(call.payment_intents.list({"customer": customer}))) >= {first.id, second.id},
        [one.id for one in call.payment_intents.search({"query": 'metadata["order"]:"9"'}).data] == [first.id],
        [call.charges.retrieve(charge.id).amount_refunded, charge.amount],
        [call.refunds.retrieve(refund.id).status, ids(call.refunds.list({"charge": charge.id})) == [refund.id]],
        [movement.amount, movement.net + movement.fee],
        ids(call.balance_transactions.list({"source": charge.id})) == [movement.id],
    ]


def credits_of(call: Any, customer: str) -> list[Any]:
    """Take a part of an open invoice back, and take that back."""
    opened = call.invoices.finalize_invoice(draft(call, customer, 1000).id)
    note = call.credit_notes.create({"invoice": opened.id, "amount": 250, "reason": "order_change"})
    seen = [
        [note.status, note.amount, call.invoices.retrieve(opened.id).amount_remaining],
        [line.amount for line in call.credit_notes.line_items.list(note.id).data],
        ids(call.credit_notes.list({"invoice": opened.id})) == [note.id],
        call.credit_notes.void_credit_note(note.id).status,
        call.credit_notes.retrieve(note.id).status,
        call.invoices.retrieve(opened.id).amount_remaining,
    ]
    call.invoices.void_invoice(opened.id)
    return seen


def settlement(call: Any) -> list[Any]:
    """Read what others have done: a dispute, a payout and what that is made of."""
    (dispute,) = call.disputes.list().data
    (payout,) = call.payouts.list({"status": "paid"}).data
    movements = list(call.balance_transactions.list({"payout": payout.id}).auto_paging_iter())
    read = call.payouts.retrieve(payout.id)
    return [
        call.disputes.retrieve(dispute.id).status,
        [movement.type for movement in movements].count("payout"),
        sum(movement.net for movement in movements if movement.type != "payout") == read.amount,
        read.reconciliation_status,
    ]


def taxes(call: Any) -> list[Any]:
    """Calculate the taxes of a sale, record it, and take a part of it back."""
    made = call.tax.calculations.create(
        {
            "currency": "usd",
            "line_items": [{"amount": 10_000, "reference": "seats", "tax_code": "txcd_10103001"}],
            "customer_details": {
                "address": {"line1": "1 Main Street", "city": "New York", "state": "NY", "country": "US"},
                "address_source": "billing",
            },
        }
    )
    recorded = call.tax.transactions.create_from_calculation({"calculation": made.id, "reference": "INV-9"})
    part = {"mode": "partial", "original_transaction": recorded.id, "reference": "INV-9-R", "flat_amount": -500}
    reversal = call.tax.transactions.create_reversal(part)
    lines = call.tax.transactions.line_items.list(reversal.id).data
    return [
        call.tax.calculations.retrieve(made.id).tax_amount_exclusive == made.tax_amount_exclusive > 0,
        [line.reference for line in call.tax.calculations.line_items.list(made.id).data],
        [recorded.type, call.tax.transactions.retrieve(reversal.id).type],
        sum(line.amount + line.amount_tax for line in lines),
    ]


def main(url: str, api_key: str) -> Seen:
    hosts: Any = {"api": url, "meter_events": url}
    client: Any = stripe.StripeClient(api_key, base_addresses=hosts, max_network_retries=0)
    # Since release 13 the first API has a name of its own.
    call = getattr(client, "v1", client)
    told = catalogue(call)
    customer = customers(call)
    payer = customer["customer"]
    has_payments = not str(stripe.api_version).endswith(".acacia")
    return {
        "release": stripe.VERSION,
        "account": call.accounts.retrieve_current().object,
        "catalogue": told["read"],
        "customers": customer["read"],
        "subscriptions": subscriptions(call, payer, told["price"]),
        "invoices": invoices(call, payer, payments=has_payments),
        "meters": meters(call, client, payer, hosts),
        "payments": payments(call, payer),
        "credit_notes": credits_of(call, payer),
        "settlement": settlement(call),
        "taxes": taxes(call),
        "events": ids(call.events.list({"limit": 1, "type": "tax.nothing"})),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - its one line of output
