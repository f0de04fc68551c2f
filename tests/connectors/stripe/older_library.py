"""What a program with an older release of Stripe's library does; run by itself, as two releases share no process.

Takes the sandbox's address and key, does what the connector does too, and prints what it saw as one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import stripe


def refusals(call: Any, invoice: str, key: str) -> list[str | None]:
    """Give the codes of what is refused: another amount under the same key, a wrong state, an unknown parameter."""
    wanted: Any = {"name": "Once"}
    call.customers.create(wanted, options={"idempotency_key": key})
    found: list[str | None] = []
    attempts: list[Any] = [
        lambda: call.customers.create({"name": "Twice"}, options={"idempotency_key": key}),
        lambda: call.invoices.finalize_invoice(invoice),
        lambda: call.customers.create({"colour": "red"}),
        lambda: call.customers.retrieve("cus_nobody"),
    ]
    for attempt in attempts:
        try:
            attempt()
            found.append("not refused")
        except stripe.StripeError as error:
            found.append(error.code or type(error).__name__)
    return found


def main(url: str, api_key: str) -> dict[str, Any]:
    call: Any = stripe.StripeClient(api_key, base_addresses={"api": url}, max_network_retries=0)
    customer = call.customers.create(
        {"name": "Alder", "invoice_settings": {"default_payment_method": "pm_card_visa"}, "metadata": {"order": "7"}}
    )
    call.customers.update(customer.id, {"email": "billing@alder.example"})
    product = call.products.create({"name": "Seats"})
    meter = call.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}
    )
    price = call.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}}
    )
    subscription = call.subscriptions.create({"customer": customer.id, "items": [{"price": price.id, "quantity": 3}]})
    payload = {"stripe_customer_id": customer.id, "value": "25"}
    call.billing.meter_events.create({"event_name": "calls", "identifier": "m-1", "payload": payload})
    call.v2.billing.meter_events.create({"event_name": "calls", "identifier": "m-2", "payload": payload})
    draft = call.invoices.create({"customer": customer.id, "currency": "eur"})
    call.invoice_items.create({"customer": customer.id, "invoice": draft.id, "amount": 250, "currency": "eur"})
    final = call.invoices.finalize_invoice(draft.id)
    paid = call.invoices.pay(final.id, {"paid_out_of_band": True})
    second = call.invoices.create({"customer": customer.id, "currency": "eur"})
    call.invoices.add_lines(second.id, {"lines": [{"amount": 100, "description": "A"}]})
    call.invoices.finalize_invoice(second.id)
    given_up = call.invoices.mark_uncollectible(second.id)
    voided = call.invoices.void_invoice(second.id)
    ending = call.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    first = call.invoices.retrieve(subscription.latest_invoice)
    begun, item = subscription.to_dict(), subscription["items"].data[0].to_dict()
    return {
        "release": stripe.VERSION,
        "api_version": stripe.api_version,
        "found": [one.id for one in call.customers.search({"query": 'metadata["order"]:"7"'}).data] == [customer.id],
        "invoices": [first.status, paid.status, given_up.status, voided.status],
        "totals": [first.total, paid.total, voided.total],
        "ending": [ending.status, ending.cancel_at_period_end],
        "period_on": "subscription"
        if "current_period_end" in begun
        else "item"
        if "current_period_end" in item
        else "",
        "link": "subscription" if "subscription" in first.to_dict() else "parent",
        "subscriptions": [one.id for one in call.subscriptions.list({"customer": customer.id})] == [subscription.id],
        "prices": [one.id for one in call.prices.list({"product": product.id})] == [price.id],
        "payments": len(list(call.events.list({"type": "invoice.paid"}).auto_paging_iter())),
        "meters": [one.id for one in call.billing.meters.list()] == [meter.id],
        "refused": refusals(call, draft.id, "one-key"),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201 - its one line of output
