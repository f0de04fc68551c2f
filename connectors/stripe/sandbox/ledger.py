"""The double-entry ledger behind the balance: what every balance transaction takes from one side and gives another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: What Stripe owes the merchant, and who stands against it.
BALANCE, FEES = "balance", "stripe_fees"
PAYERS, ISSUERS, BANK, HELD = "payers", "issuers", "bank", "held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One side of a balance transaction: a credit of its ledger account is positive, in minor units."""

    transaction: str
    ledger_account: str
    currency: str
    amount: int


class Ledger:
    """All entries in the order they were made; those of one balance transaction always sum to nothing."""

    def __init__(self) -> None:
        """Start with nothing booked."""
        self.entries: list[Entry] = []

    def post(self, transaction: str, currency: str, sides: Mapping[str, int]) -> None:
        """Book one balance transaction; sides that do not sum to nothing raise `ValueError`."""
        if sum(sides.values()):
            raise ValueError(f"{transaction}: the sides {dict(sides)} do not sum to nothing")
        for ledger_account, amount in sides.items():
            if not amount:
                continue
            self.entries.append(
                Entry(transaction=transaction, ledger_account=ledger_account, currency=currency, amount=amount)
            )

    def totals(self) -> dict[str, dict[str, int]]:
        """Give what stands on each ledger account, by currency."""
        sums: dict[str, dict[str, int]] = {}
        for entry in self.entries:
            of = sums.setdefault(entry.ledger_account, {})
            of[entry.currency] = of.get(entry.currency, 0) + entry.amount
        return sums
