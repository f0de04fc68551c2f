"""A document's lines and its day, as any of the vendors' books has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from hub.model.money import exponent

#: Stripe's product → NetSuite's item; what has no product, or another one, is the item of everything else.
_ITEMS: Mapping[str, str] = {
    "prod_subscription": "101",
    "prod_platform": "101",
    "prod_seats": "101",
    "prod_usage": "102",
    "prod_services": "105",
    "prod_support": "105",
}
ELSE = "104"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a document: its amount after discounts and before tax, and its tax, in minor units of ISO 4217.

    `item` is NetSuite's item, which decides the account of the revenue, and `tax_code` its code of the tax, which
    decides the account and the return of that; a tax engine has neither.
    """

    id: str
    amount: Decimal
    tax: Decimal
    item: str = field(default="", compare=False)
    tax_code: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Give it as a person reads it."""
        return f"{self.id} {self.amount:f} + {self.tax:f} tax"


def numbered(lines: Sequence[Line], others: Sequence[Line] = ()) -> dict[str, object]:
    """Give each line as a fact, and for lines that only the other book has that there is none."""
    return {f"line {number}": line for number, (line, _) in enumerate(zip_longest(lines, others), start=1)}


def item_of(line: Mapping[str, Any], more: Mapping[str, str] = MappingProxyType({})) -> str:
    """Give NetSuite's item for a line of one of Stripe's invoices; `more` are products that came later, with theirs."""
    priced = (line.get("pricing") or {}).get("price_details") or {}
    product = priced.get("product") or ""
    return more.get(product) or _ITEMS.get(product, ELSE)


def items_made(netsuite: Mapping[str, Any]) -> dict[str, str]:
    """Give the CRM's id of each product that the books have as an item → the item's id."""
    return {one["externalId"]: one["id"] for one in netsuite.get("items", ()) if one.get("externalId")}


def items(lines: Sequence[Line]) -> dict[str, object]:
    """Give the item of each line as a fact."""
    return {f"item of line {number}": line.item for number, line in enumerate(lines, start=1)}


def tax_codes(lines: Sequence[Line], code: str | None = None) -> dict[str, object]:
    """Give the tax code of each line as a fact; with a `code` what it must be: that one wherever there is tax."""
    return {
        f"tax code of line {number}": line.tax_code if code is None else code if line.tax else ""
        for number, line in enumerate(lines, start=1)
    }


def posted(record: Mapping[str, Any]) -> list[Line]:
    """Give the lines of a record in NetSuite's books."""
    digits = exponent(record["currency"])
    codes = {one["taxDetailsReference"]: str(one["taxCode"]) for one in record.get("taxDetails", ())}
    return [
        Line(
            id=line.get("taxDetailsReference") or "",
            amount=Decimal(line["amount"]).scaleb(digits),
            tax=Decimal(line.get("taxAmount") or 0).scaleb(digits),
            item=line["item"],
            tax_code=codes.get(line.get("taxDetailsReference"), ""),
        )
        for line in record.get("item", ())
    ]


def day_of(seconds: int | None) -> str:
    """Give the day of a moment of Stripe's, in UTC, as the ERP writes it; an empty text for none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()
