"""Which payment or credit settles how much of which invoice."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from connectors.netsuite.sandbox.amounts import ZERO


class Applications:
    """Applied amounts, seen from the invoice and from the payment or credit."""

    def __init__(self) -> None:
        """Start empty."""
        self._by_invoice: dict[str, dict[str, Decimal]] = {}
        self._by_source: dict[str, dict[str, Decimal]] = {}

    def to_invoice(self, invoice: str) -> Mapping[str, Decimal]:
        """Give what is applied to an invoice, by payment or credit."""
        return self._by_invoice.get(invoice, {})

    def paid(self, invoice: str, *, without: str | None = None) -> Decimal:
        """Sum what is applied to an invoice, leaving one source out when asked."""
        return sum((amount for source, amount in self.to_invoice(invoice).items() if source != without), ZERO)

    def from_source(self, source: str) -> Mapping[str, Decimal]:
        """Give what a payment or credit is applied to, by invoice."""
        return self._by_source.get(source, {})

    def applied(self, source: str) -> Decimal:
        """Sum what a payment or credit settles."""
        return sum(self.from_source(source).values(), ZERO)

    def replace(self, source: str, amounts: Mapping[str, Decimal]) -> None:
        """Set everything a payment or credit is applied to."""
        for invoice in self.from_source(source):
            del self._by_invoice[invoice][source]
        self._by_source[source] = dict(amounts)
        for invoice, amount in amounts.items():
            self._by_invoice.setdefault(invoice, {})[source] = amount
