"""Rules for service items that are sold: name, revenue account, price; sales lines find them by internal id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.problems import Refusal, missing

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_FACTS = {"rate": "price", "incomeAccount": "incomeAccount", "deferredRevenueAccount": "deferredRevenueAccount"}


def finish(account: Account, draft: Document, known: Document | None) -> None:
    """Check an item and fill in what NetSuite gives by itself."""
    fields = draft.fields
    if not fields.get("itemId"):
        raise missing("Item Name/Number", "itemId")
    if not fields.get("incomeAccount"):
        raise missing("Income Account", "incomeAccount")
    fields.setdefault("isInactive", False)
    for other in account.references.kinds["item"].values():
        if other.name == fields["itemId"] and other.id != draft.id:
            raise Refusal(f"Uniqueness error: an item named {fields['itemId']} already exists.", path="itemId")


def keep(account: Account, document: Document) -> None:
    """Let sales documents use an item."""
    facts = {fact: document.fields.get(name) for name, fact in _FACTS.items()}
    account.references.put(
        "item",
        {
            "id": document.id,
            "name": document.fields["itemId"],
            "externalId": document.external_id,
            "isInactive": document.fields["isInactive"],
            **facts,
        },
    )


def refuse_delete(account: Account, document: Document) -> None:
    """Refuse to delete an item that stands in a sales document."""
    used = (
        line["item"] == document.id
        for kind in ("invoice", "creditMemo")
        for one in account.documents.of(kind)
        for line in one.sublists["item"]
    )
    if any(used):
        raise Refusal("This record cannot be deleted because it has dependent records.")
