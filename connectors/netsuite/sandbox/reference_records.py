"""Reference data as records that can be read: periods, subsidiaries, currencies, accounts, terms, first items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.reference_data import Reference, ReferenceData

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_SET_UP = datetime(2023, 1, 1, tzinfo=UTC)


def _period(_references: ReferenceData, entry: Reference) -> dict[str, Any]:
    flags = ("closed", "arLocked", "apLocked", "allLocked")
    return {
        "periodName": entry.name,
        "startDate": date.fromisoformat(entry.facts["start"]),
        "endDate": date.fromisoformat(entry.facts["end"]),
        **{flag: bool(entry.facts.get(flag)) for flag in flags},
        "isAdjust": False,
        "isQuarter": False,
        "isYear": False,
        "isPosting": True,
    }


def _subsidiary(references: ReferenceData, entry: Reference) -> dict[str, Any]:
    return {
        "name": entry.name,
        "legalName": entry.name,
        "currency": references.base_currency(entry.id),
        "isElimination": False,
        "isInactive": bool(entry.facts.get("isInactive")),
    }


def _currency(_references: ReferenceData, entry: Reference) -> dict[str, Any]:
    return {
        "name": entry.name,
        "symbol": entry.facts["symbol"],
        "currencyPrecision": int(entry.facts["precision"]),
        "exchangeRate": Decimal(str(entry.facts.get("rate", 1))),
        "isInactive": bool(entry.facts.get("isInactive")),
    }


def _account(_references: ReferenceData, entry: Reference) -> dict[str, Any]:
    return {
        "acctName": entry.name,
        "acctNumber": entry.facts.get("number"),
        "acctType": entry.facts.get("type"),
        "isInactive": bool(entry.facts.get("isInactive")),
    }


def _named(_references: ReferenceData, entry: Reference) -> dict[str, Any]:
    return {"name": entry.name, "isInactive": bool(entry.facts.get("isInactive"))}


def _term(references: ReferenceData, entry: Reference) -> dict[str, Any]:
    return {**_named(references, entry), "daysUntilNetDue": int(entry.facts.get("days", 0))}


def _item(_references: ReferenceData, entry: Reference) -> dict[str, Any]:
    price = entry.facts.get("price")
    found = {
        "itemId": entry.name,
        "incomeAccount": entry.facts.get("incomeAccount"),
        "deferredRevenueAccount": entry.facts.get("deferredRevenueAccount"),
        "rate": None if price is None else Decimal(str(price)),
        "isInactive": bool(entry.facts.get("isInactive")),
    }
    return {name: value for name, value in found.items() if value is not None}


#: Record type → how its fields follow from an entry of the reference data of the same kind.
REFERENCE_RECORDS: Mapping[str, Callable[[ReferenceData, Reference], dict[str, Any]]] = {
    "accountingPeriod": _period,
    "subsidiary": _subsidiary,
    "currency": _currency,
    "account": _account,
    "department": _named,
    "classification": _named,
    "location": _named,
    "term": _term,
}


def find(account: Account, kind: str, internal_id: str) -> Document | None:
    """Find a record of any type by internal id."""
    return _first(account, kind, lambda entry: entry.id == internal_id) or account.documents.get(kind, internal_id)


def by_external_id(account: Account, kind: str, external_id: str) -> Document | None:
    """Find a record of any type by external id."""
    found = _first(account, kind, lambda entry: entry.external_id == external_id)
    return found or account.documents.by_external_id(kind, external_id)


def all_of(account: Account, kind: str) -> Iterator[Document]:
    """Go through all records of a type: those that are there from the start first."""
    yield from (_document(account, kind, entry) for entry in _entries(account, kind))
    yield from account.documents.of(kind)


def _entries(account: Account, kind: str) -> Iterable[Reference]:
    if kind == "serviceSaleItem":
        # An item that was written since is a document of its own.
        known = {one.id for one in account.documents.of(kind)}
        return [entry for entry in account.references.kinds["item"].values() if entry.id not in known]
    return account.references.kinds.get(kind, {}).values() if kind in REFERENCE_RECORDS else ()


def _first(account: Account, kind: str, wanted: Callable[[Reference], bool]) -> Document | None:
    found = next((entry for entry in _entries(account, kind) if wanted(entry)), None)
    return None if found is None else _document(account, kind, found)


def _document(account: Account, kind: str, entry: Reference) -> Document:
    fields = _item if kind == "serviceSaleItem" else REFERENCE_RECORDS[kind]
    return Document(
        type=kind,
        id=entry.id,
        external_id=entry.external_id,
        created=_SET_UP,
        modified=_SET_UP,
        fields=fields(account.references, entry),
    )
