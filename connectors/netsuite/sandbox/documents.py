"""The records of the account and the ids they are found by."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.netsuite.sandbox.problems import Refusal
from connectors.netsuite.sandbox.record_types import RECORD_TYPES

#: Transactions of these types as SuiteQL calls them.
TRANSACTION_CODES = {
    "invoice": "CustInvc",
    "salesOrder": "SalesOrd",
    "customerPayment": "CustPymt",
    "creditMemo": "CustCred",
    "customerRefund": "CustRfnd",
    "customerDeposit": "CustDep",
    "depositApplication": "DepAppl",
    "journalEntry": "Journal",
}
#: Where internal ids begin; items go on behind those that are there from the start.
_FIRST = {"entity": 1001, "transaction": 5001, "item": 301}
#: Sales documents call their customer so, all others `customer`.
_SALES = frozenset({"salesOrder", "invoice", "creditMemo"})


@dataclass(slots=True, kw_only=True)
class Document:
    """One record; in `fields` and sublist lines a reference is the internal id, an amount a Decimal."""

    type: str
    id: str
    external_id: str | None
    created: datetime
    modified: datetime
    fields: dict[str, Any] = field(default_factory=dict)
    sublists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    writes: int = 0

    @property
    def customer(self) -> str | None:
        """Give whose transaction this is, by internal id; None for a journal, whose lines say it."""
        if self.type == "journalEntry":
            return None
        return str(self.fields["entity" if self.type in _SALES else "customer"])

    @property
    def customers(self) -> frozenset[str]:
        """Give all whose transaction this is, by internal id."""
        if self.type == "journalEntry":
            return frozenset(line["entity"] for line in self.sublists.get("line", []) if line.get("entity"))
        return frozenset({str(self.customer)})

    def draft(self) -> Document:
        """Give a copy to be changed and checked before anything counts."""
        return Document(
            type=self.type,
            id=self.id,
            external_id=self.external_id,
            created=self.created,
            modified=self.modified,
            fields=dict(self.fields),
            sublists=deepcopy(self.sublists),
            writes=self.writes,
        )


class Documents:
    """All records, by type and by id; external ids are shared by all transactions."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_type: dict[str, dict[str, Document]] = {name: {} for name in RECORD_TYPES}
        self._by_external_id: dict[tuple[str, str], Document] = {}
        self._by_memo: dict[str, dict[str, Document]] = {}
        self._by_customer: dict[str, dict[str, Document]] = {}
        self._next = dict(_FIRST)

    def fresh_id(self, kind: str) -> str:
        """Give the next internal id; ids of refused records are lost, as in NetSuite."""
        space = RECORD_TYPES[kind].space
        number = self._next[space]
        self._next[space] += 1
        return str(number)

    def count_from(self, kind: str, number: int) -> int:
        """Let the next record of a type's space get this internal id; gives the one it would have got."""
        space = RECORD_TYPES[kind].space
        before, self._next[space] = self._next[space], number
        return before

    def get(self, kind: str, internal_id: str) -> Document | None:
        """Find a record by type and internal id."""
        return self._by_type.get(kind, {}).get(internal_id)

    def transaction_by_external_id(self, external_id: str) -> Document | None:
        """Find a transaction of any type by external id; they all share one space."""
        found = self._by_external_id.get(("transaction", external_id))
        return found if found is not None and found.type in TRANSACTION_CODES else None

    def transaction(self, internal_id: str) -> Document | None:
        """Find a transaction of any type by internal id."""
        return next((found for kind in TRANSACTION_CODES if (found := self.get(kind, internal_id))), None)

    def by_external_id(self, kind: str, external_id: str) -> Document | None:
        """Find a record by external id; one of another type under the same id does not count."""
        found = self._by_external_id.get((RECORD_TYPES[kind].space, external_id))
        return found if found is not None and found.type == kind else None

    def of(self, kind: str) -> Iterator[Document]:
        """Go through the records of a type in the order they were created."""
        return iter(self._by_type[kind].values())

    def transactions(self) -> Iterator[Document]:
        """Go through all transactions by internal id."""
        everything = [document for kind in TRANSACTION_CODES for document in self._by_type[kind].values()]
        return iter(sorted(everything, key=lambda document: int(document.id)))

    def with_memo(self, memo: str) -> Iterator[Document]:
        """Go through the transactions with exactly this memo by internal id."""
        return iter(sorted(self._by_memo.get(memo, {}).values(), key=lambda document: int(document.id)))

    def of_customer(self, customer: str) -> Iterator[Document]:
        """Go through a customer's transactions."""
        return iter(self._by_customer.get(customer, {}).values())

    def refuse_taken(self, draft: Document) -> None:
        """Refuse an external id that another record of the same space has."""
        if draft.external_id is None:
            return
        holder = self._by_external_id.get((RECORD_TYPES[draft.type].space, draft.external_id))
        if holder is not None and holder.id != draft.id:
            kind = {"customer": "entity", "contact": "entity", "serviceSaleItem": "item"}.get(draft.type, "record")
            raise Refusal(f"Error while accessing a resource. This {kind} already exists.")

    def put(self, document: Document) -> None:
        """Keep a record, new or changed."""
        known = self.get(document.type, document.id)
        if known is not None:
            self._forget(known)
        self._by_type[document.type][document.id] = document
        if document.external_id is not None:
            self._by_external_id[(RECORD_TYPES[document.type].space, document.external_id)] = document
        if document.type in TRANSACTION_CODES:
            self._by_memo.setdefault(document.fields.get("memo", ""), {})[document.id] = document
            for customer in document.customers:
                self._by_customer.setdefault(customer, {})[document.id] = document

    def remove(self, document: Document) -> None:
        """Delete a record."""
        self._forget(document)
        del self._by_type[document.type][document.id]

    def _forget(self, document: Document) -> None:
        if document.external_id is not None:
            self._by_external_id.pop((RECORD_TYPES[document.type].space, document.external_id), None)
        if document.type in TRANSACTION_CODES:
            self._by_memo[document.fields.get("memo", "")].pop(document.id)
            for customer in document.customers:
                self._by_customer[customer].pop(document.id)
