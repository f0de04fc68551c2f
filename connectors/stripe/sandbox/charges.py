"""Charges: what was taken from a customer, what of it was given back, and what remains."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.balance import book, settlement_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.exchange import converted, processing_fee
from connectors.stripe.sandbox.ledger import PAYERS
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import Method
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")
_DEBITS = "us_bank_account"


def charge(account: Account, intent: Record, method: Method, *, captured: bool, status: str = "succeeded") -> Record:
    """Make the charge of a payment intent: succeeded, failed, or pending; only a captured one moves money."""
    identifier = account.identifiers.new("ch" if method.kind == "card" else "py")
    customer = account.customers.get(intent["customer"]) if intent["customer"] else None
    record: Record = {
        "id": identifier,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": {
            "address": dict.fromkeys(_ADDRESS),
            "email": customer and customer.get("email"),
            "name": customer and customer.get("name"),
            "phone": None,
            "tax_id": None,
        },
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": account.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome(method, status),
        "paid": status != "failed",
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": _details(method),
        "receipt_email": None,
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }
    if status == "failed" and method.decline is not None:
        record |= {"failure_code": method.decline.code, "failure_message": method.decline.message}
    account.charges.add(record)
    if status == "failed":
        account.happened("charge.failed", record)
    elif status == "pending":
        account.happened("charge.pending", record)
    elif captured:
        settle(account, record, method, record["amount"])
        account.happened("charge.succeeded", record)
    else:
        account.happened("charge.succeeded", record)
    return record


def settle(account: Account, record: Record, method: Method, amount: int) -> None:
    """Take an amount of a charge: the money is on the balance now, less Stripe's fee."""
    settlement = settlement_of(account, record["currency"])
    movement = book(
        account,
        kind="charge" if method.kind == "card" else "payment",
        source=record["id"],
        amount=amount,
        currency=record["currency"],
        against=PAYERS,
        fee=processing_fee(converted(amount, record["currency"], settlement), settlement),
        description=record["description"],
        delay=0 if method.instant else account.switches.pending_seconds,
    )
    record |= {
        "amount_captured": amount,
        "balance_transaction": movement["id"],
        "captured": True,
        "paid": True,
        "status": "succeeded",
    }


def refundable(record: Record) -> int:
    """Give what of a charge was taken and not given back."""
    return int(record["amount_captured"] - record["amount_refunded"])


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/charges/{id}`: description and metadata."""
    record = account.find(account.charges, identifier)
    after = dict(record)
    if (description := parameters.text("description")) is not None:
        after["description"] = description or None
    after["metadata"] = parameters.metadata(record["metadata"])
    parameters.accept("receipt_email", "shipping", "transfer_group", "fraud_details")
    parameters.finish()
    previous = changed(record, after)
    record.update(after)
    if previous:
        account.happened("charge.updated", record, previous)
    return record


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/charges`: by customer, payment intent and time."""
    intent = parameters.text("payment_intent")
    filters = [equals("customer", parameters.text("customer")), time_range(parameters)]
    among = None if intent is None else account.charges.where("payment_intent", intent)
    return pages(account.charges, parameters, filters, url="/v1/charges", among=among)


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/charges/search`."""
    fields = frozenset({"amount", "created", "currency", "customer", "disputed", "refunded", "status"})
    return search(account, account.charges, parameters, fields=fields, url="/v1/charges/search")


def _outcome(method: Method, status: str) -> dict[str, Any]:
    failed = status == "failed"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": "05" if failed else None,
        "network_status": "declined_by_network" if failed else "approved_by_network",
        "reason": method.decline.reason if failed and method.decline is not None else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline."
        if failed
        else "Payment complete.",
        "type": "issuer_declined" if failed else "authorized",
    }


def _details(method: Method) -> dict[str, Any]:
    if method.kind == _DEBITS:
        details: dict[str, Any] = {
            "account_holder_type": "company",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "fingerprint": "FFDMA0xfhBjWSZLu",
            "last4": method.last4,
            "routing_number": "110000000",
        }
        return {"type": method.kind, method.kind: details}
    details = {
        "brand": method.brand,
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "AOB934RVNwzk6xtn",
        "funding": "credit",
        "last4": method.last4,
        "network": method.brand,
    }
    return {"type": "card", "card": details}
