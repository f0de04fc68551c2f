"""Rules for journal entries: lines in balance, whose receivable they move, and the entry that reverses them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, exact
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.open_amounts import APPROVED, journal_amounts, place
from connectors.netsuite.sandbox.outcome import Outcome
from connectors.netsuite.sandbox.parties import settle_period, settle_rate
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def finish(account: Account, draft: Document, known: Document | None) -> Outcome:
    """Check a journal entry; gives what it posts."""
    fields = draft.fields
    if known is not None and known.fields.get("isReversal"):
        raise Refusal("You cannot change a reversing journal entry; change the entry that it reverses.")
    if not fields.get("subsidiary"):
        raise missing("Subsidiary", "subsidiary")
    if known is not None and known.fields["subsidiary"] != fields["subsidiary"]:
        raise Refusal("You cannot change the subsidiary of a journal entry.", path="subsidiary")
    fields.setdefault("currency", account.references.base_currency(fields["subsidiary"]))
    settle_rate(account, draft, known)
    fields.setdefault("approvalStatus", APPROVED)
    fields["approved"] = fields["approvalStatus"] == APPROVED
    _settle_lines(account, draft)
    moves = moves_receivable(account, draft) or (known is not None and moves_receivable(account, known))
    day = settle_period(account, draft, known, receivable=moves)
    if fields.get("reversalDate") and fields["reversalDate"] < day:
        raise Refusal("The reversal date may not precede the date of the journal entry.", path="reversalDate")
    refuse_settled(account, draft, known)
    if not fields.get("tranId"):
        fields["tranId"] = account.number(draft.type)
    return Outcome(postings=postings(draft))


def postings(document: Document) -> list[Posting]:
    """Give what a journal posts: its lines as they are, once it is approved."""
    if document.fields["approvalStatus"] != APPROVED:
        return []
    return [
        Posting(
            account=line["account"],
            amount=(line.get("debit") or ZERO) - (line.get("credit") or ZERO),
            line=line["line"],
            entity=line.get("entity"),
        )
        for line in document.sublists["line"]
    ]


def moves_receivable(account: Account, document: Document) -> bool:
    """Tell whether a journal moves what customers owe."""
    receivables = account.references.receivables()
    return any(line["account"] in receivables for line in document.sublists.get("line", []))


def refuse_settled(account: Account, draft: Document | None, known: Document | None) -> None:
    """Refuse to make a journal's open amount less than what is applied to it; no draft: it shall be deleted."""
    if known is None:
        return
    amounts = {} if draft is None else journal_amounts(account, draft)
    for customer, before in journal_amounts(account, known).items():
        paid = account.applications.paid(place(known, customer))
        now = amounts.get(customer, ZERO)
        moved = draft is not None and any(
            draft.fields[name] != known.fields[name] for name in ("currency", "exchangeRate")
        )
        if paid and (moved or abs(now) < paid or (now > 0) != (before > 0)):
            raise Refusal("You cannot change what a payment or credit is applied to in a journal entry.", path="line")


def reversing_lines(original: Document) -> list[dict[str, Any]]:
    """Give the lines of the entry that reverses another: debits and credits change places."""
    swapped = []
    for line in original.sublists["line"]:
        copy = {name: value for name, value in line.items() if name not in ("debit", "credit")}
        if line.get("debit"):
            copy["credit"] = line["debit"]
        else:
            copy["debit"] = line["credit"]
        swapped.append(copy)
    return swapped


def _settle_lines(account: Account, draft: Document) -> None:
    lines = draft.sublists.get("line", [])
    precision = account.references.precision(draft.fields["currency"])
    receivables = account.references.receivables()
    following = max((line.get("line") or 0 for line in lines), default=0)
    debits = credits = ZERO
    for number, line in enumerate(lines):
        path = f"line.items[{number}]"
        if not line.get("account"):
            raise missing("Account", f"{path}.account")
        debit, credit = (_side(line, name, precision, path) for name in ("debit", "credit"))
        if (debit == 0) == (credit == 0):
            raise Refusal("Enter either a debit or a credit amount on each line.", path=path)
        if line["account"] in receivables and not line.get("entity"):
            raise missing("Name", f"{path}.entity")
        customer = account.documents.get("customer", line.get("entity") or "")
        if customer is not None and customer.fields["subsidiary"] != draft.fields["subsidiary"]:
            raise bad_value(customer.id, "entity", f"{path}.entity")
        if not line.get("line"):
            following += 1
            line["line"] = following
        debits, credits = debits + debit, credits + credit
    if len(lines) < 2:
        raise Refusal("You must enter at least two lines for this transaction.", path="line")
    if debits != credits:
        raise Refusal(f"The transaction is not in balance: debits are {debits}, credits are {credits}.", path="line")


def _side(line: dict[str, Any], name: str, precision: int, path: str) -> Decimal:
    if line.get(name) is None:
        line.pop(name, None)
        return ZERO
    amount = exact(line[name], precision, f"{path}.{name}")
    if amount < 0:
        raise bad_value(amount, name, f"{path}.{name}")
    if amount == 0:
        del line[name]
    else:
        line[name] = amount
    return amount
