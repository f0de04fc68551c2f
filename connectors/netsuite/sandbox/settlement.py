"""Rules for money that settles invoices: customer payments, and the apply list of credit memos."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, exact
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.parties import settle_party, settle_period
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing
from connectors.netsuite.sandbox.reference_data import RECEIVABLES, UNDEPOSITED

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_APPROVED = "2"


def finish_payment(account: Account, draft: Document, known: Document | None) -> dict[str, Decimal]:
    """Check a customer payment; gives what it applies to which invoice."""
    settle_party(account, draft, "customer")
    settle_period(account, draft, known)
    fields = draft.fields
    precision = account.references.precision(fields["currency"])
    given = fields.get("payment")
    if given is not None:
        fields["payment"] = given = exact(given, precision, "payment")
        if given < 0:
            raise bad_value(given, "payment", "payment")
    amounts = allot(account, draft, fields["customer"], given)
    applied = sum(amounts.values(), ZERO)
    if given is None:
        fields["payment"] = given = applied
    if applied > given:
        raise Refusal(f"The amount applied ({applied}) may not exceed the payment amount ({given}).", path="payment")
    if given == 0:
        raise missing("Payment Amount", "payment")
    fields.setdefault("arAcct", RECEIVABLES)
    fields.setdefault("undepFunds", fields.get("account") is None)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return amounts


def post_payment(account: Account, document: Document) -> None:
    """Write the GL impact: undeposited funds or the bank against receivables."""
    fields = document.fields
    money = UNDEPOSITED if fields["undepFunds"] or not fields.get("account") else fields["account"]
    account.ledger.post(
        document.id,
        account.references.symbol(fields["currency"]),
        [
            Posting(account=money, amount=fields["payment"]),
            Posting(account=fields["arAcct"], amount=-fields["payment"]),
        ],
    )


def allot(account: Account, draft: Document, customer: str, available: Decimal | None) -> dict[str, Decimal]:
    """Read the apply list of a payment or credit; `available` is what there is to apply, None for no bound.

    Refuses an application over what is due, to another customer's or another currency's invoice, or made twice.
    """
    precision = account.references.precision(draft.fields["currency"])
    amounts: dict[str, Decimal] = {}
    for place, line in enumerate(draft.sublists.get("apply", [])):
        path = f"apply.items[{place}]"
        if line.get("doc") is None:
            raise missing("Doc", f"{path}.doc")
        if line.get("apply") is False or line.get("amount") == 0:
            continue
        invoice = _open_invoice(account, draft, customer, line, path)
        if invoice.id in amounts:
            raise Refusal(f"Transaction {invoice.id} is in the apply list twice.", path=f"{path}.doc")
        due = invoice.fields["total"] - account.applications.paid(invoice.id, without=draft.id)
        amount = line.get("amount")
        if amount is None:
            left = due if available is None else available - sum(amounts.values(), ZERO)
            amount = min(due, left)
        amount = exact(amount, precision, f"{path}.amount")
        if amount < 0 or amount > due:
            raise Refusal(
                f"The amount applied ({amount}) may not exceed the amount due ({due}) of {invoice.fields['tranId']}.",
                path=f"{path}.amount",
            )
        if amount:
            amounts[invoice.id] = amount
    if draft.fields.get("autoApply") and available is not None:
        _apply_oldest(account, draft, customer, available, amounts)
    return amounts


def _open_invoice(account: Account, draft: Document, customer: str, line: dict[str, Any], path: str) -> Document:
    invoice = account.documents.get("invoice", line["doc"])
    if (
        invoice is None
        or invoice.fields["entity"] != customer
        or invoice.fields["currency"] != draft.fields["currency"]
        or invoice.fields["subsidiary"] != draft.fields["subsidiary"]
        or invoice.fields["approvalStatus"] != _APPROVED
    ):
        raise Refusal(
            f"Unable to find a matching line for sublist apply with key: [doc] and value: [{line['doc']}].",
            path=f"{path}.doc",
        )
    return invoice


def _apply_oldest(
    account: Account, draft: Document, customer: str, available: Decimal, amounts: dict[str, Decimal]
) -> None:
    left = available - sum(amounts.values(), ZERO)
    for invoice in account.documents.of("invoice"):
        fields = invoice.fields
        if fields["entity"] != customer or fields["currency"] != draft.fields["currency"] or invoice.id in amounts:
            continue
        due = fields["total"] - account.applications.paid(invoice.id, without=draft.id)
        if left > 0 and due > 0 and fields["approvalStatus"] == _APPROVED:
            amounts[invoice.id] = min(due, left)
            left -= amounts[invoice.id]
