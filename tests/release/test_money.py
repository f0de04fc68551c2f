"""By how much one run differs: what comes or goes, counted once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hub.release.comparison import RecordPair
from hub.release.money import Meaning, Movement, Side, movements
from hub.release.trace import Made
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle

_SCHEMA = b"""{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {"total": {"type": "number"}, "lines": {"type": "array"}},
  "x-postings": [
    {"account": "receivable", "amount": "total"},
    {"account": "=item", "each": "lines", "amount": "amount"}
  ]
}"""


def bundle() -> Bundle:
    found, lints = compile_bundle({"schemas/shop.bill@1.json": _SCHEMA}, Catalogue())
    assert found is not None, lints
    return found


BUNDLE = bundle()


def bill(*lines: tuple[str, int]) -> dict[str, Any]:
    return {
        "total": sum(cents for _, cents in lines) / Decimal(100),
        "lines": [{"item": item, "amount": Decimal(cents) / 100} for item, cents in lines],
    }


def moved(before: dict[str, Any], after: dict[str, Any], copies: int = 1) -> Movement | None:
    pairs = [RecordPair(path="post", role="input", before=made(before), after=made(after)) for _ in range(copies)]
    side = Side(None)
    object.__setattr__(side, "currency", "EUR")
    return movements(pairs, Meaning(BUNDLE, BUNDLE), side, side).get("EUR")


def made(record: dict[str, Any]) -> Made:
    return Made(role="input", schema="shop.bill@1", value=record)


def test_a_total_in_several_records_and_lines_counts_once() -> None:
    found = moved(bill(("a", 100)), bill(("a", 101)), copies=3)
    assert found is not None
    assert found.amount == Decimal("0.01")
    assert {account.account for account in found.lines} == {"receivable", "a"}


def test_all_that_goes_between_accounts_counts() -> None:
    """Ten lines of ten cents, each booked elsewhere: a hundred cents, although no account differs by more than ten."""
    old = bill(*((f"old {number}", 10) for number in range(10)))
    new = bill(*((f"new {number}", 10) for number in range(10)))
    found = moved(old, new)
    assert found is not None
    assert found.amount == Decimal("1.00")


_LINES = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-10_000, 10_000)), max_size=5)


@given(_LINES, _LINES)
def test_it_is_the_same_both_ways_and_nothing_only_between_equals(
    one: list[tuple[str, int]], other: list[tuple[str, int]]
) -> None:
    there, back = moved(bill(*one), bill(*other)), moved(bill(*other), bill(*one))
    assert (there.amount if there else 0) == (back.amount if back else 0)
    assert moved(bill(*one), bill(*one)) is None
    if there is not None:
        assert there.amount >= max((abs(new - old) for old, new in there.lines.values()), default=Decimal(0))


def pair(path: str, before: int, after: int) -> RecordPair:
    records = [None if cents == 0 else made(bill(("a", cents))) for cents in (before, after)]
    return RecordPair(path=path, role="input", before=records[0], after=records[1])


def amount(*pairs: RecordPair) -> Decimal:
    side = Side(None)
    object.__setattr__(side, "currency", "EUR")
    found = movements(list(pairs), Meaning(BUNDLE, BUNDLE), side, side).get("EUR")
    return Decimal(0) if found is None else found.amount


def test_items_of_a_loop_add_up_and_their_records_count_once_each() -> None:
    items = [pair(f"lines[{number}].{step}", 100, 101) for number in range(5) for step in ("post", "note")]
    assert amount(*items) == Decimal("0.05")
    # Two loops over the same lines tell of the same money, and so does the document around them.
    again = [pair(f"notes[{number}]", 100, 101) for number in range(5)]
    assert amount(*items, *again) == Decimal("0.05")
    assert amount(*items, *again, pair("total", 500, 507)) == Decimal("0.07")
    assert amount(*items, *again, pair("total", 500, 503)) == Decimal("0.05")


def test_loops_within_items_add_up_within_them() -> None:
    inner = [pair(f"bills[{bill}].lines[{line}].post", 100, 101) for bill in range(3) for line in range(4)]
    assert amount(*inner) == Decimal("0.12")
    whole = [pair(f"bills[{number}].total", 400, 410) for number in range(3)]
    assert amount(*inner, *whole) == Decimal("0.30")


def test_names_of_items_may_have_dots() -> None:
    assert amount(pair("lines[a.b].post", 100, 101), pair("lines[a.c].post", 100, 101)) == Decimal("0.02")
    assert amount(pair("way.lines[a.b].post", 100, 101), pair("way.post", 100, 101)) == Decimal("0.01")
