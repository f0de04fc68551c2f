"""Makes a record of another: an invoice of an order, a credit memo or payment of an invoice, a refund of a credit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from connectors.netsuite.sandbox import orders, writing
from connectors.netsuite.sandbox.documents import Document
from connectors.netsuite.sandbox.incoming import Change
from connectors.netsuite.sandbox.problems import Refusal

if TYPE_CHECKING:
    from connectors.netsuite.sandbox.account import Account

_CREDITED_FIELDS = (
    "entity subsidiary currency exchangeRate account department class location discountItem discountRate "
    "taxDetailsOverride otherRefNum"
).split()
_PARTY_FIELDS = ("subsidiary", "currency", "department", "class", "location")


def transform(account: Account, source: Document, target: str, change: Change) -> Document:
    """Make a record of `source`, the body's fields put over it; refuses what cannot be made of it."""
    if (source.type, target) == ("salesOrder", "invoice"):
        draft = writing.fresh(account, target, change.external_id)
        orders.bill(account, source, draft, change)
        return writing.finish_new(account, draft, change, "transform")
    fill = _FILL.get((source.type, target))
    if fill is None:
        raise Refusal(f"A {source.type} cannot be transformed to {target} here.", code="INVALID_REQUEST")
    draft = writing.fresh(account, target, change.external_id)
    fill(source, draft)
    return writing.finish_new(account, draft, change, "transform")


def _credit_memo(invoice: Document, draft: Document) -> None:
    """Take over the lines; what the invoice still owes is applied."""
    draft.fields = {name: invoice.fields[name] for name in _CREDITED_FIELDS if name in invoice.fields}
    draft.fields["createdFrom"] = invoice.id
    for sublist in ("item", "taxDetails"):
        draft.sublists[sublist] = [
            {name: value for name, value in line.items() if name != "lineUniqueKey"}
            for line in invoice.sublists.get(sublist, [])
        ]
    draft.sublists["apply"] = [{"doc": invoice.id, "apply": True}]


def _payment(invoice: Document, draft: Document) -> None:
    """Pay what the invoice still owes."""
    _party(invoice, draft)
    draft.fields["arAcct"] = invoice.fields["account"]
    draft.sublists["apply"] = [{"doc": invoice.id, "apply": True}]


def _refund(sublist: str) -> Callable[[Document, Document], None]:
    def fill(source: Document, draft: Document) -> None:
        """Pay out what is left; from the account that the money came to, where that is known."""
        _party(source, draft)
        if source.type != "creditMemo" and source.fields.get("account"):
            draft.fields["account"] = source.fields["account"]
        draft.sublists[sublist] = [{"doc": source.id, "apply": True}]

    return fill


def _application(deposit: Document, draft: Document) -> None:
    """Leave open which invoices the deposit is for; the body says it."""
    draft.fields["deposit"] = deposit.id


def _party(source: Document, draft: Document) -> None:
    draft.fields = {name: source.fields[name] for name in _PARTY_FIELDS if name in source.fields}
    draft.fields["customer"] = str(source.customer)


_FILL: Mapping[tuple[str, str], Callable[[Document, Document], None]] = {
    ("invoice", "creditMemo"): _credit_memo,
    ("invoice", "customerPayment"): _payment,
    ("creditMemo", "customerRefund"): _refund("apply"),
    ("customerPayment", "customerRefund"): _refund("apply"),
    ("customerDeposit", "customerRefund"): _refund("deposit"),
    ("customerDeposit", "depositApplication"): _application,
}
