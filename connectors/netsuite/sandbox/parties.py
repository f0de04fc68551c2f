"""What all transactions share: who, which legal entity, which currency, which day and period."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def settle_party(account: Account, draft: Document, field: str) -> Document:
    """Check customer, subsidiary and currency of a transaction, filling in the customer's own."""
    customer = account.documents.get("customer", draft.fields.get(field) or "")
    if customer is None:
        raise missing("Customer", field)
    if customer.fields.get("isInactive"):
        raise bad_value(customer.id, field, field)
    fields = draft.fields
    own = customer.fields["subsidiary"]
    if fields.setdefault("subsidiary", own) != own:
        raise bad_value(fields["subsidiary"], "subsidiary", "subsidiary")
    currencies = {customer.fields["currency"]}
    currencies.update(line["currency"] for line in customer.sublists.get("currencyList", []) if line.get("currency"))
    if fields.setdefault("currency", customer.fields["currency"]) not in currencies:
        raise bad_value(fields["currency"], "currency", "currency")
    fields.setdefault("exchangeRate", Decimal(1))
    return customer


def settle_period(account: Account, draft: Document, known: Document | None) -> date:
    """Check that the document's period, and the one it stood in before, is open; gives its date."""
    day: date = draft.fields.setdefault("tranDate", account.clock.now().date())
    if known is not None:
        account.references.refuse_closed(known.fields["postingPeriod"])
        moved = known.fields["tranDate"] != day
        if moved and draft.fields.get("postingPeriod") == known.fields["postingPeriod"]:
            del draft.fields["postingPeriod"]
    draft.fields["postingPeriod"] = account.references.period(day, draft.fields.get("postingPeriod")).id
    return day


def refuse_moved(account: Account, draft: Document, known: Document, *fields: str) -> None:
    """Refuse to change whose or in which currency a transaction is once money is applied to it."""
    for field in fields:
        if draft.fields.get(field) != known.fields.get(field):
            raise Refusal(
                f"You cannot change {field} of a transaction that payments or credits are applied to.", path=field
            )
