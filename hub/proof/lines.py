"""One line of a document, as any of the vendors' books has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import zip_longest


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a document: its amount after discounts and before tax, and its tax, in minor units of ISO 4217."""

    id: str
    amount: Decimal
    tax: Decimal

    def __str__(self) -> str:
        """Give it as a person reads it."""
        return f"{self.id} {self.amount:f} + {self.tax:f} tax"


def numbered(lines: Sequence[Line], others: Sequence[Line] = ()) -> dict[str, object]:
    """Give each line as a fact, and for lines that only the other book has that there is none."""
    return {f"line {number}": line for number, (line, _) in enumerate(zip_longest(lines, others), start=1)}
