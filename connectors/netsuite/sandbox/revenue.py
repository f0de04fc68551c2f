"""Revenue that is recognised over a time: what NetSuite's revenue management makes of invoice lines with dates.

An invoice with such lines gives one revenue arrangement, each line one element of it; all invoices of one sales order
belong to one. A credit memo of an invoice adds elements that take away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.open_amounts import APPROVED
from connectors.netsuite.sandbox.reference_data import SALES

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One line's revenue and the days it is recognised over; `amount` is negative for a credit memo's line."""

    id: str
    arrangement: str
    document: Document
    line: Mapping[str, Any]
    amount: Decimal
    begins: date
    ends: date
    deferral_account: str | None
    revenue_account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """What belongs together: the elements of an order's invoices or of one invoice, and of their credit memos."""

    id: str
    document: Document
    elements: tuple[Element, ...]

    @property
    def amount(self) -> Decimal:
        """Give the revenue of all elements."""
        return sum((element.amount for element in self.elements), ZERO)


def elements(account: Account) -> Iterator[Element]:
    """Go through the elements of all approved sales documents, by transaction and line."""
    for document in account.documents.transactions():
        yield from of(account, document)


def of(account: Account, document: Document) -> Iterator[Element]:
    """Go through the elements of one sales document, by line."""
    if document.type in ("invoice", "creditMemo") and document.fields.get("approvalStatus", APPROVED) == APPROVED:
        for line in document.sublists["item"]:
            if line.get("revRecEndDate") and not line.get("doNotCreateRevenueElement"):
                yield _element(account, document, line)


def deferred(account: Account, document: Document) -> Decimal:
    """Sum what a document's lines hold back; nothing of it is recognised by itself."""
    return sum((each.amount for each in of(account, document) if each.deferral_account), ZERO)


def arrangements(account: Account) -> Iterator[Arrangement]:
    """Go through the arrangements by the transaction that they were made of first."""
    gathered: dict[str, list[Element]] = {}
    for element in elements(account):
        gathered.setdefault(element.arrangement, []).append(element)
    for name, found in gathered.items():
        yield Arrangement(id=name, document=found[0].document, elements=tuple(found))


def _element(account: Account, document: Document, line: Mapping[str, Any]) -> Element:
    item = account.references.find("item", line["item"])
    facts = item.facts if item is not None else {}
    return Element(
        id=line["lineUniqueKey"],
        arrangement=_origin(account, document),
        document=document,
        line=line,
        amount=-line["amount"] if document.type == "creditMemo" else line["amount"],
        begins=line["revRecStartDate"],
        ends=line["revRecEndDate"],
        deferral_account=facts.get("deferredRevenueAccount"),
        revenue_account=str(facts.get("incomeAccount", SALES)),
    )


def _origin(account: Account, document: Document) -> str:
    """Give the internal id of the document that all began with: an order, or an invoice without one."""
    made_of = account.documents.transaction(document.fields.get("createdFrom") or "")
    return document.id if made_of is None else _origin(account, made_of)
