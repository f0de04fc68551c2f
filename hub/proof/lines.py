"""A document's lines and its day, as any of the vendors' books has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any

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

    `item` is NetSuite's item, which decides the account of the revenue; a tax engine has none.
    """

    id: str
    amount: Decimal
    tax: Decimal
    item: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Give it as a person reads it."""
        return f"{self.id} {self.amount:f} + {self.tax:f} tax"


def numbered(lines: Sequence[Line], others: Sequence[Line] = ()) -> dict[str, object]:
    """Give each line as a fact, and for lines that only the other book has that there is none."""
    return {f"line {number}": line for number, (line, _) in enumerate(zip_longest(lines, others), start=1)}


def item_of(line: Mapping[str, Any]) -> str:
    """Give NetSuite's item for a line of one of Stripe's invoices."""
    priced = (line.get("pricing") or {}).get("price_details") or {}
    return _ITEMS.get(priced.get("product") or "", ELSE)


def items(lines: Sequence[Line]) -> dict[str, object]:
    """Give the item of each line as a fact."""
    return {f"item of line {number}": line.item for number, line in enumerate(lines, start=1)}


def day_of(seconds: int | None) -> str:
    """Give the day of a moment of Stripe's, in UTC, as the ERP writes it; an empty text for none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).date().isoformat()
