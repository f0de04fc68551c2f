"""A customer's balance: what is owed to them, or by them, and counts towards their next invoices."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.credit_balances import put, standing
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.listing import pages
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def create(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/customers/{id}/balance_transactions`: an adjustment; a negative amount is the customer's credit."""
    customer = account.find(account.customers, identifier)
    currency = currency_of(parameters.required("currency"))
    amount = parameters.integer("amount")
    if amount is None:
        raise ApiError.missing_parameter("amount")
    check_amount(amount, currency)
    description, metadata = parameters.text("description") or None, parameters.metadata()
    parameters.finish()
    return move(account, customer, amount=amount, currency=currency, description=description, metadata=metadata)


def move(
    account: Account,
    customer: Record,
    *,
    amount: int,
    currency: str,
    kind: str = "adjustment",
    description: str | None = None,
    metadata: dict[str, str] | None = None,
    credit_note: str | None = None,
    invoice: str | None = None,
) -> Record:
    """Change a customer's balance in a currency, and keep what changed it."""
    shown, before = customer["balance"], standing(account, customer, currency)
    put(account, customer, currency, before + amount)
    record = account.customer_balance_transactions.add(
        {
            "id": account.identifiers.new("cbtxn"),
            "object": "customer_balance_transaction",
            "amount": amount,
            "created": account.now(),
            "credit_note": credit_note,
            "currency": currency,
            "customer": customer["id"],
            "description": description,
            "ending_balance": before + amount,
            "invoice": invoice,
            "livemode": False,
            "metadata": metadata or {},
            "type": kind,
        }
    )
    if customer["balance"] != shown:
        account.happened("customer.updated", customer, {"balance": shown})
    return record


def list_page(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/customers/{id}/balance_transactions`."""
    customer = account.find(account.customers, identifier)
    among = account.customer_balance_transactions.where("customer", customer["id"])
    url = f"/v1/customers/{identifier}/balance_transactions"
    return pages(account.customer_balance_transactions, parameters, [], url=url, among=among)
