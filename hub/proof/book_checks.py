"""What must hold between the books: nothing twice, all the same, nothing lost, every exception explained."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from hub.proof.evidence import Document, Evidence, OneOf, Wanted
from hub.proof.invariants import Finding, Invariant

Called = tuple[str, str, str]


def nothing_twice(evidence: Evidence) -> Iterator[Finding]:
    """No two documents of a kind stand for one thing."""
    counted = Counter(document.called for document in evidence.documents)
    families = {document.called: document.family for document in evidence.documents}
    for called, number in sorted(counted.items()):
        if number > 1:
            _, kind, name = called
            detail = f"{number} times {kind} {name}"
            yield Finding(invariant=Invariant.NOTHING_TWICE, family=families[called], detail=detail)


def surplus(evidence: Evidence) -> int:
    """Count the documents that are one too many."""
    return sum(number - 1 for number in Counter(document.called for document in evidence.documents).values())


def recorded_is_true(evidence: Evidence) -> Iterator[Finding]:
    """What the hub holds a write to have made, its target has under that id, and it is the thing that was meant."""
    there = {(document.book, document.id): document for document in evidence.documents}
    books = {document.book for document in evidence.documents}
    for effect in evidence.hub.effects:
        if effect.state != "done" or effect.output_id is None or effect.connection not in books:
            continue
        found = there.get((effect.connection, effect.output_id))
        marked = found is not None and found.marker not in {"", effect.key}
        if found is None or found.family != effect.family or marked:
            what = "which is not there" if found is None else f"which is {found.kind} {found.title or found.name}"
            yield Finding(
                invariant=Invariant.RECORDED_IS_TRUE,
                family=effect.family,
                detail=f"{effect.operation} of {effect.business_key} is said to have made {effect.connection}'s "
                f"{effect.output_id}, {what}",
            )


def books_agree(evidence: Evidence) -> Iterator[Finding]:
    """What is in two books is the same in both."""
    for family, difference in differences(evidence):
        yield Finding(invariant=Invariant.BOOKS_AGREE, family=family, detail=difference)


def differences(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Give family and difference for every document that is not as its source says, or that nobody asked for."""
    wanted = {each.called: each for each in evidence.wanted}
    for document in evidence.documents:
        asked = wanted.get(document.called)
        if asked is None:
            told = f"{document.kind} {document.title or document.name or document.id}"
            yield document.family, f"{document.book} has {told}, of which its source knows nothing"
        elif not asked.never:
            yield from ((document.family, text) for text in unlike(asked, document))


def unlike(asked: Wanted, document: Document) -> Iterator[str]:
    """Say, fact by fact, in what a document is not as its source says."""
    pairs: dict[str, tuple[object, object]] = {
        name: (fact, document.facts.get(name)) for name, fact in asked.facts.items()
    }
    if asked.money is not None:
        pairs["amount"] = (asked.money, document.money)
        pairs["currency"] = (asked.currency, document.currency)
    for name, (ours, theirs) in pairs.items():
        same = theirs in ours.values if isinstance(ours, OneOf) else ours == theirs
        if not same:
            yield f"{asked.told}: {name} is {_shown(theirs)} in {document.book}, must be {_shown(ours)}"


def _shown(fact: object) -> str:
    return "nothing" if fact is None else str(fact)


def nothing_lost(evidence: Evidence) -> Iterator[Finding]:
    """Everything that a book should hold is there."""
    for asked in lost(evidence):
        yield Finding(
            invariant=Invariant.NOTHING_LOST, family=asked.family, detail=f"{asked.told} is not in {asked.book}"
        )


def lost(evidence: Evidence) -> list[Wanted]:
    """Give everything that should be there and is not."""
    there = {document.called for document in evidence.documents}
    return [each for each in evidence.wanted if each.needed and not each.never and each.called not in there]


def exceptions_explained(evidence: Evidence) -> Iterator[Finding]:
    """The open exceptions are exactly those that must be, each for its reason, and nothing forbidden is in a book."""
    found: dict[str, list[str]] = defaultdict(list)
    for case in evidence.hub.cases:
        if case.open:
            found[case.family].append(case.reason)
    for family in sorted({*found, *evidence.expected}):
        expected = evidence.expected.get(family)
        wanted = sorted(expected.exceptions) if expected is not None else []
        perhaps = expected.perhaps if expected is not None else frozenset()
        if sorted(reason for reason in found[family] if reason not in perhaps) != wanted:
            yield Finding(
                invariant=Invariant.EXCEPTIONS_EXPLAINED,
                family=family,
                detail=f"{family} has the exceptions {sorted(found[family])}, expected {wanted}",
            )
    there = {document.called for document in evidence.documents}
    for asked in evidence.wanted:
        if asked.never and asked.called in there:
            yield Finding(
                invariant=Invariant.EXCEPTIONS_EXPLAINED,
                family=asked.family,
                detail=f"{asked.told} is in {asked.book} although it must not be",
            )


def totals(evidence: Evidence) -> dict[str, dict[str, Decimal]]:
    """Give, per currency, documents and totals wanted and found, and the sum of all differences of single documents.

    Only what moves money is counted. Differences of single documents never cancel out.
    """
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    found: dict[Called, Decimal] = defaultdict(Decimal)
    homes: dict[Called, str] = {}
    for document in evidence.documents:
        if document.money is None or document.currency is None:
            continue
        row = sums[document.currency]
        row["found"] += 1
        row["found_total"] += document.money
        found[document.called] += document.money
        homes[document.called] = document.currency
    for asked in evidence.wanted:
        if asked.money is None or asked.currency is None or asked.never or not asked.needed:
            continue
        row = sums[asked.currency]
        row["wanted"] += 1
        row["wanted_total"] += asked.money
        row["difference"] += abs(asked.money - found.pop(asked.called, Decimal(0)))
    for called, amount in found.items():
        sums[homes[called]]["difference"] += abs(amount)
    return {currency: dict(row) for currency, row in sorted(sums.items())}


def by_kind(documents: Mapping[Called, object]) -> dict[str, int]:
    """Count what has a name of its own by kind."""
    return dict(sorted(Counter(kind for _, kind, _ in documents).items()))
