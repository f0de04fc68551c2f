"""Rules for customers: names, legal entity, currencies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


def finish(account: Account, draft: Document, known: Document | None) -> None:
    """Check a customer and fill in what NetSuite gives by itself."""
    fields = draft.fields
    if fields.setdefault("isPerson", False):
        for name, label in (("firstName", "First Name"), ("lastName", "Last Name")):
            if not fields.get(name):
                raise missing(label, name)
    elif not fields.get("companyName"):
        raise missing("Company Name", "companyName")
    if not fields.get("subsidiary"):
        raise missing("Primary Subsidiary", "subsidiary")
    if known is not None and fields["subsidiary"] != known.fields["subsidiary"] and _has_transactions(account, known):
        raise Refusal("You cannot change the subsidiary of a customer with transactions.", path="subsidiary")
    if not fields.get("currency"):
        subsidiary = account.references.find("subsidiary", fields["subsidiary"])
        fields["currency"] = account.references.currency(str(subsidiary.facts["currency"])).id if subsidiary else "1"
    if not fields.get("entityId"):
        fields["entityId"] = account.number("customer")


def refuse_delete(account: Account, document: Document) -> None:
    """Refuse to delete a customer with transactions."""
    if _has_transactions(account, document):
        raise Refusal("This record cannot be deleted because it has dependent records.")


def _has_transactions(account: Account, customer: Document) -> bool:
    return next(account.documents.of_customer(customer.id), None) is not None
