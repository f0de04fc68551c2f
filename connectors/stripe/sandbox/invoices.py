"""Invoices as drafts and as objects: create, add lines, update, read, list, delete."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import catalogue, invoice_items
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.currencies import currency_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.invoice_drafts import announce, blank, finalize_later, keep, sweep
from connectors.stripe.sandbox.invoice_sums import embed, recompute, show, subscription_of
from connectors.stripe.sandbox.listing import equals, lines_page, pages, time_range
from connectors.stripe.sandbox.methods import known
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.tax_settings import refuse_automatic_tax

MAX_LINES = 250
_UNUSED = (
    "account_tax_ids",
    "issuer",
    "payment_settings",
    "rendering",
    "shipping_details",
)
#: What may still be changed once an invoice is finalised.
_ALWAYS = frozenset({"metadata", "auto_advance", "expand", "payment_settings", "rendering"})


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/invoices`: a draft, with the customer's pending items when asked for."""
    customer = account.find(account.customers, parameters.required("customer"), param="customer")
    currency = currency_of(parameters.text("currency") or customer["currency"] or "usd")
    invoice = blank(account, customer, currency)
    _write(account, invoice, parameters)
    sweeps = parameters.choice("pending_invoice_items_behavior", "include", "exclude") == "include"
    parameters.accept("currency")
    parameters.finish()
    keep(account, invoice)
    if sweeps:
        sweep(account, invoice)
    announce(account, invoice)
    return show(account, invoice)


def add_lines(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/add_lines`: up to 250 lines at once, or pending items by id."""
    invoice = account.find(account.invoices, identifier)
    invoice_items.must_be_draft(invoice)
    parts = parameters.parts("lines")
    if not parts:
        raise ApiError.missing_parameter("lines")
    if len(parts) > MAX_LINES:
        raise ApiError.invalid(f"Up to {MAX_LINES} lines can be added at once.", param="lines")
    items: list[tuple[Record, bool]] = []
    for part in parts:
        pending = part.text("invoice_item")
        if pending is not None:
            items.append((account.find(account.invoiceitems, pending, param=part.name("invoice_item")), False))
            continue
        made = invoice_items.make(
            account, part, customer=invoice["customer"], currency=invoice["currency"], invoice=invoice
        )
        items.append((made, True))
    metadata = parameters.part("invoice_metadata")
    if metadata is not None:
        invoice["metadata"] = Parameters({"metadata": {key: metadata.text(key) for key in metadata.names()}}).metadata(
            invoice["metadata"]
        )
    parameters.finish()
    for item, new in items:
        if new:
            invoice_items.keep(account, item)
        embed(account, invoice, item)
    recompute(account, invoice)
    return show(account, invoice)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}`; of a finalised invoice little more than the metadata can be changed."""
    invoice = account.find(account.invoices, identifier)
    if invoice["status"] != "draft" and not set(parameters.names()) <= _ALWAYS:
        raise ApiError.not_editable("Finalized invoices can't be updated in this way")
    after = dict(invoice)
    _write(account, after, parameters)
    parameters.finish()
    previous = changed(invoice, after)
    invoice.update(after)
    if invoice["status"] == "draft":
        recompute(account, invoice)
        if invoice["auto_advance"] and not invoice["automatically_finalizes_at"]:
            invoice["automatically_finalizes_at"] = account.now() + account.switches.finalizes_after
            finalize_later(account, invoice, None)
        elif not invoice["auto_advance"]:
            invoice["automatically_finalizes_at"] = None
    if previous:
        account.happened("invoice.updated", show(account, invoice), previous)
    return show(account, invoice)


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/invoices/{id}`."""
    return show(account, account.find(account.invoices, identifier))


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/invoices/{id}`: drafts only."""
    invoice = account.find(account.invoices, identifier)
    if invoice["status"] != "draft" or (invoice["parent"] or {}).get("subscription_details"):
        raise ApiError.not_editable("You can only delete draft invoices that are not of a subscription.")
    account.happened("invoice.deleted", show(account, invoice))
    invoice.clear()
    invoice.update({"id": identifier, "object": "invoice", "deleted": True})
    return invoice


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/invoices`."""
    customer, subscription = parameters.text("customer"), parameters.text("subscription")
    filters = [
        None if subscription is None else lambda invoice: subscription_of(invoice) == subscription,
        equals("status", parameters.choice("status", "draft", "open", "paid", "uncollectible", "void")),
        equals("collection_method", parameters.text("collection_method")),
        time_range(parameters),
        time_range(parameters, "due_date"),
    ]
    among = None if customer is None else account.invoices.where("customer", customer)
    return pages(
        account.invoices,
        parameters,
        filters,
        url="/v1/invoices",
        show=lambda invoice: show(account, invoice),
        among=among,
    )


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/invoices/search`."""
    fields = frozenset({"created", "currency", "customer", "number", "receipt_number", "status", "total"})
    return search(
        account,
        account.invoices,
        parameters,
        fields=fields,
        url="/v1/invoices/search",
        show=lambda invoice: show(account, invoice),
    )


def list_lines(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/invoices/{id}/lines`, in the order of the invoice."""
    invoice = account.find(account.invoices, identifier)
    url = f"/v1/invoices/{identifier}/lines"
    return lines_page(account.lines[invoice["id"]], parameters, url=url, kind="invoice line item")


def _write(account: Account, invoice: Record, parameters: Parameters) -> None:
    for key in ("default_payment_method", "description", "footer", "number", "statement_descriptor"):
        value = parameters.text(key)
        if value is not None:
            invoice[key] = value or None
    if invoice["default_payment_method"]:
        known(account, invoice["default_payment_method"], param="default_payment_method")
    if (advance := parameters.boolean("auto_advance")) is not None:
        invoice["auto_advance"] = advance
    if (method := parameters.choice("collection_method", "charge_automatically", "send_invoice")) is not None:
        invoice["collection_method"] = method
    if (effective := parameters.integer("effective_at")) is not None:
        invoice["effective_at"] = effective
    days = parameters.integer("days_until_due")
    due = parameters.integer("due_date")
    if (days is not None or due is not None) and invoice["collection_method"] != "send_invoice":
        raise ApiError.invalid(
            "You can only set due dates on invoices with collection_method set to send_invoice.", param="due_date"
        )
    if due is not None or days is not None:
        invoice["due_date"] = due if due is not None else account.now() + (days or 0) * 86400
    if (rates := parameters.texts("default_tax_rates")) is not None:
        invoice["default_tax_rates"] = [
            account.find(account.tax_rates, rate, param="default_tax_rates") for rate in rates
        ]
    discounts = catalogue.discounts_of(
        account, parameters, currency=invoice["currency"], customer=invoice["customer"], invoice=invoice["id"]
    )
    if discounts is not None:
        invoice["discounts"] = discounts
    invoice["metadata"] = parameters.metadata(invoice["metadata"])
    if (fields := parameters.parts("custom_fields")) is not None:
        invoice["custom_fields"] = [
            {name: part.required(name) for name in ("name", "value")} for part in fields
        ] or None
    refuse_automatic_tax(parameters)
    parameters.accept(*_UNUSED)
