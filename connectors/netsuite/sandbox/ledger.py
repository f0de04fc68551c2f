"""The general ledger: what each transaction posts, in balance in its own currency and in that of the books."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from connectors.netsuite.sandbox.amounts import ZERO, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One line of GL impact: a positive amount is a debit, a negative one a credit, in major units.

    `base` is the same in the subsidiary's currency, None until it is computed. `line` is the transaction's line (0 for
    the document as a whole), `entity` the customer whose account it moves.
    """

    account: str
    amount: Decimal
    base: Decimal | None = None
    line: int = 0
    entity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """All that one transaction posts; `currency` is the ISO code of the amounts, `base_currency` that of `base`."""

    currency: str
    base_currency: str
    subsidiary: str
    postings: tuple[Posting, ...]


class Unbalanced(Exception):
    """The postings of a transaction do not add up to zero."""


def in_base(postings: Iterable[Posting], rate: Decimal, precision: int, rounding_account: str) -> list[Posting]:
    """Give the postings with their amounts in the books' currency.

    Each line is rounded by itself; what the lines then lack together is posted to `rounding_account`.
    """
    lines = [
        posting if posting.base is not None else replace(posting, base=rounded(posting.amount * rate, precision))
        for posting in postings
    ]
    lacking = sum((line.base or ZERO for line in lines), ZERO)
    if lacking:
        following = max(line.line for line in lines) + 1
        lines.append(Posting(account=rounding_account, amount=ZERO, base=-lacking, line=following))
    return lines


class Ledger:
    """Holds the GL impact of every transaction as it stands now."""

    def __init__(self) -> None:
        """Start empty."""
        self._impacts: dict[str, Impact] = {}

    def post(
        self, transaction: str, postings: Sequence[Posting], *, currency: str, base_currency: str, subsidiary: str
    ) -> None:
        """Replace a transaction's impact; the postings have their `base`."""
        lines = tuple(posting for posting in postings if posting.amount or posting.base)
        for sums in ((line.amount for line in lines), (line.base or ZERO for line in lines)):
            if sum(sums, ZERO) != 0:
                raise Unbalanced(f"{transaction}: {lines}")
        self._impacts[transaction] = Impact(
            currency=currency, base_currency=base_currency, subsidiary=subsidiary, postings=lines
        )

    def remove(self, transaction: str) -> None:
        """Take a deleted transaction's impact away."""
        self._impacts.pop(transaction, None)

    def of(self, transaction: str) -> tuple[Posting, ...]:
        """Give a transaction's impact."""
        impact = self._impacts.get(transaction)
        return impact.postings if impact is not None else ()

    def all(self) -> Iterator[tuple[str, Impact]]:
        """Go through all transactions with what they post."""
        return iter(self._impacts.items())

    def balances(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Give each account's balance (debit positive) by currency and account id."""
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for impact in self._impacts.values():
            for posting in impact.postings:
                if posting.amount:
                    sums[impact.currency][posting.account] += posting.amount
        return {currency: dict(accounts) for currency, accounts in sums.items()}

    def base_balances(self) -> Mapping[str, Mapping[str, Decimal]]:
        """Give each account's balance (debit positive) in the books' currency by subsidiary and account id."""
        sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(lambda: ZERO))
        for impact in self._impacts.values():
            for posting in impact.postings:
                sums[impact.subsidiary][posting.account] += posting.base or ZERO
        return {subsidiary: dict(accounts) for subsidiary, accounts in sums.items()}

    def owed(self, customer: str, accounts: frozenset[str]) -> Mapping[str, Decimal]:
        """Give what these accounts say that a customer owes, by currency."""
        sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for impact in self._impacts.values():
            for posting in impact.postings:
                if posting.entity == customer and posting.account in accounts and posting.amount:
                    sums[impact.currency] += posting.amount
        return dict(sums)
