"""Invoices of two kilobytes in the shape Stripe gives them, the same ones each time."""

from __future__ import annotations

import json
from random import Random

#: How a collection method is called in the record that is made.
TERMS = {"charge_automatically": "NET0", "send_invoice": "NET30"}


def documents(count: int) -> list[bytes]:
    """Make the JSON of so many invoices; each has one to four lines, two kilobytes on average."""
    random = Random(7)
    return [_invoice(index, random) for index in range(count)]


def _invoice(index: int, random: Random) -> bytes:
    lines = [_line(index, number, random) for number in range(random.randrange(1, 5))]
    net, tax = sum(line["amount"] for line in lines), sum(line["taxes"][0]["amount"] for line in lines)
    invoice = {
        "id": f"in_1QyZ{index:020}",
        "object": "invoice",
        "amount_due": net + tax,
        "amount_paid": 0,
        "amount_remaining": net + tax,
        "attempt_count": 0,
        "billing_reason": "subscription_cycle",
        "collection_method": random.choice([*TERMS, "other"]),
        "created": 1_760_000_000 + index,
        "currency": random.choice(["eur", "usd", "jpy", "kwd"]),
        "customer": f"cus_{index % 50:014}",
        "customer_address": {"city": "Berlin", "country": "DE", "line1": "Torstr. 1", "postal_code": "10119"},
        "customer_name": random.choice([f"Customer {index % 50}", None]),
        "due_date": None,
        "metadata": {"order": f"SO-{index:06}"},
        "number": f"CON-{index:06}",
        "status": "open",
        "status_transitions": {"finalized_at": 1_760_000_000 + index, "paid_at": None, "voided_at": None},
        "subtotal": net,
        "total": net + tax,
        "total_taxes": [{"amount": tax, "tax_behavior": "exclusive", "taxability_reason": "standard_rated"}],
        "lines": {"object": "list", "data": lines, "has_more": False, "url": f"/v1/invoices/in_{index}/lines"},
    }
    return json.dumps(invoice).encode()


def _line(invoice: int, number: int, random: Random) -> dict[str, object] | dict[str, int]:
    amount = random.randrange(-500, 90_000)
    return {
        "id": f"il_{invoice}_{number}",
        "object": "line_item",
        "amount": amount,
        "currency": "eur",
        "description": f"{amount} units of Platform usage (at 0.01 each)",
        "discount_amounts": [],
        "metadata": {},
        "parent": {"type": "subscription_item_details", "subscription_item_details": {"proration": False}},
        "period": {"start": 1_756_684_800, "end": 1_759_276_800},
        "pricing": {"price_details": {"product": f"prod_{random.randrange(20)}"}, "type": "price_details"},
        "quantity": random.choice([1, 3, 250]),
        "taxes": [{"amount": random.choice([0, 19, 700]), "tax_behavior": "exclusive"}],
    }
