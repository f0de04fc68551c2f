"""The tables that accountants read: lines of transactions, their GL impact, revenue arrangements and elements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.amounts import ZERO
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.ledger import Posting
from connectors.netsuite.sandbox.orders import quantity_billed

_Cell = str | Decimal | date | datetime | None
Getters = Mapping[str, Callable[[Account, Any], _Cell]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a transaction; `values` are those of the sublist, where it stands in one."""

    document: Document
    number: int
    amount: Decimal
    entity: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def lines(account: Account) -> Iterable[Line]:
    """Go through the lines of all transactions: what they post, and lines of documents that post nothing yet."""
    for document in account.documents.transactions():
        if document.type == "salesOrder":
            yield from _order_lines(account, document)
            continue
        written = {line["line"]: line for sublist in ("item", "line") for line in document.sublists.get(sublist, [])}
        sums: dict[int, Decimal] = dict.fromkeys(written, ZERO)
        entities: dict[int, str | None] = {number: line.get("entity") for number, line in written.items()}
        for posting in account.ledger.of(document.id):
            sums[posting.line] = sums.get(posting.line, ZERO) + posting.amount
            entities[posting.line] = entities.get(posting.line) or posting.entity
        for number in sorted(sums):
            values = written.get(number, {})
            yield Line(
                document=document,
                number=number,
                amount=sums[number] if account.ledger.of(document.id) else _written_amount(document, values),
                entity=entities.get(number) or document.customer,
                values=values,
            )


def _order_lines(account: Account, document: Document) -> Iterable[Line]:
    """Go through the lines of an order, signed as if posted: the order as a whole first, tax and discount last."""
    fields, items = document.fields, document.sublists["item"]
    following = max(line["line"] for line in items) + 1
    amounts = {0: fields["total"], **{line["line"]: -line["amount"] for line in items}}
    extra = {following: -fields["taxTotal"], following + 1: -fields["discountTotal"]}
    values = {
        line["line"]: {
            **line,
            "quantity": -line["quantity"],
            "quantityBilled": quantity_billed(account, document, line),
        }
        for line in items
    }
    for number, amount in {**amounts, **{number: amount for number, amount in extra.items() if amount}}.items():
        line_values = values.get(number, {})
        yield Line(document=document, number=number, amount=amount, entity=document.customer, values=line_values)


def impact(account: Account) -> Iterable[tuple[Document, Posting]]:
    """Go through what all transactions post, in the currency of the books."""
    for document in account.documents.transactions():
        for posting in account.ledger.of(document.id):
            yield document, posting


def _written_amount(document: Document, values: Mapping[str, Any]) -> Decimal:
    if document.type == "journalEntry":
        return Decimal((values.get("debit") or ZERO) - (values.get("credit") or ZERO))
    amount = Decimal(values["amount"])
    # Revenue is a credit: lines of invoices are negative.
    return amount if document.type == "creditMemo" else -amount


def _origin(made_of: str | None) -> Decimal | None:
    return None if made_of is None else Decimal(made_of)


def _of_line(name: str) -> Callable[[Account, Line], _Cell]:
    return lambda _account, row: row.values.get(name)


def _number_of_line(name: str) -> Callable[[Account, Line], _Cell]:
    return lambda _account, row: None if row.values.get(name) is None else Decimal(str(row.values[name]))


LINE: Getters = {
    "transaction": lambda _account, row: Decimal(row.document.id),
    "id": lambda _account, row: Decimal(row.number),
    "uniquekey": _number_of_line("lineUniqueKey"),
    "item": _number_of_line("item"),
    "memo": lambda _account, row: row.values.get("description") or row.values.get("memo"),
    "quantity": _number_of_line("quantity"),
    "quantitybilled": _number_of_line("quantityBilled"),
    "rate": _number_of_line("rate"),
    "isclosed": lambda _account, row: "T" if row.values.get("isClosed") else "F",
    "createdfrom": lambda _account, row: _origin(row.document.fields.get("createdFrom")),
    "foreignamount": lambda _account, row: row.amount,
    "entity": lambda _account, row: None if row.entity is None else Decimal(row.entity),
    "subsidiary": lambda _account, row: Decimal(row.document.fields["subsidiary"]),
    "department": _number_of_line("department"),
    "class": _number_of_line("class"),
    "location": _number_of_line("location"),
    "mainline": lambda _account, row: "T" if row.number == 0 else "F",
}

#: Amounts are in the currency of the subsidiary's books.
IMPACT: Getters = {
    "transaction": lambda _account, row: Decimal(row[0].id),
    "transactionline": lambda _account, row: Decimal(row[1].line),
    "accountingbook": lambda _account, _row: Decimal(1),
    "account": lambda _account, row: Decimal(row[1].account),
    "amount": lambda _account, row: row[1].base,
    "debit": lambda _account, row: row[1].base if row[1].base > 0 else None,
    "credit": lambda _account, row: -row[1].base if row[1].base < 0 else None,
    "posting": lambda _account, _row: "T",
}

ARRANGEMENT: Getters = {
    "id": lambda _account, row: Decimal(row.id),
    "trandate": lambda _account, row: row.document.fields["tranDate"],
    "entity": lambda _account, row: Decimal(row.document.customer),
    "subsidiary": lambda _account, row: Decimal(row.document.fields["subsidiary"]),
    "currency": lambda _account, row: Decimal(row.document.fields["currency"]),
    "accountingbook": lambda _account, _row: Decimal(1),
    "totalrevenueamount": lambda _account, row: row.amount,
    "totalsellingamount": lambda _account, row: row.amount,
    "totalallocationamount": lambda _account, row: row.amount,
    "compliant": lambda _account, _row: "T",
}

ELEMENT: Getters = {
    "id": lambda _account, row: Decimal(row.id),
    "revenuearrangement": lambda _account, row: Decimal(row.arrangement),
    "referencetransaction": lambda _account, row: Decimal(row.document.id),
    "referenceline": lambda _account, row: Decimal(row.line["line"]),
    "item": lambda _account, row: Decimal(row.line["item"]),
    "quantity": lambda _account, row: row.line.get("quantity"),
    "salesamount": lambda _account, row: row.amount,
    "discountedsalesamount": lambda _account, row: row.amount,
    "allocationamount": lambda _account, row: row.amount,
    "revrecstartdate": lambda _account, row: row.begins,
    "revrecenddate": lambda _account, row: row.ends,
    "deferralaccount": lambda _account, row: None if row.deferral_account is None else Decimal(row.deferral_account),
    "recognitionaccount": lambda _account, row: Decimal(row.revenue_account),
}
