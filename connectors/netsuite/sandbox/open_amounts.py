"""What is open: how much a document still owes or still has to give, by customer, in its own currency."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.amounts import ZERO
from connectors.netsuite.sandbox.documents import Document

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

APPROVED = "2"
#: What settles others and has a rest that a refund can pay out.
_CREDITS = frozenset({"creditMemo", "customerPayment"})
#: These settle others as soon as they are there, and are never open themselves.
_SPENT = frozenset({"customerRefund", "depositApplication"})


def place(document: Document, customer: str) -> str:
    """Name a document for `Applications`: a journal may be open for several customers."""
    return f"{document.id}/{customer}" if document.type == "journalEntry" else document.id


def document_id(place: str) -> str:
    """Give the internal id of what `place` names."""
    return place.partition("/")[0]


def whole(document: Document) -> Decimal:
    """Give what a document is about: its total, or what was paid."""
    return Decimal(document.fields["payment" if document.type in ("customerPayment", "customerDeposit") else "total"])


def journal_amounts(account: Account, document: Document) -> Mapping[str, Decimal]:
    """Give what a journal makes each customer owe (positive) or gives back to it (negative)."""
    if document.fields.get("approvalStatus", APPROVED) != APPROVED:
        return {}
    receivables = account.references.receivables()
    sums: dict[str, Decimal] = {}
    for line in document.sublists.get("line", []):
        if line.get("entity") and line["account"] in receivables:
            amount = (line.get("debit") or ZERO) - (line.get("credit") or ZERO)
            sums[line["entity"]] = sums.get(line["entity"], ZERO) + amount
    return sums


def remaining(account: Account, document: Document, *, without: str | None = None) -> Decimal:
    """Give what an invoice still owes, or what a payment, credit or deposit has left; never for a journal.

    `without` leaves out what one source has applied to it.
    """
    if document.type in _SPENT:
        return ZERO
    left = whole(document) - account.applications.paid(document.id, without=without)
    return left - account.applications.applied(document.id) if document.type in _CREDITS else left


def owing(account: Account, document: Document, customer: str, *, without: str | None = None) -> Decimal:
    """Give what a document still makes a customer owe: of an invoice, or of a journal that debits the receivable."""
    if document.type == "invoice":
        approved = document.fields["approvalStatus"] == APPROVED and document.fields["entity"] == customer
        return remaining(account, document, without=without) if approved else ZERO
    if document.type == "journalEntry":
        amount = journal_amounts(account, document).get(customer, ZERO)
        return amount - account.applications.paid(place(document, customer), without=without) if amount > 0 else ZERO
    return ZERO


def spare(account: Account, document: Document, customer: str, *, without: str | None = None) -> Decimal:
    """Give what a document still has for a customer that can be paid out; deposits are asked for by `remaining`."""
    if document.type in _CREDITS and document.customer == customer:
        return remaining(account, document, without=without)
    if document.type == "journalEntry":
        amount = -journal_amounts(account, document).get(customer, ZERO)
        return amount - account.applications.paid(place(document, customer), without=without) if amount > 0 else ZERO
    return ZERO


def balance(account: Account, customer: str) -> Decimal:
    """Sum what a customer owes, less its open credits, over all currencies as NetSuite's one number."""
    return sum(balances(account, customer).values(), ZERO)


def balances(account: Account, customer: str) -> Mapping[str, Decimal]:
    """Sum what a customer owes, less its open credits, by currency (internal id); deposits are no receivable."""
    sums: dict[str, Decimal] = {}
    for one in account.documents.of_customer(customer):
        amount = owing(account, one, customer) - spare(account, one, customer)
        sums[one.fields["currency"]] = sums.get(one.fields["currency"], ZERO) + amount
    return sums


def deposited(account: Account, customer: str) -> Decimal:
    """Sum what a customer has deposited and nobody has used yet."""
    deposits = (one for one in account.documents.of_customer(customer) if one.type == "customerDeposit")
    return sum((remaining(account, one) for one in deposits), ZERO)
