"""Rules for customers: names, legal entity, currencies, hierarchy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


_COUNTRY = re.compile(r"[A-Z]{2}")


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
    fields.setdefault("isInactive", False)
    if fields.setdefault("creditHoldOverride", "AUTO") not in ("AUTO", "ON", "OFF"):
        raise bad_value(fields["creditHoldOverride"], "creditHoldOverride", "creditHoldOverride")
    _refuse_circle(account, draft)
    _settle_addresses(account, draft.sublists.get("addressBook", []))


def _settle_addresses(account: Account, lines: list[dict[str, Any]]) -> None:
    """Give each address an id, check its country, and let there be one for bills and one for goods at the most."""
    for place, line in enumerate(lines):
        if line.get("id") is None:
            line["id"] = account.address_id()
        path = f"addressBook.items[{place}].addressBookAddress"
        address = line.get("addressBookAddress") or {}
        country = address.get("country")
        named = country.get("id") if isinstance(country, Mapping) else country
        if named is not None and not _COUNTRY.fullmatch(str(named)):
            raise bad_value(named, "country", f"{path}.country")
        line["addressBookAddress"] = {name: value for name, value in address.items() if value is not None}
    for flag in ("defaultBilling", "defaultShipping"):
        # The last one that says so is it; the first address of all is both.
        chosen = [line for line in lines if line.get(flag)] or lines[:1]
        for line in lines:
            line[flag] = line is chosen[-1]


def _refuse_circle(account: Account, draft: Document) -> None:
    """Refuse a parent that belongs to the customer itself; one of another subsidiary may be."""
    parent = draft.fields.get("parent")
    while parent is not None:
        if parent == draft.id:
            raise bad_value(draft.fields["parent"], "parent", "parent")
        above = account.documents.get("customer", parent)
        parent = None if above is None else above.fields.get("parent")


def refuse_delete(account: Account, document: Document) -> None:
    """Refuse to delete a customer with transactions, subcustomers or contacts."""
    has_children = any(one.fields.get("parent") == document.id for one in account.documents.of("customer"))
    has_contacts = any(one.fields.get("company") == document.id for one in account.documents.of("contact"))
    if has_children or has_contacts or _has_transactions(account, document):
        raise Refusal("This record cannot be deleted because it has dependent records.")


def _has_transactions(account: Account, customer: Document) -> bool:
    return next(account.documents.of_customer(customer.id), None) is not None
