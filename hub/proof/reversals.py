"""Documents of NetSuite that take another one back: each shows in its memo by which write it was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hub.model.money import exponent
from hub.proof.evidence import Document, OneOf, Wanted

if TYPE_CHECKING:
    from hub.proof.vendor_families import Families

ERP = "netsuite"
#: What takes an invoice back.
CREDITED = "reversal of an invoice"
#: What a document that the hub made to take another back carries in its memo, before the key of the write.
_MARK = "concord:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpReversal:
    """An invoice, a payment or a credit memo in NetSuite's books that takes another document back.

    `key` is that of the write which made it.
    """

    id: str
    key: str
    currency: str
    customer: str
    total: Decimal
    open: Decimal
    day: str = ""


def takes_back(record: Mapping[str, Any]) -> bool:
    """Tell whether a record of NetSuite's is there to take another back: only the hub's mark tells what it is."""
    marked = str(record.get("memo") or "").startswith(_MARK)
    return marked and not record["externalId"] and not record.get("checkNumber")


def read(
    records: Sequence[Mapping[str, Any]], *, customer: str, total: str = "total", open: str = "unapplied"
) -> list[ErpReversal]:
    """Give those of NetSuite's records that take another back; the names are those of its fields."""
    return [_reversal(one, customer, total, open) for one in records if takes_back(one)]


def _reversal(record: Mapping[str, Any], customer: str, total: str, open: str) -> ErpReversal:
    digits = exponent(record["currency"])
    return ErpReversal(
        id=record["id"],
        key=str(record["memo"]).removeprefix(_MARK),
        currency=record["currency"],
        customer=record[customer],
        total=Decimal(record[total]).scaleb(digits),
        open=Decimal(record[open]).scaleb(digits),
        day=record["tranDate"],
    )


def told(back: ErpReversal, kind: str, name: str, family: str) -> Document:
    """Tell of one that takes back what has this name."""
    return Document(
        book=ERP,
        kind=kind,
        name=name,
        family=family,
        id=back.id,
        facts={
            "currency": back.currency,
            "total": back.total,
            "customer": back.customer,
            "open": back.open,
            "day": back.day,
        },
        marker=back.key,
    )


def of_invoices(credited: Sequence[ErpReversal], families: Families) -> Iterator[Document]:
    """Give the credit memos that take invoices back, those of notes charged again among them."""
    for back in credited:
        name = families.named(back.key)
        yield told(back, CREDITED, name, families.of_object(name))


def invoice_reversed(
    name: str,
    *,
    family: str,
    title: str,
    currency: str,
    total: Decimal,
    customer: str | None,
    days: frozenset[str],
    needed: bool,
) -> Wanted:
    """Say that an invoice must be taken back whole by one credit memo, or that none may do so.

    It is dated on the day on which that is done: one of `days`, where they are known.
    """
    day = {"day": OneOf(values=days)} if days else {}
    return Wanted(
        book=ERP,
        kind=CREDITED,
        name=name,
        family=family,
        title=title,
        facts={"currency": currency, "total": total, "customer": customer, "open": Decimal(0), **day},
        needed=needed,
        never=not needed,
    )
