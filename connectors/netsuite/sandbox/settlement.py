"""Rules for money that settles what is owed: customer payments, and the apply list they share with credits."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, exact
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.open_amounts import document_id, owing, place
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import refuse_moved, settle_party, settle_period
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing
from connectors.netsuite.sandbox.reference_data import RECEIVABLES, UNDEPOSITED

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def finish_payment(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check a customer payment; gives what it is applied to and what it posts."""
    settle_party(account, draft, known, "customer")
    settle_period(account, draft, known)
    fields = draft.fields
    given = settle_amount(account, draft, "payment")
    refunded = account.applications.paid(draft.id)
    fields.setdefault("arAcct", RECEIVABLES)
    amounts = allot(account, draft, fields["customer"], None if given is None else given - refunded)
    applied = sum(amounts.values(), ZERO)
    if given is None:
        fields["payment"] = given = applied
    if applied > given - refunded:
        raise Refusal(
            f"The amount applied ({applied}) may not exceed the payment amount ({given - refunded}).", path="payment"
        )
    if given == 0:
        raise missing("Payment Amount", "payment")
    refuse_moved(account, draft, known, "customer", "currency", "subsidiary", "exchangeRate", "arAcct")
    money = settle_money(draft)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome(
        applied=amounts,
        postings=[
            Posting(account=money, amount=given),
            Posting(account=fields["arAcct"], amount=-given, line=1, entity=fields["customer"]),
        ],
    )


def settle_amount(account: Account, draft: Document, field: str) -> Decimal | None:
    """Check an amount of money that came in; None when none was given."""
    given = draft.fields.get(field)
    if given is None:
        return None
    amount = exact(given, account.references.precision(draft.fields["currency"]), field)
    if amount < 0:
        raise bad_value(given, field, field)
    draft.fields[field] = amount
    return amount


def settle_money(draft: Document) -> str:
    """Give the account that money goes to: undeposited funds, or the bank account that was chosen."""
    draft.fields.setdefault("undepFunds", draft.fields.get("account") is None)
    if draft.fields["undepFunds"] or not draft.fields.get("account"):
        return UNDEPOSITED
    return str(draft.fields["account"])


def allot(account: Account, draft: Document, customer: str, available: Decimal | None) -> dict[str, Decimal]:
    """Read the apply list of a payment or credit, and write it as NetSuite will show it.

    `available` is what there is to apply, None for no bound. Refuses an application over what is due, to another
    customer's or another currency's transaction, or made twice.
    """
    precision = account.references.precision(draft.fields["currency"])
    amounts: dict[str, Decimal] = {}
    for number, line in enumerate(draft.sublists.get("apply", [])):
        path = f"apply.items[{number}]"
        if line.get("doc") is None:
            raise missing("Doc", f"{path}.doc")
        if line.get("apply") is False or line.get("amount") == 0:
            continue
        target = _target(account, draft, customer, line, path)
        if place(target, customer) in amounts:
            raise Refusal(f"Transaction {target.id} is in the apply list twice.", path=f"{path}.doc")
        due = owing(account, target, customer, without=draft.id)
        amount = line.get("amount")
        if amount is None:
            left = due if available is None else max(available - sum(amounts.values(), ZERO), ZERO)
            amount = min(due, left)
        amount = exact(amount, precision, f"{path}.amount")
        if amount < 0 or amount > due:
            raise Refusal(
                f"The amount applied ({amount}) may not exceed the amount due ({due}) of {target.fields['tranId']}.",
                path=f"{path}.amount",
            )
        if amount:
            amounts[place(target, customer)] = amount
    # An order, no fact: it is not kept with the record.
    if draft.fields.pop("autoApply", None) and available is not None:
        _apply_oldest(account, draft, customer, available, amounts)
    draft.sublists["apply"] = application_lines(amounts)
    return amounts


def application_lines(amounts: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """Give the lines of a list of applications: only what is applied is kept."""
    return [
        {"doc": document_id(place), "line": number, "apply": True, "amount": amount}
        for number, (place, amount) in enumerate(amounts.items())
    ]


def _receivable_account(document: Document) -> str:
    return str(document.fields.get("arAcct") or document.fields.get("account"))


def _fits(draft: Document, target: Document) -> bool:
    same = all(target.fields[name] == draft.fields[name] for name in ("currency", "subsidiary"))
    # Only what stands on the same receivable account is in the list.
    return same and (target.type == "journalEntry" or target.fields["account"] == _receivable_account(draft))


def _target(account: Account, draft: Document, customer: str, line: dict[str, Any], path: str) -> Document:
    target = account.documents.transaction(line["doc"])
    owes = target is not None and owing(account, target, customer, without=draft.id) > 0
    settled = target is not None and target.type == "invoice" and target.fields["entity"] == customer
    if target is None or not (owes or settled) or not _fits(draft, target):
        raise Refusal(
            f"Unable to find a matching line for sublist apply with key: [doc] and value: [{line['doc']}].",
            path=f"{path}.doc",
        )
    return target


def _apply_oldest(
    account: Account, draft: Document, customer: str, available: Decimal, amounts: dict[str, Decimal]
) -> None:
    left = available - sum(amounts.values(), ZERO)
    invoices = [one for one in account.documents.of_customer(customer) if one.type == "invoice" and _fits(draft, one)]
    for invoice in sorted(invoices, key=lambda one: (one.fields["tranDate"], int(one.id))):
        due = owing(account, invoice, customer, without=draft.id)
        if left > 0 and due > 0 and invoice.id not in amounts:
            amounts[invoice.id] = min(due, left)
            left -= amounts[invoice.id]
