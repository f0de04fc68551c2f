"""The general ledger: what each transaction posts, debits equal to credits, in the transaction's currency."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from connectors.netsuite.sandbox.amounts import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line of GL impact: a positive amount is a debit, a negative one a credit, in major units."""

    account: str
    amount: Decimal


class Unbalanced(Exception):
    """The postings of a transaction do not add up to zero."""


class Ledger:
    """Holds the GL impact of every transaction as it stands now."""

    def __init__(self) -> None:
        """Start empty."""
        self._postings: dict[str, tuple[str, tuple[Posting, ...]]] = {}

    def post(self, transaction: str, currency: str, postings: Iterable[Posting]) -> None:
        """Replace a transaction's impact; `currency` is the ISO code."""
        lines = tuple(posting for posting in postings if posting.amount != 0)
        if sum((posting.amount for posting in lines), ZERO) != 0:
            raise Unbalanced(f"{transaction}: {lines}")
        self._postings[transaction] = (currency, lines)

    def remove(self, transaction: str) -> None:
        """Take a deleted transaction's impact away."""
        self._postings.pop(transaction, None)

    def of(self, transaction: str) -> tuple[Posting, ...]:
        """Give a transaction's impact."""
        return self._postings.get(transaction, ("", ()))[1]

    def balances(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Give each account's balance (debit positive) by currency and account id."""
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for currency, lines in self._postings.values():
            for posting in lines:
                sums[currency][posting.account] += posting.amount
        return {currency: dict(accounts) for currency, accounts in sums.items()}
