"""Prices and lines: the standard price comes first, and each line is in its head's price book and currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from connectors.salesforce.sandbox.changes import Change
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.store import Record

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_CENT = Decimal("0.01")


def price(org: Org, change: Change) -> None:
    """Complete a price book entry: one for each product, price book and currency, the standard one first."""
    product, book = org.store.get(change.get("Product2Id")), org.store.get(change.get("Pricebook2Id"))
    if product is None or book is None:
        return
    change.values["Name"], change.values["ProductCode"] = product.get("Name"), product.get("ProductCode")
    currency = change.get("CurrencyIsoCode")
    own = change.before.id if change.before else None
    entries = [
        entry
        for entry in org.store.below(product.id, "PricebookEntry", "Product2Id")
        if entry.get("CurrencyIsoCode") == currency and entry.id != own
    ]
    if change.creating and any(entry.get("Pricebook2Id") == book.id for entry in entries):
        raise Refusal("DUPLICATE_VALUE", "This price definition already exists in this price book", fields=[])
    standard = next((entry for entry in entries if entry.get("Pricebook2Id") == org.standard_price_book), None)
    if book.id != org.standard_price_book:
        if standard is None:
            raise Refusal(
                "STANDARD_PRICE_NOT_DEFINED", "Before creating a custom price, create a standard price.", fields=[]
            )
        if change.get("UseStandardPrice"):
            change.values["UnitPrice"] = standard.get("UnitPrice")


def opportunity_line(org: Org, change: Change) -> None:
    """Complete an opportunity's product; the first one decides the opportunity's price book."""
    head = org.store.get(change.get("OpportunityId"))
    if head is None:
        return
    entry = _entry(org, change, head, adopts=True)
    _sums(change, entry, total_may_be_sent=True)
    change.values["Name"] = f"{head.get('Name')} {entry.get('Name')}"[:376]


def quote_line(org: Org, change: Change) -> None:
    """Complete a quote's line."""
    head = org.store.get(change.get("QuoteId"))
    if head is not None:
        _sums(change, _entry(org, change, head, adopts=True), total_may_be_sent=False)


def order_line(org: Org, change: Change) -> None:
    """Complete an order's product; those of an activated order stand."""
    head = org.store.get(change.get("OrderId"))
    if head is None:
        return
    refuse_activated(head, change)
    if head.get("Pricebook2Id") is None:
        raise Refusal(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: PricebookEntryId (the order has no price book)",
            fields=["PricebookEntryId"],
        )
    _sums(change, _entry(org, change, head, adopts=False), total_may_be_sent=False)


def refuse_activated(order: Record, change: Change | None) -> None:
    """Refuse new, other or fewer products of an order that is activated."""
    frozen = ("Quantity", "UnitPrice", "PricebookEntryId", "ServiceDate", "EndDate")
    if order.get("StatusCode") == "Activated" and (
        change is None or change.creating or any(change.changes(name) for name in frozen)
    ):
        raise Refusal(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: OrderId (products of an activated order can't be added, changed or removed)",
            fields=["OrderId"],
        )


def _entry(org: Org, change: Change, head: Record, *, adopts: bool) -> Record:
    """Give the price that a line is of; refuses one of another price book or currency, and an inactive one."""
    entry = org.store.get(change.get("PricebookEntryId"))
    book = head.get("Pricebook2Id")
    if entry is None and change.get("Product2Id") is not None:
        wanted = book or org.standard_price_book
        entry = next(
            (
                one
                for one in org.store.below(change.get("Product2Id"), "PricebookEntry", "Product2Id")
                if one.get("Pricebook2Id") == wanted and one.get("CurrencyIsoCode") == head.get("CurrencyIsoCode")
            ),
            None,
        )
    if entry is None:
        raise Refusal(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: PricebookEntryId (pricebook entry has not been specified)",
            fields=["PricebookEntryId"],
        )
    if change.creating and not entry.get("IsActive"):
        _refuse_entry("pricebook entry is inactive")
    if book is not None and entry.get("Pricebook2Id") != book:
        _refuse_entry("pricebook entry is in a different pricebook than the one assigned to the record")
    if entry.get("CurrencyIsoCode") != head.get("CurrencyIsoCode"):
        _refuse_entry("pricebook entry currency code does not match the record's currency code")
    if book is None and adopts:
        kind = org.schema.get(head.kind)
        values = {**head.values, "Pricebook2Id": entry.get("Pricebook2Id")}
        org.put(kind, head.id, values, user=org.acting, before=head, quiet=True)
    change.values["PricebookEntryId"] = entry.id
    change.values["Product2Id"] = entry.get("Product2Id")
    if change.kind.field("ProductCode"):
        change.values["ProductCode"] = entry.get("ProductCode")
    if org.schema.multi_currency:
        change.values["CurrencyIsoCode"] = head.get("CurrencyIsoCode")
    return entry


def _refuse_entry(why: str) -> None:
    raise Refusal(
        "FIELD_INTEGRITY_EXCEPTION", f"field integrity exception: PricebookEntryId ({why})", fields=["PricebookEntryId"]
    )


def _sums(change: Change, entry: Record, *, total_may_be_sent: bool) -> None:
    """Compute a line's amounts: unit price by quantity less the discount, to the cent, half up."""
    change.values["ListPrice"] = entry.get("UnitPrice")
    quantity, discount = change.get("Quantity"), change.get("Discount") or Decimal(0)
    sent_total = total_may_be_sent and "TotalPrice" in change.sent and change.get("TotalPrice") is not None
    if sent_total and "UnitPrice" in change.sent and change.get("UnitPrice") is not None:
        raise Refusal(
            "FIELD_INTEGRITY_EXCEPTION",
            "field integrity exception: UnitPrice, TotalPrice (specify either UnitPrice or TotalPrice, not both)",
            fields=["UnitPrice", "TotalPrice"],
        )
    share = 1 - discount / 100
    if sent_total and quantity and share:
        change.values["UnitPrice"] = (change.get("TotalPrice") / (quantity * share)).quantize(_CENT, ROUND_HALF_UP)
        change.values["Subtotal"] = (change.get("UnitPrice") * quantity).quantize(_CENT, ROUND_HALF_UP)
        return
    if change.get("UnitPrice") is None:
        names = ["UnitPrice", "TotalPrice"] if total_may_be_sent else ["UnitPrice"]
        raise Refusal("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(names)}]", fields=names)
    subtotal = change.get("UnitPrice") * quantity
    if change.kind.field("Subtotal"):
        change.values["Subtotal"] = subtotal.quantize(_CENT, ROUND_HALF_UP)
    change.values["TotalPrice"] = (subtotal * share).quantize(_CENT, ROUND_HALF_UP)
