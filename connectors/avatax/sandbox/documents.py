"""The books: every recorded document with all its revisions, and the rules of their life cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from connectors.avatax.sandbox.calculation import TaxedLine
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.sales import Sale

#: Where a document is no more; its code may be used again.
_GONE = frozenset({"Cancelled", "Adjusted"})


class Status(StrEnum):
    """Where a document stands; an order is `Temporary` and never recorded."""

    TEMPORARY = "Temporary"
    SAVED = "Saved"
    COMMITTED = "Committed"
    CANCELLED = "Cancelled"
    ADJUSTED = "Adjusted"


@dataclass(slots=True, kw_only=True)
class Document:
    """One revision of a document; `order` counts acceptances, so that the books show what came first."""

    id: int
    order: int
    code: str
    sale: Sale
    lines: Sequence[TaxedLine]
    status: Status
    version: int
    modified: datetime
    adjustment_reason: str = "NotAdjusted"
    adjustment_description: str = ""
    locked: bool = False

    @property
    def total_tax(self) -> Decimal:
        """Give the document's tax."""
        return sum((line.tax for line in self.lines), Decimal(0))

    @property
    def total_calculated(self) -> Decimal:
        """Give the tax that the document would have if none were overridden."""
        return sum((line.calculated for line in self.lines), Decimal(0))

    @property
    def total_amount(self) -> Decimal:
        """Give the document's amount without tax."""
        return sum((line.amount for line in self.lines), Decimal(0))

    def to_books(self) -> dict[str, Any]:
        """Give the document as the control API shows it."""
        return {
            "order": self.order,
            "id": self.id,
            "company": self.sale.company,
            "code": self.code,
            "type": self.sale.type,
            "status": self.status,
            "version": self.version,
            "locked": self.locked,
            "date": self.sale.date,
            "currency": self.sale.currency,
            "customer": self.sale.customer,
            "reference": self.sale.texts["referenceCode"],
            "total_amount": self.total_amount,
            "total_tax": self.total_tax,
            "total_tax_calculated": self.total_calculated,
            "lines": [
                {
                    "number": line.line.number,
                    "amount": line.amount,
                    "tax": line.tax,
                    "tax_calculated": line.calculated,
                    "tax_code": line.line.tax_code,
                }
                for line in self.lines
            ],
        }


class Ledger:
    """The documents of all companies; a document is named by company, code and type."""

    def __init__(self) -> None:
        """Start empty."""
        self._documents: list[Document] = []
        self._current: dict[tuple[str, str, str], Document] = {}
        self._by_id: dict[int, Document] = {}

    def __iter__(self) -> Iterator[Document]:
        """Go through all revisions in the order they were accepted."""
        return iter(self._documents)

    def current(self, company: str, code: str, kind: str) -> Document | None:
        """Find the latest revision under a name, also when it is cancelled."""
        return self._current.get((company, code, kind))

    def by_id(self, number: int) -> Document | None:
        """Find a revision by its number."""
        return self._by_id.get(number)

    def create(self, sale: Sale, lines: Sequence[TaxedLine], now: datetime) -> Document:
        """Record a new document, or write an uncommitted one anew; a committed one is a conflict."""
        earlier = self.current(sale.company, sale.code, sale.type)
        if earlier is not None and (earlier.status is Status.COMMITTED or earlier.locked):
            raise Refusal(
                "DocumentCodeConflict",
                "A document with this code is already committed.",
                description=f"The document {sale.code} of type {sale.type} exists and is committed.",
                refers_to="code",
            )
        if earlier is not None and earlier.status not in _GONE:
            earlier.sale, earlier.lines, earlier.modified = sale, lines, now
            earlier.status = _recorded(sale)
            return earlier
        return self._add(sale, lines, now, version=1)

    def adjust(
        self, sale: Sale, lines: Sequence[TaxedLine], now: datetime, *, reason: str, description: str
    ) -> Document:
        """Put a new revision in the place of the present one, which stays as `Adjusted`."""
        earlier = self.current(sale.company, sale.code, sale.type)
        if earlier is None or earlier.status in _GONE:
            return self._add(sale, lines, now, version=1)
        _refuse_locked(earlier)
        if earlier.status is not Status.COMMITTED:
            return self.create(sale, lines, now)
        earlier.status, earlier.modified = Status.ADJUSTED, now
        document = self._add(sale, lines, now, version=earlier.version + 1)
        document.adjustment_reason, document.adjustment_description = reason, description
        return document

    def commit(self, document: Document, now: datetime) -> None:
        """Count a saved document in returns."""
        if document.status is Status.COMMITTED:
            raise Refusal("TransactionIsCommitted", "The transaction is already committed.")
        if document.status is not Status.SAVED:
            raise Refusal("InvalidDocumentStatus", f"A {document.status} transaction cannot be committed.")
        document.status, document.modified = Status.COMMITTED, now

    def uncommit(self, document: Document, now: datetime) -> None:
        """Take a committed document out of the next return."""
        _refuse_locked(document)
        if document.status is not Status.COMMITTED:
            raise Refusal("DocumentNotCommitted", f"A {document.status} transaction cannot be uncommitted.")
        document.status, document.modified = Status.SAVED, now

    def unvoid(self, document: Document, now: datetime) -> None:
        """Bring a cancelled document back; it must be committed again."""
        if document.status is not Status.CANCELLED:
            raise Refusal("InvalidDocumentStatus", f"A {document.status} transaction is not void.")
        document.status, document.modified = Status.SAVED, now

    def rename(self, document: Document, code: str, now: datetime) -> None:
        """Give a document another code, which no other present document of its type may have."""
        _refuse_locked(document)
        if document.status is Status.COMMITTED:
            raise Refusal("TransactionIsCommitted", "A committed transaction keeps its code.")
        taken = self.current(document.sale.company, code, document.sale.type)
        if taken is not None and taken.status not in _GONE:
            raise Refusal("DocumentCodeConflict", "Another document has this code.", refers_to="newCode")
        del self._current[document.sale.company, document.code, document.sale.type]
        document.code, document.modified = code, now
        document.sale = replace(document.sale, code=code)
        self._current[document.sale.company, code, document.sale.type] = document

    def void(self, document: Document, now: datetime) -> None:
        """Take a document out of the books; its code is free again."""
        if document.status is Status.CANCELLED:
            raise Refusal("TransactionAlreadyCancelled", "The transaction has already been cancelled.")
        _refuse_locked(document)
        document.status, document.modified = Status.CANCELLED, now

    def _add(self, sale: Sale, lines: Sequence[TaxedLine], now: datetime, *, version: int) -> Document:
        order = len(self._documents) + 1
        document = Document(
            id=85_000_000_000 + order,
            order=order,
            code=sale.code,
            sale=sale,
            lines=lines,
            status=_recorded(sale),
            version=version,
            modified=now,
        )
        self._documents.append(document)
        self._current[sale.company, sale.code, sale.type] = document
        self._by_id[document.id] = document
        return document


def _recorded(sale: Sale) -> Status:
    return Status.COMMITTED if sale.commit else Status.SAVED


def _refuse_locked(document: Document) -> None:
    if document.locked:
        raise Refusal("CannotModifyLockedTransaction", "The transaction was reported and may not change.")
