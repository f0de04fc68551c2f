"""Customers."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import tax_ids
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.subscription_billing import LIVE, end
from connectors.stripe.sandbox.table import Record

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_TEXTS = ("description", "email", "name", "phone")


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/customers`."""
    customer: Record = {
        "id": account.identifiers.short("cus"),
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "created": account.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_prefix": account.identifiers.letters("prefix", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    numbers = [tax_ids.asked(part) for part in parameters.parts("tax_id_data") or ()]
    _write(customer, parameters)
    parameters.finish()
    account.customers.add(customer)
    account.happened("customer.created", customer)
    for kind, value in numbers:
        tax_ids.add(account, customer["id"], kind, value)
    return customer


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/customers/{id}`; a deleted one is still found, as a stub."""
    found = account.customers.get(identifier)
    return found if found is not None else account.find(account.customers, identifier)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/customers/{id}`."""
    customer = account.find(account.customers, identifier)
    after = dict(customer)
    _write(after, parameters)
    parameters.finish()
    previous = changed(customer, after)
    customer.update(after)
    if previous:
        account.happened("customer.updated", customer, previous)
    return customer


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/customers/{id}`: the customer's subscriptions end at once, and nothing more is billed."""
    customer = account.find(account.customers, identifier)
    for subscription in account.subscriptions.where("customer", identifier):
        if subscription["status"] in LIVE | {"incomplete"}:
            end(account, subscription, reason="cancellation_requested", bill=False)
    account.happened("customer.deleted", customer)
    customer.clear()
    customer.update({"id": identifier, "object": "customer", "deleted": True})
    return customer


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/customers`."""
    filters = [equals("email", parameters.text("email")), time_range(parameters)]
    return pages(account.customers, parameters, filters, url="/v1/customers")


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/customers/search`."""
    fields = frozenset({"created", "email", "name", "phone"})
    return search(account, account.customers, parameters, fields=fields, url="/v1/customers/search")


def _write(customer: Record, parameters: Parameters) -> None:
    for key in _TEXTS:
        value = parameters.text(key)
        if value is not None:
            customer[key] = value or None
    if (balance := parameters.integer("balance")) is not None:
        customer["balance"] = balance
    if parameters.given("address"):
        part = parameters.part("address")
        before = customer["address"] or dict.fromkeys(_ADDRESS)
        customer["address"] = None if part is None else {key: _or(part.text(key), before[key]) for key in _ADDRESS}
    if (prefix := parameters.text("invoice_prefix")) is not None:
        customer["invoice_prefix"] = prefix
    if (exempt := parameters.choice("tax_exempt", "none", "exempt", "reverse")) is not None:
        customer["tax_exempt"] = exempt or "none"
    if (locales := parameters.texts("preferred_locales")) is not None:
        customer["preferred_locales"] = locales
    customer["metadata"] = parameters.metadata(customer["metadata"])
    settings = parameters.part("invoice_settings")
    if settings is not None:
        method = settings.text("default_payment_method")
        kept = customer["invoice_settings"]
        if method is not None:
            kept = kept | {"default_payment_method": method or None}
        if (footer := settings.text("footer")) is not None:
            kept = kept | {"footer": footer or None}
        settings.accept("custom_fields", "rendering_options")
        customer["invoice_settings"] = kept
    parameters.accept("payment_method", "shipping", "tax", "test_clock", "source")


def _or(value: str | None, before: str | None) -> str | None:
    return before if value is None else (value or None)
