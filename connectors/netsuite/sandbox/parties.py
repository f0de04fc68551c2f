"""What all transactions share: who, which legal entity, which currency, which day and period."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def settle_party(account: Account, draft: Document, known: Document | None, field: str) -> Document:
    """Check customer, subsidiary, currency and rate of a transaction, filling in what NetSuite gives by itself."""
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
    settle_rate(account, draft, known)
    return customer


def settle_rate(account: Account, draft: Document, known: Document | None) -> None:
    """Check the rate to the books' currency; left out, it is the account's rate of the day."""
    fields = draft.fields
    stale = known is not None and known.fields["currency"] != fields["currency"]
    if stale and known is not None and fields.get("exchangeRate") == known.fields["exchangeRate"]:
        del fields["exchangeRate"]
    base = account.references.base_currency(fields["subsidiary"])
    if fields.get("exchangeRate") is None:
        day = fields.get("tranDate") or account.clock.now().date()
        fields["exchangeRate"] = account.references.rate(fields["currency"], base, day)
    rate: Decimal = fields["exchangeRate"]
    if rate <= 0 or (fields["currency"] == base and rate != 1):
        raise bad_value(rate, "exchangeRate", "exchangeRate")


def settle_period(account: Account, draft: Document, known: Document | None, *, receivable: bool = True) -> date:
    """Check that the document's period, and the one it stood in before, is open; gives its date.

    `receivable` says that it moves what customers owe, which a period may be locked for.
    """
    day: date = draft.fields.setdefault("tranDate", account.clock.now().date())
    if known is not None:
        account.references.refuse_closed(known.fields["postingPeriod"], receivable=receivable)
        moved = known.fields["tranDate"] != day
        if moved and draft.fields.get("postingPeriod") == known.fields["postingPeriod"]:
            del draft.fields["postingPeriod"]
    wanted = draft.fields.get("postingPeriod")
    draft.fields["postingPeriod"] = account.references.period(day, wanted, receivable=receivable).id
    return day


def refuse_moved(account: Account, draft: Document, known: Document | None, *fields: str) -> None:
    """Refuse to change whose or in which currency a transaction is once something is applied to it."""
    if known is None or not account.applications.paid(draft.id):
        return
    for field in fields:
        if draft.fields.get(field) != known.fields.get(field):
            raise Refusal(
                f"You cannot change {field} of a transaction that payments or credits are applied to.", path=field
            )
