"""How many people the invented company wants to agree to an invoice: said here once more, for the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

#: Currency → from which amount in minor units one person must agree, and from which two; any other needs one.
LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        **dict.fromkeys(("EUR", "USD", "GBP", "CHF"), (5_000_000, 25_000_000)),
        **dict.fromkeys(("CAD", "AUD", "SGD"), (7_500_000, 37_500_000)),
        "SEK": (50_000_000, 250_000_000),
        "JPY": (8_000_000, 40_000_000),
        "KWD": (15_000_000, 75_000_000),
    }
)


def people_needed(total: Decimal, currency: str) -> int:
    """Tell how many people must agree to an invoice, by what the company wants and not by what its policy says."""
    limits = LIMITS.get(currency)
    return 1 if limits is None else sum(abs(total) >= limit for limit in limits)
