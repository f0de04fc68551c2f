"""Customers."""

from __future__ import annotations

import re
from typing import Any

from connectors.stripe.sandbox import payment_methods, tax_ids
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import known
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.subscription_billing import LIVE, end
from connectors.stripe.sandbox.table import Record

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_TEXTS = ("description", "email", "name", "phone")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


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
    _write(account, customer, parameters)
    method = parameters.text("payment_method")
    parameters.finish()
    kept = None if method is None else payment_methods.retrieve(account, method)
    account.customers.add(customer)
    if kept is not None:
        settings = customer["invoice_settings"]
        if settings["default_payment_method"] == method:
            customer["invoice_settings"] = settings | {"default_payment_method": kept["id"]}
    account.happened("customer.created", customer)
    if kept is not None:
        payment_methods.give(account, kept["id"], customer["id"])
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
    _write(account, after, parameters)
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


def _write(account: Account, customer: Record, parameters: Parameters) -> None:
    for key in _TEXTS:
        value = parameters.text(key)
        if value is not None:
            customer[key] = value or None
    if customer["email"] is not None and not _EMAIL.fullmatch(customer["email"]):
        raise ApiError.invalid(f"Invalid email address: {customer['email'][:100]}", param="email", code="email_invalid")
    if (balance := parameters.integer("balance")) is not None:
        customer["balance"] = balance
    if parameters.given("address"):
        customer["address"] = _address(parameters, customer["address"])
    if parameters.given("shipping"):
        customer["shipping"] = _shipping(parameters, customer["shipping"])
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
        if method:
            known(account, method, param="invoice_settings[default_payment_method]")
        if method is not None:
            kept = kept | {"default_payment_method": method or None}
        if (footer := settings.text("footer")) is not None:
            kept = kept | {"footer": footer or None}
        settings.accept("custom_fields", "rendering_options")
        customer["invoice_settings"] = kept
    parameters.accept("tax")


def _address(parameters: Parameters, before: Record | None) -> Record | None:
    part = parameters.part("address")
    kept = before or dict.fromkeys(_ADDRESS)
    return None if part is None else {key: _or(part.text(key), kept[key]) for key in _ADDRESS}


def _shipping(parameters: Parameters, before: Record | None) -> Record | None:
    part = parameters.part("shipping")
    if part is None:
        return None
    kept = before or {"address": None, "name": None, "phone": None}
    address = _address(part, kept["address"]) if part.given("address") else kept["address"]
    name = _or(part.text("name"), kept["name"])
    for key, value in (("address", address), ("name", name)):
        if value is None:
            raise ApiError.missing_parameter(part.name(key))
    return {"address": address, "name": name, "phone": _or(part.text("phone"), kept["phone"])}


def _or(value: str | None, before: str | None) -> str | None:
    return before if value is None else (value or None)
