"""How an open invoice is charged by itself, and charged again some days later when that failed."""

from __future__ import annotations

from connectors.stripe.sandbox import payments
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.invoice_sums import show, subscription_of
from connectors.stripe.sandbox.methods import METHODS
from connectors.stripe.sandbox.table import Record

#: How long after a failed charge the next one is tried.
WAITS = (3 * 86400, 5 * 86400, 7 * 86400)


def collect_later(account: Account, invoice: Record) -> None:
    """Charge a finalised invoice as soon as the answer is out."""
    if invoice["collection_method"] == "charge_automatically":
        account.agenda.plan(account.now(), lambda: collect(account, invoice))


def collect(account: Account, invoice: Record) -> None:
    """Charge an open invoice to the customer's payment method; a failed charge is tried again some days later."""
    if invoice["status"] != "open":
        return
    method = method_of(account, invoice)
    if method is not None and not is_declined(account, method):
        payments.pay_default(account, invoice, method)
        return
    attempts = invoice["attempt_count"] + 1
    again = account.now() + WAITS[attempts - 1] if attempts <= len(WAITS) else None
    invoice |= {"attempted": True, "attempt_count": attempts, "next_payment_attempt": again}
    if again is not None:
        account.agenda.plan(again, lambda: _again(account, invoice, again))
    account.happened("invoice.payment_failed", show(account, invoice))


def is_declined(account: Account, method: str | None) -> bool:
    """Tell whether a charge without the customer fails: by the method's own id, or the test method it was made from."""
    known = None if method is None else METHODS.get(account.methods.get(method, method))
    return known is not None and (known.decline is not None or known.asks)


def method_of(account: Account, invoice: Record) -> str | None:
    """Give the payment method an invoice is charged to: its own, else the subscription's, else the customer's."""
    if invoice["default_payment_method"] is not None:
        return str(invoice["default_payment_method"])
    subscription = account.subscriptions.get(subscription_of(invoice) or "") or {}
    customer = account.customers.get(invoice["customer"]) or {}
    settings = customer.get("invoice_settings") or {}
    return subscription.get("default_payment_method") or settings.get("default_payment_method")


def _again(account: Account, invoice: Record, planned: int) -> None:
    if invoice["status"] == "open" and invoice["next_payment_attempt"] == planned:
        collect(account, invoice)
