"""How much money two versions of one run differ by: which accounts of which entities its records move otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import zip_longest

from hub.engine.values import lenient
from hub.release.comparison import RecordPair
from hub.release.trace import Made, Trace
from hub.workspace.bundle import Bundle
from hub.workspace.checks.postings import EXACT, Account, Books, compile_books, summed

_Postings = Mapping[Account, Decimal]

NOTHING = Decimal(0)
_NO_POSTINGS: _Postings = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """By how much a run differs in one currency.

    `lines` are the accounts of the record that differs most, with what either version moves there. `amount` is what
    comes or goes there by one and the same line of its `x-postings`, whichever is more: a total that stands in several
    records, or is booked by several lines of one, counts once, and what goes from one account to another counts too.
    """

    currency: str
    amount: Decimal
    lines: Mapping[Account, tuple[Decimal, Decimal]]
    name: str | None


class Meaning:
    """The books of all schemas of two bundles; the newer one says what a record means, else the older."""

    def __init__(self, before: Bundle, after: Bundle) -> None:
        """Compile nothing yet."""
        self._bundles = (after, before)
        self._books: dict[str, Books | None] = {}

    def books(self, schema: str) -> Books | None:
        """Give how records of a schema are booked; None when nobody says."""
        if schema not in self._books:
            self._books[schema] = self._compiled(schema)
        return self._books[schema]

    def _compiled(self, schema: str) -> Books | None:
        for bundle in self._bundles:
            found = bundle.schemas.get(schema)
            if found is not None:
                return compile_books(schema, found.document, bundle.tables)
        return None


class Side:
    """One version of a run as far as money is concerned: whose books, and in which currency where none is named."""

    def __init__(self, trace: Trace | None) -> None:
        """Look at a trace; nothing is evaluated yet."""
        self._trace = trace

    @cached_property
    def entity(self) -> str:
        """Give the entity of the run, empty when it has none."""
        found = None if self._trace is None else lenient(self._trace.flow.entity, self._trace.scope)
        return "" if found is None else str(found)

    @cached_property
    def currency(self) -> str | None:
        """Give the currency of the run's money."""
        found = None if self._trace is None else lenient(self._trace.flow.money, self._trace.scope)
        code = found.get("currency") if isinstance(found, Mapping) else None
        return code if isinstance(code, str) else None


def movements(records: list[RecordPair], meaning: Meaning, before: Side, after: Side) -> dict[str, Movement]:
    """Give by currency how much a run differs; raises `FixData` when an amount of a record cannot be read."""
    # Where one version ends before it knows, the other says whose money it is.
    entity = after.entity or before.entity, before.entity or after.entity
    currency = after.currency or before.currency, before.currency or after.currency
    found: dict[str, Movement] = {}
    for pair in records:
        new, name = _postings(pair.after, meaning, entity[0], currency[0])
        old, old_name = _postings(pair.before, meaning, entity[1], currency[1])
        rules = [_differing(one, other) for one, other in zip_longest(old, new, fillvalue=_NO_POSTINGS)]
        lines = _differing(summed(old), summed(new))
        for code in dict.fromkeys(account.currency for rule in rules for account in rule):
            own = {account: line for account, line in lines.items() if account.currency == code}
            amount = max(_moved(rule, code) for rule in rules)
            known = found.get(code)
            # Of records that differ alike the one with more accounts says more, and of those the last is nearest to
            # the books.
            if known is None or (amount, len(own)) >= (known.amount, len(known.lines)):
                called = name or old_name or (known.name if known is not None else None)
                found[code] = Movement(currency=code, amount=amount, lines=own, name=called)
    return found


def difference(line: tuple[Decimal, Decimal]) -> Decimal:
    """Give what an account gets more by the newer version."""
    return EXACT.subtract(line[1], line[0])


def _postings(
    made: Made | None, meaning: Meaning, entity: str, currency: str | None
) -> tuple[Sequence[_Postings], str | None]:
    books = meaning.books(made.schema) if made is not None and made.schema is not None else None
    if made is None or books is None:
        return (), None
    return books.by_rule(made.value, entity=entity, currency=currency), books.called(made.value)


def _differing(old: _Postings, new: _Postings) -> dict[Account, tuple[Decimal, Decimal]]:
    return {
        account: (old.get(account, NOTHING), new.get(account, NOTHING))
        for account in dict.fromkeys([*new, *old])
        if old.get(account, NOTHING) != new.get(account, NOTHING)
    }


def _moved(rule: Mapping[Account, tuple[Decimal, Decimal]], currency: str) -> Decimal:
    """Give what comes to the accounts of a currency or goes from them, whichever is more."""
    comes = goes = NOTHING
    for account, line in rule.items():
        if account.currency == currency:
            change = difference(line)
            comes, goes = EXACT.add(comes, max(change, NOTHING)), EXACT.add(goes, max(-change, NOTHING))
    return max(comes, goes)
