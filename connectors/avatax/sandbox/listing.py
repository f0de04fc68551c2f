"""Which documents a list shows: its filter, its order, and one page of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from connectors.avatax.sandbox.documents import Document
from connectors.avatax.sandbox.filters import Filter, sort_key
from connectors.avatax.sandbox.refusals import Refusal
from hub.sandbox.paging import by_offset

#: The most rows of one page.
MAX_ROWS = 1000
#: A list without a date in its filter goes back this far.
USUAL_DAYS = timedelta(days=30)

#: What a list can be filtered and ordered by.
_FIELDS: Mapping[str, Callable[[Document], Any]] = {
    "id": lambda document: document.id,
    "code": lambda document: document.code,
    "type": lambda document: document.sale.type,
    "status": lambda document: document.status,
    "date": lambda document: document.sale.date,
    "currencyCode": lambda document: document.sale.currency,
    "customerCode": lambda document: document.sale.customer,
    "customerVendorCode": lambda document: document.sale.customer,
    "referenceCode": lambda document: document.sale.texts["referenceCode"],
    "purchaseOrderNo": lambda document: document.sale.texts["purchaseOrderNo"],
    "totalAmount": lambda document: document.total_amount,
    "totalTax": lambda document: document.total_tax,
    "version": lambda document: document.version,
    "locked": lambda document: document.locked,
    "country": lambda document: document.sale.destination.country,
    "region": lambda document: document.sale.destination.region,
    "modifiedDate": lambda document: document.modified,
}
_NAMES = frozenset(_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page: its documents, how many there are in all, and the query of the next page."""

    documents: Sequence[Document]
    total: int
    further: Mapping[str, str] | None


def select(documents: Sequence[Document], query: Mapping[str, str], *, earliest: date) -> ListPage:
    """Filter, order and page; `earliest` counts where the filter names no date. Raises `Refusal`."""
    wanted = Filter(query["$filter"], _NAMES) if query.get("$filter") else None
    top, skip = _count(query, "$top"), _count(query, "$skip")
    if top > MAX_ROWS:
        raise Refusal("FetchLimit", f"At most {MAX_ROWS} records can be fetched.")
    found = list(documents)
    if wanted is None or "date" not in wanted.fields:
        found = [document for document in found if document.sale.date >= earliest]
    if wanted is not None:
        found = [document for document in found if wanted.matches(_row(document))]
    for field, downwards in reversed(sort_key(query.get("$orderBy", ""), _NAMES)):
        found.sort(key=_FIELDS[field], reverse=downwards)
    page, more = by_offset(found, offset=skip, limit=top or MAX_ROWS)
    further = {**query, "$top": str(top or MAX_ROWS), "$skip": str(skip + len(page))} if more else None
    return ListPage(documents=page, total=len(found), further=further)


def _row(document: Document) -> Callable[[str], Any]:
    return lambda field: _FIELDS[field](document)


def _count(query: Mapping[str, str], name: str) -> int:
    value = query.get(name, "0")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise Refusal("ModelStateInvalid", f"{name} must be a number.", refers_to=name)
    return int(value)
