"""How much money two versions of one run differ by: which accounts of which entities its records move otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from itertools import zip_longest

from hub.engine.values import lenient
from hub.model.flow_steps import parts_of
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
    """Give by currency how much a run differs; raises `FixData` when an amount of a record cannot be read.

    Of records beside each other the one counts that differs most, because they tell of the same money. The items of a
    loop are documents of their own and add up; a loop then stands beside the others.
    """
    # Where one version ends before it knows, the other says whose money it is.
    books = _Books(
        meaning=meaning,
        entity=(after.entity or before.entity, before.entity or after.entity),
        currency=(after.currency or before.currency, before.currency or after.currency),
    )
    return _of_lane(records, 0, books)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Books:
    """How the records of two versions are read, of each the newer version first."""

    meaning: Meaning
    entity: tuple[str, str]
    currency: tuple[str | None, str | None]


def _of_lane(records: Sequence[RecordPair], depth: int, books: _Books) -> dict[str, Movement]:
    """Give the movements of the records of one lane, of whose paths `depth` items are around all of them."""
    found: dict[str, Movement] = {}
    loops: dict[str, dict[str, list[RecordPair]]] = {}
    for pair in records:
        items = _items(pair.path)
        if len(items) > depth:
            item = items[depth]
            loops.setdefault(_loop(item), {}).setdefault(item, []).append(pair)
        else:
            _widen(found, _of_record(pair, books))
    for items_of in loops.values():
        total: dict[str, Movement] = {}
        for own in items_of.values():
            for code, movement in _of_lane(own, depth + 1, books).items():
                total[code] = _added(total[code], movement) if code in total else movement
        _widen(found, total)
    return found


def _of_record(pair: RecordPair, books: _Books) -> dict[str, Movement]:
    new, name = _postings(pair.after, books.meaning, books.entity[0], books.currency[0])
    old, old_name = _postings(pair.before, books.meaning, books.entity[1], books.currency[1])
    rules = [_differing(one, other) for one, other in zip_longest(old, new, fillvalue=_NO_POSTINGS)]
    lines = _differing(summed(old), summed(new))
    return {
        code: Movement(
            currency=code,
            amount=max(_moved(rule, code) for rule in rules),
            lines={account: line for account, line in lines.items() if account.currency == code},
            name=name or old_name,
        )
        for code in dict.fromkeys(account.currency for rule in rules for account in rule)
    }


def _widen(found: dict[str, Movement], more: Mapping[str, Movement]) -> None:
    """Take over what is more than is known."""
    for code, movement in more.items():
        known = found.get(code)
        # Of records that differ alike the one with more accounts says more, and of those the last is nearest to
        # the books.
        if known is None:
            found[code] = movement
        elif (movement.amount, len(movement.lines)) >= (known.amount, len(known.lines)):
            found[code] = replace(movement, name=movement.name or known.name)


def _added(one: Movement, other: Movement) -> Movement:
    """Add what two items move."""
    lines = dict(one.lines)
    for account, (before, after) in other.lines.items():
        known = lines.get(account, (NOTHING, NOTHING))
        lines[account] = (EXACT.add(known[0], before), EXACT.add(known[1], after))
    amount = EXACT.add(one.amount, other.amount)
    return Movement(currency=one.currency, amount=amount, lines=lines, name=one.name or other.name)


def _loop(item: str) -> str:
    """Give the loop that an item belongs to."""
    *around, last = parts_of(item)
    return ".".join([*around, last.partition("[")[0]])


def _items(path: str) -> list[str]:
    """Give the items that a path stands within, or is, the outermost first."""
    found = []
    whole = ""
    for part in parts_of(path):
        whole += part
        if "[" in part:
            found.append(whole)
        whole += "."
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
