"""Rules for money paid before there is an invoice: customer deposits, and their application to invoices later.

A deposit is a liability, no receivable: only its application lowers what a customer owes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.amounts import ZERO
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.open_amounts import remaining
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import refuse_moved, settle_party, settle_period
from connectors.netsuite.sandbox.problems import Refusal, missing
from connectors.netsuite.sandbox.reference_data import DEPOSITS, RECEIVABLES
from connectors.netsuite.sandbox.settlement import allot, settle_amount, settle_money

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def finish_deposit(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check a customer deposit; gives what it posts."""
    settle_party(account, draft, known, "customer")
    settle_period(account, draft, known)
    fields = draft.fields
    amount = settle_amount(account, draft, "payment")
    if not amount:
        raise missing("Payment Amount", "payment")
    used = account.applications.paid(draft.id)
    if amount < used:
        raise Refusal(f"The payment amount may not be less than what is already used of it ({used}).", path="payment")
    refuse_moved(account, draft, known, "customer", "currency", "subsidiary", "exchangeRate")
    money = settle_money(draft)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome(
        postings=[
            Posting(account=money, amount=amount),
            Posting(account=DEPOSITS, amount=-amount, line=1, entity=fields["customer"]),
        ]
    )


def finish_application(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check the application of a deposit to invoices; gives what it is applied to and what it posts."""
    fields = draft.fields
    deposit = account.documents.get("customerDeposit", fields.get("deposit") or "")
    if deposit is None:
        raise missing("Deposit", "deposit")
    if known is not None and known.fields["deposit"] != deposit.id:
        raise Refusal("You cannot change the deposit of a deposit application.", path="deposit")
    # Whose money it is, and at which rate it came in, the deposit says.
    fields.update({name: deposit.fields[name] for name in ("customer", "subsidiary", "currency", "exchangeRate")})
    settle_party(account, draft, known, "customer")
    settle_period(account, draft, known)
    fields.setdefault("arAcct", RECEIVABLES)
    available = remaining(account, deposit, without=draft.id)
    amounts = allot(account, draft, fields["customer"], available)
    total: Decimal = sum(amounts.values(), ZERO)
    if not total:
        raise Refusal("You must apply the deposit to at least one transaction.", path="apply")
    if total > available:
        raise Refusal(f"The amount applied ({total}) may not exceed what is left of the deposit ({available}).",
                      path="apply")  # fmt: skip
    fields["total"] = total
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome(
        applied={**amounts, deposit.id: total},
        postings=[
            Posting(account=fields["arAcct"], amount=-total, entity=fields["customer"]),
            Posting(account=DEPOSITS, amount=total, line=1, entity=fields["customer"]),
        ],
    )
