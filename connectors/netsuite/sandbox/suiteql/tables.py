"""The tables that can be queried, and what their columns hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any

from connectors.netsuite.sandbox import revenue
from connectors.netsuite.sandbox.account import Account
from connectors.netsuite.sandbox.documents import TRANSACTION_CODES, Document
from connectors.netsuite.sandbox.open_amounts import remaining, whole
from connectors.netsuite.sandbox.reference_data import Reference
from connectors.netsuite.sandbox.rendering import Renderer, state_name, status, type_name
from connectors.netsuite.sandbox.suiteql import accounting_tables
from connectors.netsuite.sandbox.suiteql.functions import Cell, shown

_PLAIN = re.compile(r"[1-9][0-9]{0,15}")
_Getter = Callable[[Account, Any], Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table; `narrowed` finds rows by one column's value without going through all.

    It gives None for a value that only a look at every row can judge. `displayed` are columns of which people see
    something else than what they hold, and which name no record.
    """

    rows: Callable[[Account], Iterable[Any]]
    columns: Mapping[str, _Getter]
    narrowed: Mapping[str, Callable[[Account, str], Iterable[Any] | None]] = field(default_factory=dict)
    displayed: Mapping[str, _Getter] = field(default_factory=dict)


#: Column → the kind of record that it names.
_NAMES: Mapping[str, str] = {
    "account": "account",
    "class": "classification",
    "company": "customer",
    "currency": "currency",
    "deferralaccount": "account",
    "department": "department",
    "entity": "customer",
    "item": "item",
    "location": "location",
    "parent": "customer",
    "postingperiod": "accountingPeriod",
    "recognitionaccount": "account",
    "referencetransaction": "transaction",
    "subsidiary": "subsidiary",
    "transaction": "transaction",
}


def display(table: Table, column: str) -> _Getter:
    """Give what people see of a column (`BUILTIN.DF`): the name of the record whose id it holds, else what it holds."""
    get, kind = table.columns[column], _NAMES.get(column)
    if column in table.displayed:
        return table.displayed[column]
    if kind is None:
        return get

    def named(account: Account, row: Any) -> Cell:
        cell = get(account, row)
        return None if cell is None else Renderer(account).name(kind, shown(cell))

    return named


def _field(name: str) -> _Getter:
    return lambda _account, row: row.fields.get(name)


def _number(name: str) -> _Getter:
    return lambda _account, row: _decimal(row.fields.get(name))


def _flag(name: str) -> _Getter:
    return lambda _account, row: "T" if row.fields.get(name) else "F"


def _said(name: str) -> _Getter:
    return lambda _account, row: "T" if row.facts.get(name) else "F"


def _fact(name: str) -> _Getter:
    return lambda _account, row: None if row.facts.get(name) is None else str(row.facts[name])


def _second(name: str) -> _Getter:
    # The database keeps times in whole seconds.
    return lambda _account, row: getattr(row, name).replace(microsecond=0)


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _total(account: Account, document: Document) -> Cell:
    if document.type == "journalEntry":
        debits = (line.get("debit") for line in document.sublists["line"])
        return sum((amount for amount in debits if amount is not None), Decimal(0))
    total = whole(document)
    return -total if document.type in ("creditMemo", "customerRefund") else total


def _status(account: Account, document: Document) -> Cell:
    if document.type == "journalEntry":
        return "B" if document.fields["approved"] else "A"
    shown = status(account, document)
    return {"Open": "A", "Paid In Full": "B"}.get(shown or "", shown)


def _unpaid(account: Account, document: Document) -> Cell:
    return remaining(account, document) if document.type == "invoice" else None


def _paid(account: Account, document: Document) -> Cell:
    return account.applications.paid(document.id) if document.type == "invoice" else None


def _entity(account: Account, document: Document) -> Cell:
    return None if document.customer is None else Decimal(document.customer)


_TRANSACTION: Mapping[str, _Getter] = {
    "id": lambda _account, row: Decimal(row.id),
    "type": lambda _account, row: TRANSACTION_CODES[row.type],
    "recordtype": lambda _account, row: row.type.lower(),
    "tranid": _field("tranId"),
    "trandate": _field("tranDate"),
    "duedate": _field("dueDate"),
    "memo": _field("memo"),
    "otherrefnum": _field("otherRefNum"),
    "startdate": _field("startDate"),
    "enddate": _field("endDate"),
    "posting": lambda account, row: "T" if account.ledger.of(row.id) else "F",
    "externalid": lambda _account, row: row.external_id,
    "entity": _entity,
    "currency": _number("currency"),
    "exchangerate": _number("exchangeRate"),
    "postingperiod": _number("postingPeriod"),
    "status": _status,
    "foreigntotal": _total,
    "foreignamountpaid": _paid,
    "foreignamountunpaid": _unpaid,
    "createddate": _second("created"),
    "lastmodifieddate": _second("modified"),
}

_CUSTOMER: Mapping[str, _Getter] = {
    "id": lambda _account, row: Decimal(row.id),
    "entityid": _field("entityId"),
    "companyname": _field("companyName"),
    "firstname": _field("firstName"),
    "lastname": _field("lastName"),
    "email": _field("email"),
    "phone": _field("phone"),
    "externalid": lambda _account, row: row.external_id,
    "currency": _number("currency"),
    "isperson": _flag("isPerson"),
    "isinactive": _flag("isInactive"),
    "parent": _number("parent"),
    "terms": _number("terms"),
    "creditholdoverride": _field("creditHoldOverride"),
    "datecreated": _second("created"),
    "lastmodifieddate": _second("modified"),
}

_CONTACT: Mapping[str, _Getter] = {
    "id": _CUSTOMER["id"],
    "entityid": _CUSTOMER["entityid"],
    "company": _number("company"),
    "firstname": _CUSTOMER["firstname"],
    "lastname": _CUSTOMER["lastname"],
    "title": _field("title"),
    "email": _CUSTOMER["email"],
    "phone": _CUSTOMER["phone"],
    "subsidiary": _number("subsidiary"),
    "externalid": _CUSTOMER["externalid"],
    "isinactive": _CUSTOMER["isinactive"],
    "datecreated": _CUSTOMER["datecreated"],
    "lastmodifieddate": _CUSTOMER["lastmodifieddate"],
}

#: Customers, contacts, vendors, employees and the like; only customers and contacts are here.
_ENTITY: Mapping[str, _Getter] = {
    "id": _CUSTOMER["id"],
    "entityid": _CUSTOMER["entityid"],
    "externalid": _CUSTOMER["externalid"],
    "email": _CUSTOMER["email"],
    "altname": lambda _account, row: row.fields.get("companyName"),
    "type": lambda _account, row: {"customer": "CustJob", "contact": "Contact"}[row.type],
    "datecreated": _CUSTOMER["datecreated"],
    "lastmodifieddate": _CUSTOMER["lastmodifieddate"],
}


def _references(kind: str, columns: Mapping[str, _Getter]) -> Table:
    own: Mapping[str, _Getter] = {
        "id": lambda _account, row: Decimal(row.id),
        "externalid": lambda _account, row: row.external_id,
    }

    def rows(account: Account) -> Iterable[Reference]:
        return account.references.kinds.get(kind, {}).values()

    return Table(rows=rows, columns={**own, **columns})


def _name(account: Account, row: Reference) -> Cell:
    return row.name


def _one(found: Document | None) -> Iterable[Document]:
    return [] if found is None else [found]


def _by_id(find: Callable[[Account, str], Document | None]) -> Callable[[Account, str], Iterable[Document] | None]:
    # A text that is not plain digits may still be a number, or must be refused as none.
    return lambda account, wanted: _one(find(account, wanted)) if _PLAIN.fullmatch(wanted) else None


def _by_external_id(account: Account, external_id: str) -> Iterable[Document]:
    kinds = TRANSACTION_CODES
    found = (account.documents.by_external_id(kind, external_id) for kind in kinds)
    return [document for document in found if document is not None]


def _entities(account: Account) -> Iterable[Document]:
    return chain(account.documents.of("customer"), account.documents.of("contact"))


TABLES: Mapping[str, Table] = {
    "transaction": Table(
        rows=lambda account: account.documents.transactions(),
        columns=_TRANSACTION,
        narrowed={
            "id": _by_id(lambda account, wanted: account.documents.transaction(wanted)),
            "memo": lambda account, wanted: account.documents.with_memo(wanted),
            "externalid": _by_external_id,
        },
        displayed={
            "status": state_name,
            "type": lambda _account, row: type_name(row),
        },
    ),
    "transactionline": Table(rows=accounting_tables.lines, columns=accounting_tables.LINE),
    "transactionaccountingline": Table(rows=accounting_tables.impact, columns=accounting_tables.IMPACT),
    "revenuearrangement": Table(rows=revenue.arrangements, columns=accounting_tables.ARRANGEMENT),
    "revenueelement": Table(rows=revenue.elements, columns=accounting_tables.ELEMENT),
    "entity": Table(rows=_entities, columns=_ENTITY),
    "contact": Table(
        rows=lambda account: account.documents.of("contact"),
        columns=_CONTACT,
        narrowed={
            "id": _by_id(lambda account, wanted: account.documents.get("contact", wanted)),
            "externalid": lambda account, wanted: _one(account.documents.by_external_id("contact", wanted)),
        },
    ),
    "customer": Table(
        rows=lambda account: account.documents.of("customer"),
        columns=_CUSTOMER,
        narrowed={
            "id": _by_id(lambda account, wanted: account.documents.get("customer", wanted)),
            "externalid": lambda account, wanted: _one(account.documents.by_external_id("customer", wanted)),
        },
    ),
    "currency": _references("currency", {"name": _name, "symbol": _fact("symbol")}),
    "subsidiary": _references("subsidiary", {"name": _name, "currency": _fact("currency")}),
    "item": _references("item", {"itemid": _name}),
    "account": _references("account", {"fullname": _name, "acctnumber": _fact("number"), "accttype": _fact("type")}),
    "accountingperiod": _references(
        "accountingPeriod",
        {
            "periodname": _name,
            "startdate": lambda _account, row: date.fromisoformat(row.facts["start"]),
            "enddate": lambda _account, row: date.fromisoformat(row.facts["end"]),
            "closed": _said("closed"),
            "arlocked": _said("arLocked"),
            "aplocked": _said("apLocked"),
            "alllocked": _said("allLocked"),
        },
    ),
}
