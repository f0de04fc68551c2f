"""What is owed to a customer, or by them, in each currency.

The customer shows the balance in its own currency, which is the first that anything of it is in; the others are beside.
"""

from __future__ import annotations

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.table import Record


def standing(account: Account, customer: Record, currency: str) -> int:
    """Give the balance in a currency, in its smallest unit; what is below nothing is the customer's credit."""
    if customer.get("currency") in {None, currency}:
        return int(customer.get("balance", 0))
    return account.other_balances.get((customer["id"], currency), 0)


def put(account: Account, customer: Record, currency: str, balance: int) -> None:
    """Set the balance in a currency; a customer without one has this one from now on."""
    customer["currency"] = customer.get("currency") or currency
    if customer["currency"] == currency:
        customer["balance"] = balance
    else:
        account.other_balances[customer["id"], currency] = balance
