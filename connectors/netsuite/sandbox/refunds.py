"""Rules for customer refunds: money paid out for credit memos, unapplied payments, journals and deposits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, exact
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.open_amounts import place, remaining, spare
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import settle_party, settle_period
from connectors.netsuite.sandbox.problems import Refusal, missing
from connectors.netsuite.sandbox.reference_data import DEPOSITS, RECEIVABLES
from connectors.netsuite.sandbox.settlement import application_lines

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def finish(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check a customer refund; gives what it pays out and what it posts."""
    settle_party(account, draft, known, "customer")
    settle_period(account, draft, known)
    fields = draft.fields
    if not fields.get("account"):
        raise missing("Account", "account")
    fields.setdefault("arAcct", RECEIVABLES)
    customer = fields["customer"]

    def credit(document: Document) -> Decimal:
        return spare(account, document, customer, without=draft.id)

    def deposit(document: Document) -> Decimal:
        own = document.type == "customerDeposit" and document.customer == customer
        return remaining(account, document, without=draft.id) if own else ZERO

    credits = _paid_out(account, draft, "apply", credit)
    deposits = _paid_out(account, draft, "deposit", deposit)
    out_of_credits, out_of_deposits = (sum(paid.values(), ZERO) for paid in (credits, deposits))
    total = out_of_credits + out_of_deposits
    if not total:
        raise Refusal("You must apply the refund to at least one credit or deposit.", path="apply")
    fields["total"] = total
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome(
        applied={**credits, **deposits},
        postings=[
            Posting(account=fields["account"], amount=-total),
            Posting(account=fields["arAcct"], amount=out_of_credits, line=1, entity=customer),
            Posting(account=DEPOSITS, amount=out_of_deposits, line=2, entity=customer),
        ],
    )


def _paid_out(
    account: Account, draft: Document, sublist: str, left: Callable[[Document], Decimal]
) -> dict[str, Decimal]:
    precision = account.references.precision(draft.fields["currency"])
    amounts: dict[str, Decimal] = {}
    for number, line in enumerate(draft.sublists.get(sublist, [])):
        path = f"{sublist}.items[{number}]"
        if line.get("doc") is None:
            raise missing("Doc", f"{path}.doc")
        if line.get("apply") is False or line.get("amount") == 0:
            continue
        target = _target(account, draft, sublist, line, path, left)
        name = place(target, draft.fields["customer"])
        if name in amounts:
            raise Refusal(f"Transaction {target.id} is in the {sublist} list twice.", path=f"{path}.doc")
        due = left(target)
        amount = exact(due if line.get("amount") is None else line["amount"], precision, f"{path}.amount")
        if amount < 0 or amount > due:
            raise Refusal(
                f"The amount refunded ({amount}) may not exceed what is left ({due}) of {target.fields['tranId']}.",
                path=f"{path}.amount",
            )
        amounts[name] = amount
    draft.sublists[sublist] = application_lines(amounts)
    if sublist == "deposit":
        for line in draft.sublists[sublist]:
            del line["line"]
    return amounts


def _target(
    account: Account,
    draft: Document,
    sublist: str,
    line: dict[str, Any],
    path: str,
    left: Callable[[Document], Decimal],
) -> Document:
    target = account.documents.transaction(line["doc"])
    if (
        target is None
        or any(target.fields[name] != draft.fields[name] for name in ("currency", "subsidiary"))
        or left(target) <= 0
    ):
        raise Refusal(
            f"Unable to find a matching line for sublist {sublist} with key: [doc] and value: [{line['doc']}].",
            path=f"{path}.doc",
        )
    return target
