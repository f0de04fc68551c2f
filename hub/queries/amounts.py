"""Money as people read it: major units with their currency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from hub.errors import FixData
from hub.model.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """An amount in major units with exactly the currency's digits (12.34 EUR, 1500 JPY, 1.250 KWD)."""

    value: Decimal
    currency: str


def amount(minor: int | None, currency: str | None) -> Amount | None:
    """Give a stored amount for showing; None when there is none.

    A currency that is not in ISO 4217 has no known digits, so its minor units are shown and said to be such.
    """
    if minor is None or currency is None:
        return None
    try:
        money = Money(minor=minor, currency=currency)
    except FixData:
        return Amount(value=Decimal(minor), currency=f"{currency} minor units")
    return Amount(value=money.major, currency=currency)


def sums(pairs: Iterable[tuple[int | None, str | None]]) -> tuple[Amount, ...]:
    """Add up stored amounts by currency, by code; currencies are never added to each other."""
    totals: dict[str, int] = {}
    for minor, currency in pairs:
        if minor is not None and currency is not None:
            totals[currency] = totals.get(currency, 0) + minor
    found = (amount(minor, currency) for currency, minor in sorted(totals.items()))
    return tuple(item for item in found if item is not None)
