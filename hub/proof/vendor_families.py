"""Which invoice or payout of Stripe everything hangs on: events, payments, documents in other books, effects."""

from __future__ import annotations

from collections.abc import Mapping

from hub.proof.evidence import NOBODY
from hub.proof.vendor_documents import Books


class Families:
    """Finds the Stripe invoice or payout that a thing hangs on."""

    def __init__(self, books: Books, effects: Mapping[str, str]) -> None:
        """Index all names once; `effects` is the key of an effect → its business key."""
        self._subjects = books.subjects
        self._invoices = {invoice.id for invoice in books.stripe}
        self._by_number = {invoice.number: invoice.id for invoice in books.stripe}
        self._by_payment = {payment.id: invoice.id for invoice in books.stripe for payment in invoice.payments}
        self._credits = books.credits.of_invoice()
        self._by_number |= books.credits.codes()
        self._payouts = {**books.payouts.names, **books.sap.payouts.names}
        # Marks and keys of writes lead to the same.
        self._marks = books.sap.writes
        self._customers = {**books.crm.families, **books.customers.owners}
        self._effects = effects

    def of_object(self, name: str) -> str:
        """Find by an id of Stripe: of an invoice, a payment, a credit note, a refund, a payout or a customer."""
        if name in self._invoices:
            return name
        found = self._by_payment.get(name) or self._credits.get(name) or self._payouts.get(name)
        return found or self._customers.get(name, NOBODY)

    def of_event(self, event: str) -> str:
        """Find by Stripe's id of an event."""
        return self.of_object(self._subjects.get(event, ""))

    def of_number(self, number: str) -> str:
        """Find by an invoice's number."""
        return self._by_number.get(number, NOBODY)

    def of_write(self, marker: str) -> str:
        """Find by what a vendor could tell of a write: an id, a number, or the key of an effect."""
        key = self._effects.get(self._marks.get(marker, marker.removeprefix("concord:")))
        if key is not None:
            return self.of_business_key(key)
        found = self.of_object(marker)
        return found if found != NOBODY else self.of_number(marker)

    def named(self, effect: str) -> str:
        """Give Stripe's id of what a write was about by the write's key; nothing for one that nobody knows."""
        parts = self._effects.get(effect, "").split(":")
        return parts[1] if len(parts) > 1 else ""

    def of_business_key(self, key: str) -> str:
        """Find by the business key of a run or an effect, such as `stripe:in_1`."""
        parts = key.split(":")
        return self.of_object(parts[1]) if len(parts) > 1 else NOBODY
