"""Records as NetSuite shows them: links, references with names, doubles, sublists as links or whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox import orders, revenue
from connectors.netsuite.sandbox.amounts import ZERO, double
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.errands import RECORDS
from connectors.netsuite.sandbox.open_amounts import (
    balance,
    deposited,
    journal_amounts,
    place,
    remaining,
    whole,
)
from connectors.netsuite.sandbox.record_types import RECORD_TYPES, Field
from connectors.netsuite.sandbox.reference_records import REFERENCE_RECORDS

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_TYPE_NAMES = {
    "salesOrder": "Sales Order",
    "invoice": "Invoice",
    "creditMemo": "Credit Memo",
    "customerPayment": "Payment",
    "customerRefund": "Customer Refund",
    "customerDeposit": "Customer Deposit",
    "depositApplication": "Deposit Application",
    "journalEntry": "Journal",
}
_ORDER_STATES = {
    "A": "Pending Approval",
    "B": "Pending Fulfillment",
    "C": "Cancelled",
    "D": "Partially Fulfilled",
    "E": "Pending Billing/Partially Fulfilled",
    "F": "Pending Billing",
    "G": "Billed",
    "H": "Closed",
}
_ENUM_NAMES = {
    "orderStatus": _ORDER_STATES,
    "salesOrder.status": _ORDER_STATES,
    "creditHoldOverride": {"AUTO": "Auto", "ON": "On", "OFF": "Off"},
    "approvalStatus": {"1": "Pending Approval", "2": "Approved", "3": "Rejected"},
    "invoice.status": {"Open": "Open", "Paid In Full": "Paid In Full"},
    "creditMemo.status": {"A": "Open", "B": "Fully Applied"},
    "customerPayment.status": {"B": "Not Deposited", "C": "Deposited"},
    "customerDeposit.status": {"A": "Not Deposited", "B": "Deposited", "C": "Fully Applied"},
}


def moment(value: datetime) -> str:
    """Give a time as the record service writes it: UTC, whole seconds."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def status(account: Account, document: Document) -> str | None:
    """Tell where a transaction stands, as the record service's enum id; None for what is settled at once."""
    match document.type:
        case "salesOrder":
            return orders.status(account, document)
        case "invoice":
            return "Open" if remaining(account, document) else "Paid In Full"
        case "creditMemo":
            return "A" if remaining(account, document) else "B"
        case "customerPayment":
            return "B" if document.fields["undepFunds"] else "C"
        case "customerDeposit":
            if not remaining(account, document):
                return "C"
            return "A" if document.fields["undepFunds"] else "B"
        case _:
            return None


def type_name(document: Document) -> str:
    """Give what people call a transaction's type."""
    return _TYPE_NAMES[document.type]


def state_name(account: Account, document: Document) -> str | None:
    """Give what people read of a transaction's status: `Invoice : Open`."""
    state = status(account, document)
    if state is None:
        return None
    return f"{type_name(document)} : {_ENUM_NAMES[f'{document.type}.status'].get(state, state)}"


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
            field = shape.body.get(name)
            if field is not None and value is not None and (not only or name in only):
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
        values = {**line, **(self._application(document, line) if sublist in ("apply", "deposit") else {})}
        if sublist == "item":
            values["grossAmt"] = line["amount"] + line["taxAmount"]
        if document.type == "salesOrder" and sublist == "item":
            values["quantityBilled"] = orders.quantity_billed(self._account, document, line)
        fields = RECORD_TYPES[document.type].sublists[sublist]
        answer: dict[str, Any] = {"links": self.link(self._at(f"{document.type}/{document.id}/{sublist}", line, place))}
        for name, value in values.items():
            if value is not None and name in fields:
                answer[name] = self._value(fields[name], value, document.type)
        return answer

    def _at(self, path: str, line: Mapping[str, Any], place: int) -> str:
        return f"{path}/{line.get('line', place + 1)}"

    def _application(self, document: Document, line: Mapping[str, Any]) -> dict[str, Any]:
        target = self._account.documents.transaction(line["doc"])
        if target is None:
            return {}
        customer = str(document.customer)
        before = self._before(document, target, customer)
        symbol = self._account.references.symbol(target.fields["currency"])
        total = journal_amounts(self._account, target).get(customer, ZERO) if target.type == "journalEntry" else None
        return {
            "due": before,
            "remaining": before,
            "total": abs(total) if total is not None else whole(target),
            "refNum": target.fields["tranId"],
            "type": _TYPE_NAMES[target.type],
            "applyDate": target.fields["tranDate"],
            "depositDate": target.fields["tranDate"],
            "currency": symbol,
            "currencyName": symbol,
        }

    def _before(self, document: Document, target: Document, customer: str) -> Decimal:
        """Give what was open of a target, but for what this document has applied to it."""
        if target.type == "journalEntry":
            amount = abs(journal_amounts(self._account, target).get(customer, ZERO))
            return amount - self._account.applications.paid(place(target, customer), without=document.id)
        return remaining(self._account, target, without=document.id)

    def _computed(self, document: Document) -> dict[str, Any]:
        account = self._account
        if document.type in REFERENCE_RECORDS:
            return {}
        stamps: dict[str, Any] = {"createdDate": document.created, "lastModifiedDate": document.modified}
        if document.type == "customer":
            return {
                "balance": balance(account, document.id),
                "depositBalance": deposited(account, document.id),
                "dateCreated": document.created,
                "lastModifiedDate": document.modified,
            }
        if document.type == "serviceSaleItem":
            return stamps
        return {"status": status(account, document), **stamps, **self._amounts(document)}

    def _amounts(self, document: Document) -> dict[str, Any]:
        account, fields = self._account, document.fields
        match document.type:
            case "salesOrder":
                return {"orderStatus": orders.status(account, document)}
            case "customerPayment":
                applied, left = account.applications.applied(document.id), remaining(account, document)
                return {"applied": applied, "unapplied": left, "total": fields["payment"]}
            case "creditMemo":
                applied, left = account.applications.applied(document.id), remaining(account, document)
                return {"applied": applied, "unapplied": left, "amountRemaining": left}
            case "invoice":
                left = remaining(account, document)
                held = {"deferredRevenue": revenue.deferred(account, document), "recognizedRevenue": ZERO}
                return {"amountPaid": fields["total"] - left, "amountRemaining": left, **held}
            case "customerDeposit":
                return {"total": fields["payment"]}
            case "customerRefund":
                return {"balance": balance(account, fields["customer"])}
            case "depositApplication":
                deposit = account.documents.get("customerDeposit", fields["deposit"])
                date_of_deposit = deposit.fields["tranDate"] if deposit is not None else None
                return {"applied": fields["total"], "unapplied": ZERO, "depositDate": date_of_deposit}
            case _:
                other = account.documents.get("journalEntry", fields.get("reversal") or "")
                return {"reversalEntry": other.fields["tranId"] if other is not None else None}

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

    def name(self, target: str, internal_id: str) -> str:
        """Give what people call a record of a kind; one that is not there goes by its id."""
        return self._named(target, internal_id)[1]

    def _reference(self, target: str, internal_id: str) -> dict[str, Any]:
        kind, name = self._named(target, internal_id)
        return {"links": self.link(f"{kind}/{internal_id}"), "id": internal_id, "refName": name}

    def _named(self, target: str, internal_id: str) -> tuple[str, str]:
        if target == "transaction" or target in _TYPE_NAMES:
            found = self._account.documents.transaction(internal_id)
            if found is None:
                return target, internal_id
            return found.type, f"{_TYPE_NAMES[found.type]} #{found.fields['tranId']}"
        if target in RECORD_TYPES and RECORD_TYPES[target].space:
            document = self._account.documents.get(target, internal_id)
            if document is None:
                return target, internal_id
            return target, str(document.fields.get("companyName") or document.fields["entityId"])
        entry = self._account.references.find(target, internal_id)
        return target, entry.name if entry else internal_id
