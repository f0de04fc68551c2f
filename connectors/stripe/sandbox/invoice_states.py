"""What happens to an invoice after the draft: finalised, paid, voided, given up."""

from __future__ import annotations

from connectors.stripe.sandbox import collection, customer_balance, payments
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.credit_balances import standing
from connectors.stripe.sandbox.invoice_sums import recompute, show
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.usage_lines import refresh_usage


def finalize(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/finalize`: the number is given, the sums are frozen; nothing due means paid."""
    invoice = account.find(account.invoices, identifier)
    if (advance := parameters.boolean("auto_advance")) is not None:
        invoice["auto_advance"] = advance
    parameters.finish()
    if invoice["status"] != "draft":
        raise ApiError.not_editable("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    refresh_usage(account, invoice)
    recompute(account, invoice)
    _misstate(account, invoice)
    customer = account.find(account.customers, invoice["customer"], param="customer")
    now = account.now()
    if invoice["number"] is None:
        invoice["number"] = f"{customer['invoice_prefix']}-{customer['next_invoice_sequence']:04d}"
        customer["next_invoice_sequence"] += 1
    _use_balance(account, invoice, customer)
    page = f"https://invoice.stripe.com/i/sandbox/{invoice['id']}"
    invoice |= {
        "status": "open",
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or now,
        "hosted_invoice_url": page,
        "invoice_pdf": f"{page}/pdf",
        "status_transitions": invoice["status_transitions"] | {"finalized_at": now},
    }
    if invoice["amount_due"] > 0:
        payments.open_default(account, invoice)
    account.happened("invoice.finalized", show(account, invoice))
    if invoice["amount_due"] == 0:
        payments.settle(account, invoice)
    elif invoice["auto_advance"]:
        collection.collect_later(account, invoice)
    return show(account, invoice)


def pay(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/pay`: all that remains, by card or outside Stripe."""
    invoice = account.find(account.invoices, identifier)
    outside = parameters.boolean("paid_out_of_band") or False
    method = parameters.text("payment_method")
    parameters.accept("forgive", "mandate", "off_session", "source")
    parameters.finish()
    payments.must_be_payable(invoice)
    if outside:
        payments.pay_outside(account, invoice)
    else:
        payments.pay_default(account, invoice, method or collection.method_of(account, invoice))
    return show(account, invoice)


def void(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/void`: open and uncollectible invoices only."""
    parameters.finish()
    invoice = account.find(account.invoices, identifier)
    if invoice["status"] not in {"open", "uncollectible"} or invoice["amount_paid"]:
        raise ApiError.not_editable(f"You can't void this invoice: it is {invoice['status']} or partly paid.")
    return _end(account, invoice, "void", "voided_at", "invoice.voided")


def mark_uncollectible(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/mark_uncollectible`: open invoices only."""
    parameters.finish()
    invoice = account.find(account.invoices, identifier)
    if invoice["status"] != "open":
        raise ApiError.not_editable(f"You can't mark this invoice as uncollectible: it is {invoice['status']}.")
    return _end(account, invoice, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def send(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/send`."""
    parameters.finish()
    invoice = account.find(account.invoices, identifier)
    if invoice["status"] == "draft":
        finalize(account, identifier, Parameters({}))
    account.happened("invoice.sent", show(account, invoice))
    return show(account, invoice)


def _end(account: Account, invoice: Record, status: str, moment: str, event: str) -> Record:
    if status == "void":
        payments.cancel_default(account, invoice, "void_invoice")
    invoice |= {
        "status": status,
        "status_transitions": invoice["status_transitions"] | {moment: account.now()},
    }
    account.happened(event, show(account, invoice))
    return show(account, invoice)


def _misstate(account: Account, invoice: Record) -> None:
    """Let a seeded invoice lie: its totals differ from its lines, as no vendor's should and some vendors' do."""
    wrong = account.misstatements.pop(invoice["id"], 0)
    for field in ("total", "amount_due", "amount_remaining"):
        invoice[field] += wrong


def _use_balance(account: Account, invoice: Record, customer: Record) -> None:
    balance, total = standing(account, customer, invoice["currency"]), invoice["total"]
    # A credit pays for an invoice as far as it goes; a negative invoice becomes a credit.
    after = balance + total if total <= 0 else min(0, balance + total)
    if after != balance:
        customer_balance.move(
            account,
            customer,
            amount=after - balance,
            currency=invoice["currency"],
            kind="applied_to_invoice",
            invoice=invoice["id"],
        )
    invoice["starting_balance"] = balance
    invoice["ending_balance"] = after
