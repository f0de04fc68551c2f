"""Records as NetSuite shows them: links, references with names, doubles, sublists as links or whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.amounts import ZERO, double
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.errands import RECORDS
from connectors.netsuite.sandbox.record_types import RECORD_TYPES, Field

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_TYPE_NAMES = {"invoice": "Invoice", "creditMemo": "Credit Memo", "customerPayment": "Payment", "customer": "Customer"}
_ENUM_NAMES = {
    "approvalStatus": {"1": "Pending Approval", "2": "Approved", "3": "Rejected"},
    "invoice.status": {"Open": "Open", "Paid In Full": "Paid In Full"},
    "creditMemo.status": {"A": "Open", "B": "Fully Applied"},
    "customerPayment.status": {"B": "Not Deposited", "C": "Deposited"},
}


def moment(value: datetime) -> str:
    """Give a time as the record service writes it: UTC, whole seconds."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(account: Account, document: Document) -> str:
    """Tell where a transaction stands, as the record service's enum id."""
    if document.type == "invoice":
        return "Open" if remaining(account, document) else "Paid In Full"
    if document.type == "creditMemo":
        return "A" if remaining(account, document) else "B"
    return "B" if document.fields["undepFunds"] else "C"


def remaining(account: Account, document: Document) -> Decimal:
    """Give what an invoice still owes, or what a payment or credit has left to apply."""
    if document.type == "invoice":
        return Decimal(document.fields["total"] - account.applications.paid(document.id))
    whole = document.fields["payment" if document.type == "customerPayment" else "total"]
    return Decimal(whole - account.applications.applied(document.id))


class Renderer:
    """Writes one account's records for one kind of answer."""

    def __init__(self, account: Account, *, simple_enums: bool = False) -> None:
        """Take whether enums are written as their names alone."""
        self._account = account
        self._simple_enums = simple_enums
        self._root = account.world.url + RECORDS

    def link(self, path: str) -> list[dict[str, str]]:
        """Give the links of something that has only its own address."""
        return [{"rel": "self", "href": f"{self._root}/{path}"}]

    def whole(self, document: Document, *, expand: bool, only: Collection[str] = ()) -> dict[str, Any]:
        """Give a record; `expand` writes sublists out, `only` keeps the named body fields."""
        path = f"{document.type}/{document.id}"
        answer: dict[str, Any] = {"links": self.link(path), "id": document.id}
        if document.external_id is not None:
            answer["externalId"] = document.external_id
        shape = RECORD_TYPES[document.type]
        values = {**document.fields, **self._computed(document)}
        for name, value in values.items():
            field = shape.body[name]
            if not only or name in only:
                answer[name] = self._value(field, value, document.type)
        if only:
            return {name: value for name, value in answer.items() if name in ("links", "id") or name in only}
        for sublist in shape.sublists:
            address = f"{path}/{sublist}"
            answer[sublist] = self.sublist(document, sublist) if expand else {"links": self.link(address)}
        return answer

    def sublist(self, document: Document, sublist: str, *, expand: bool = True) -> dict[str, Any]:
        """Give a sublist as a collection, its lines written out or as links."""
        path = f"{document.type}/{document.id}/{sublist}"
        lines = document.sublists.get(sublist, [])
        items = [self.line(document, sublist, place) if expand else {"links": self.link(self._at(path, line, place))}
                 for place, line in enumerate(lines)]  # fmt: skip
        return {
            "links": self.link(path),
            "items": items,
            "count": len(items),
            "hasMore": False,
            "offset": 0,
            "totalResults": len(items),
        }

    def line(self, document: Document, sublist: str, place: int) -> dict[str, Any]:
        """Give one line of a sublist."""
        line = document.sublists[sublist][place]
        values = {**line, **(self._application(document, line) if sublist == "apply" else {})}
        if sublist == "item":
            values["grossAmt"] = line["amount"] + line["taxAmount"]
        fields = RECORD_TYPES[document.type].sublists[sublist]
        answer: dict[str, Any] = {"links": self.link(self._at(f"{document.type}/{document.id}/{sublist}", line, place))}
        for name, value in values.items():
            if value is not None:
                answer[name] = self._value(fields[name], value, document.type)
        return answer

    def _at(self, path: str, line: Mapping[str, Any], place: int) -> str:
        return f"{path}/{line.get('line', place + 1)}"

    def _application(self, document: Document, line: Mapping[str, Any]) -> dict[str, Any]:
        invoice = self._account.documents.get("invoice", line["doc"])
        if invoice is None:
            return {}
        paid_by_others = self._account.applications.paid(invoice.id, without=document.id)
        return {
            "due": invoice.fields["total"] - paid_by_others,
            "total": invoice.fields["total"],
            "refNum": invoice.fields["tranId"],
            "type": "Invoice",
            "applyDate": invoice.fields["tranDate"],
            "currency": self._account.references.symbol(invoice.fields["currency"]),
        }

    def _computed(self, document: Document) -> dict[str, Any]:
        account = self._account
        if document.type == "customer":
            return {
                "balance": balance(account, document.id),
                "dateCreated": document.created,
                "lastModifiedDate": document.modified,
            }
        answer: dict[str, Any] = {
            "status": status(account, document),
            "createdDate": document.created,
            "lastModifiedDate": document.modified,
        }
        left = remaining(account, document)
        if document.type == "customerPayment":
            whole = document.fields["payment"]
            return {**answer, "applied": whole - left, "unapplied": left, "total": whole}
        whole = document.fields["total"]
        if document.type == "creditMemo":
            return {**answer, "applied": whole - left, "unapplied": left, "amountRemaining": left}
        return {**answer, "amountPaid": whole - left, "amountRemaining": left}

    def _value(self, field: Field, value: Any, kind: str) -> Any:
        if field.kind == "reference":
            return self._reference(field.target, value)
        if field.kind == "name":
            return {"id": value, "refName": value}
        if field.kind == "enum":
            names = _ENUM_NAMES.get(field.name) or _ENUM_NAMES.get(f"{kind}.{field.name}", {})
            return value if self._simple_enums else {"id": value, "refName": names.get(value, value)}
        if isinstance(value, datetime):
            return moment(value)
        if isinstance(value, date):
            return value.isoformat()
        return double(value) if isinstance(value, Decimal) else value

    def _reference(self, target: str, internal_id: str) -> dict[str, Any]:
        kind, name = target, internal_id
        if target == "transaction":
            found = self._account.documents.transaction(internal_id)
            if found is not None:
                kind, name = found.type, f"{_TYPE_NAMES[found.type]} #{found.fields['tranId']}"
        elif target in RECORD_TYPES:
            document = self._account.documents.get(target, internal_id)
            name = document.fields.get("companyName") or document.fields["entityId"] if document else internal_id
        else:
            entry = self._account.references.find(target, internal_id)
            name = entry.name if entry else internal_id
        return {"links": self.link(f"{kind}/{internal_id}"), "id": internal_id, "refName": name}


def balance(account: Account, customer: str) -> Decimal:
    """Sum what a customer owes, less what it has paid ahead, over all currencies as NetSuite's one number."""
    return sum(
        (
            remaining(account, one) if one.type == "invoice" else -remaining(account, one)
            for one in account.documents.of_customer(customer)
        ),
        ZERO,
    )
