"""What moves money in each book, side by side: how many documents there are and must be, and what they come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.model.money import exponent
from hub.proof.crm import CRM, SAP
from hub.proof.evidence import Evidence

#: The books in the order in which they stand beside each other; Stripe is what all of them are held against.
BOOKS: Mapping[str, str] = {"netsuite": "NetSuite", SAP: "S/4HANA", CRM: "Salesforce"}


@dataclass(slots=True, kw_only=True)
class Side:
    """One book in one currency: documents and their sum in minor units, as they must be and as they are."""

    wanted: int = 0
    wanted_total: Decimal = Decimal(0)
    found: int = 0
    found_total: Decimal = Decimal(0)


def sides(evidence: Evidence) -> dict[str, dict[str, Side]]:
    """Give currency → book → what is wanted and found there, for all that moves money."""
    found: dict[str, dict[str, Side]] = defaultdict(lambda: {book: Side() for book in BOOKS})
    for document in evidence.documents:
        if document.money is not None and document.currency is not None and document.book in BOOKS:
            side = found[document.currency][document.book]
            side.found += 1
            side.found_total += document.money
    for asked in evidence.wanted:
        if asked.money is None or asked.currency is None or asked.never or not asked.needed or asked.book not in BOOKS:
            continue
        side = found[asked.currency][asked.book]
        side.wanted += 1
        side.wanted_total += asked.money
    return {currency: dict(row) for currency, row in sorted(found.items())}


def sold(row: Mapping[str, Side]) -> tuple[int, Decimal]:
    """Give what the ERPs together must have of a currency, which is what Stripe has of it."""
    erps = [side for book, side in row.items() if book != CRM]
    return sum(side.wanted for side in erps), sum((side.wanted_total for side in erps), Decimal(0))


def to_json(evidence: Evidence) -> dict[str, Any]:
    """Give it for machines: amounts are decimal strings in major units; a book that has nothing to have is left out."""
    return {
        currency: {
            book: {
                "expected": side.wanted,
                "expected_total": major(side.wanted_total, currency),
                "posted": side.found,
                "posted_total": major(side.found_total, currency),
            }
            for book, side in row.items()
            if side.wanted or side.found
        }
        for currency, row in sides(evidence).items()
    }


def major(minor: Decimal, currency: str) -> str:
    """Give minor units in major ones, with exactly the currency's digits."""
    digits = exponent(currency)
    return f"{minor.scaleb(-digits).quantize(Decimal(1).scaleb(-digits)):f}"
