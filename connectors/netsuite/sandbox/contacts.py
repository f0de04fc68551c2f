"""Rules for contacts: their name, whose they are, and in which legal entity."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, bad_value, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_PHONES = ("phone", "officePhone", "mobilePhone", "homePhone", "fax")
#: Shorter ones are no telephone numbers.
_LEAST_DIGITS = 7
_MAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def finish(account: Account, draft: Document) -> None:
    """Check a contact and fill in what NetSuite gives by itself."""
    fields = draft.fields
    if not fields.get("entityId"):
        parts = (fields.get(name) for name in ("firstName", "middleName", "lastName"))
        fields["entityId"] = " ".join(part for part in parts if part)
    if not fields["entityId"]:
        raise missing("Contact", "entityId")
    _settle_company(account, draft)
    for name in ("email", "altEmail"):
        if fields.get(name) and not _MAIL.fullmatch(fields[name]):
            raise bad_value(fields[name], name, name)
    for name in _PHONES:
        if fields.get(name) and len(fields[name]) < _LEAST_DIGITS:
            raise Refusal("Error while accessing a resource. Phone number should have seven digits or more.", path=name)
    if fields.get("supervisor") == draft.id:
        raise bad_value(draft.id, "supervisor", "supervisor")
    fields.setdefault("isPrivate", False)
    fields.setdefault("isInactive", False)
    _refuse_namesake(account, draft)


def _settle_company(account: Account, draft: Document) -> None:
    """Put a contact into the legal entity of its company; one without a company must say which it is."""
    fields = draft.fields
    company = account.documents.get("customer", fields.get("company") or "")
    if company is not None:
        own = company.fields["subsidiary"]
        if fields.setdefault("subsidiary", own) != own:
            raise bad_value(fields["subsidiary"], "subsidiary", "subsidiary")
    elif not fields.get("subsidiary"):
        raise missing("Subsidiary", "subsidiary")


def _refuse_namesake(account: Account, draft: Document) -> None:
    """Refuse a name that another contact of the company has, an inactive one too; capitals make no other name."""
    for other in account.documents.of("contact"):
        is_of_company = other.fields.get("company") == draft.fields.get("company")
        has_name = other.fields["entityId"].casefold() == draft.fields["entityId"].casefold()
        if is_of_company and has_name and other.id != draft.id:
            raise Refusal(
                "Error while accessing a resource. A contact record with this name already exists. "
                "Every contact record must have a unique name.",
                path="entityId",
            )


def refuse_delete(account: Account, document: Document) -> None:
    """Refuse to delete a contact that others are below."""
    if any(one.fields.get("supervisor") == document.id for one in account.documents.of("contact")):
        raise Refusal("This record cannot be deleted because it has dependent records.")
