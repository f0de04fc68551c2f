"""What a checked transaction does: what it is applied to, and what it posts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.amounts import ZERO, rounded
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting, in_base
from connectors.netsuite.sandbox.open_amounts import document_id
from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.reference_data import DEPOSITS, REALIZED, RECEIVABLES, ROUNDING

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Applied amounts by `open_amounts.place`, and postings in the transaction's currency."""

    applied: Mapping[str, Decimal] = field(default_factory=dict)
    postings: Sequence[Posting] = ()


def refuse_foreign_accounts(account: Account, document: Document, outcome: Outcome) -> None:
    """Refuse to post to an account that another subsidiary has for itself, or that is kept in another currency."""
    references, fields = account.references, document.fields
    for posting in outcome.postings:
        entry = references.find("account", posting.account)
        if entry is None:
            continue
        subsidiary, currency = entry.facts.get("subsidiary"), entry.facts.get("currency")
        if subsidiary is not None and subsidiary != fields["subsidiary"]:
            raise Refusal(
                f"Invalid account reference key {entry.id} for subsidiary {fields['subsidiary']}.", path="account"
            )
        # The books' own currency may go to an account in another one no more than the other way round.
        if currency is not None and currency != fields["currency"]:
            raise Refusal(
                f"The account {entry.name} is kept in {references.symbol(currency)}; the transaction is in "
                f"{references.symbol(fields['currency'])}.",
                path="account",
            )


def take_effect(account: Account, document: Document, outcome: Outcome) -> None:
    """Write applications and GL impact of a transaction, in the place of what it did before."""
    references, fields = account.references, document.fields
    subsidiary = fields["subsidiary"]
    base = references.base_currency(subsidiary)
    precision = references.precision(base)
    account.applications.replace(document.id, outcome.applied)
    postings = [*outcome.postings, *_realized(account, document, outcome, precision)]
    account.ledger.post(
        document.id,
        in_base(postings, fields["exchangeRate"], precision, ROUNDING),
        currency=references.symbol(fields["currency"]),
        base_currency=references.symbol(base),
        subsidiary=subsidiary,
    )


def _realized(account: Account, document: Document, outcome: Outcome, precision: int) -> list[Posting]:
    """Give what the change of the exchange rate since the settled documents has made: in the books' currency alone.

    Without it, something settled in full would leave a rest in the receivable's books.
    """
    gain = ZERO
    postings: list[Posting] = []
    following = max((posting.line for posting in outcome.postings), default=0) + 1
    for place, amount in outcome.applied.items():
        target = account.documents.transaction(document_id(place))
        if target is None:
            continue
        own, other = (
            rounded(amount * rate, precision)
            for rate in (document.fields["exchangeRate"], target.fields["exchangeRate"])
        )
        # A refund pays out and debits; so does an application where it uses up the deposit.
        debits = document.type == "customerRefund" or target.type == "customerDeposit"
        difference = other - own if debits else own - other
        settled = DEPOSITS if target.type == "customerDeposit" else _receivable(target)
        if difference:
            entity = document.customer
            postings.append(Posting(account=settled, amount=ZERO, base=difference, line=following, entity=entity))
            gain += difference
    if gain:
        postings.append(Posting(account=REALIZED, amount=ZERO, base=-gain, line=following + 1))
    return postings


def _receivable(document: Document) -> str:
    return str(document.fields.get("arAcct") or document.fields.get("account") or RECEIVABLES)
