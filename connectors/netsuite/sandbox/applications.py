"""Which payment, credit or refund settles how much of which document."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from connectors.netsuite.sandbox.amounts import ZERO


class Applications:
    """Applied amounts, seen from what is settled and from what settles it.

    Payments, credit memos and applications of deposits settle invoices and journals; a refund settles what it pays out:
    credit memos, payments and deposits. A document is named by `open_amounts.place`.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._by_target: dict[str, dict[str, Decimal]] = {}
        self._by_source: dict[str, dict[str, Decimal]] = {}

    def to(self, target: str) -> Mapping[str, Decimal]:
        """Give what is applied to a document, by what settles it."""
        return self._by_target.get(target, {})

    def paid(self, target: str, *, without: str | None = None) -> Decimal:
        """Sum what is applied to a document, leaving one source out when asked."""
        return sum((amount for source, amount in self.to(target).items() if source != without), ZERO)

    def from_source(self, source: str) -> Mapping[str, Decimal]:
        """Give what a payment, credit or refund is applied to."""
        return self._by_source.get(source, {})

    def applied(self, source: str) -> Decimal:
        """Sum what a payment, credit or refund settles."""
        return sum(self.from_source(source).values(), ZERO)

    def replace(self, source: str, amounts: Mapping[str, Decimal]) -> None:
        """Set everything a payment, credit or refund is applied to."""
        for target in self.from_source(source):
            del self._by_target[target][source]
        self._by_source[source] = dict(amounts)
        for target, amount in amounts.items():
            self._by_target.setdefault(target, {})[source] = amount
