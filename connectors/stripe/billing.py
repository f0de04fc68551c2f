"""Billing at Stripe: customers, and invoices with their lines and payments, read whole; and notes on them."""

from __future__ import annotations

from typing import Any

from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.reading import ID, list_of, read_by_id
from connectors.stripe.writing import annotates
from hub.sdk.connector import Operation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session


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


BILLING: tuple[Operation, ...] = (
    read_by_id("invoice", "invoices", title="Read an invoice with all its lines", read=_read_invoice),
    list_of(
        "invoice",
        "invoices",
        title="List invoices, newest first, each with its first lines",
        filters={"customer": ID, "status": {"enum": ["draft", "open", "paid", "uncollectible", "void"]}},
    ),
    read_by_id("invoice_payment", "invoice_payments", title="Read a payment of an invoice"),
    list_of(
        "invoice_payment",
        "invoice_payments",
        title="List payments of invoices, newest first",
        filters={"invoice": ID, "status": {"enum": ["open", "paid", "canceled"]}},
    ),
    read_by_id("customer", "customers", title="Read a customer"),
    list_of(
        "customer",
        "customers",
        title="List customers, newest first",
        filters={"email": {"type": "string", "minLength": 1}},
    ),
    annotates("invoice", "invoices", title="Note something in an invoice's metadata, such as its id in the ERP"),
    annotates("customer", "customers", title="Note something in a customer's metadata"),
)
