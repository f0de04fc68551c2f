"""Which invoice everything belongs to: events, payments, documents in other books, effects."""

from __future__ import annotations

from hub.proof.evidence import Evidence, Run, Write

#: Nothing is known to belong to this invoice; what does not belong anywhere is found under it.
NOBODY = "no invoice of Stripe"


class Families:
    """Finds the Stripe invoice that a thing hangs on."""

    def __init__(self, evidence: Evidence) -> None:
        """Index all names once."""
        self._subjects = evidence.subjects
        self._invoices = {invoice.id for invoice in evidence.stripe}
        self._by_number = {invoice.number: invoice.id for invoice in evidence.stripe}
        self._by_payment = {payment.id: invoice.id for invoice in evidence.stripe for payment in invoice.payments}
        self._by_effect = {effect.key: effect.business_key for effect in evidence.hub.effects}

    def of_object(self, name: str) -> str:
        """Find by an id of Stripe: an invoice's or a payment's."""
        return name if name in self._invoices else self._by_payment.get(name, NOBODY)

    def of_event(self, event: str) -> str:
        """Find by Stripe's id of an event."""
        return self.of_object(self._subjects.get(event, ""))

    def of_number(self, number: str) -> str:
        """Find by an invoice's number."""
        return self._by_number.get(number, NOBODY)

    def of_run(self, run: Run) -> str:
        """Find by a run's business key, such as `stripe:in_1`."""
        return self._of_business_key(run.business_key)

    def of_write(self, write: Write) -> str:
        """Find by what a vendor could tell of a write: an id, a number, or the key of an effect."""
        key = self._by_effect.get(write.marker.removeprefix("concord:"))
        if key is not None:
            return self._of_business_key(key)
        found = self.of_object(write.marker)
        return found if found != NOBODY else self.of_number(write.marker)

    def _of_business_key(self, key: str) -> str:
        parts = key.split(":")
        return self.of_object(parts[1]) if len(parts) > 1 else NOBODY
