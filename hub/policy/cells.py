"""The values of a subject, cut into cells: within a cell every test of it comes out alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal, localcontext
from itertools import pairwise
from typing import Any

from hub.model.kinds import NUMBER_TYPES, Kind, kind_of
from hub.policy.formula import Test
from hub.schemas.shape import Shape

#: Representatives of what no literal names, the more usual first.
_OTHERS: tuple[Any, ...] = ("other", 1, True, None, False, "", ["other"], {"other": 0}, [], {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Values that all tests take alike: one of them, and how each test (in the order given) comes out."""

    value: Any
    passes: tuple[bool, ...]


def cells(tests: Sequence[Test], shape: Shape | None) -> list[Cell]:
    """Cut all values of the tests' one subject, or all that fit its shape, into cells."""
    found: dict[tuple[bool, ...], Cell] = {}
    literals = [literal for test in tests for literal in test.literals]
    for value in _candidates(literals, shape):
        if shape is None or _fits(shape, value):
            passes = tuple(test(value) for test in tests)
            found.setdefault(passes, Cell(value=value, passes=passes))
    return list(found.values())


def _candidates(literals: Sequence[Any], shape: Shape | None) -> Iterator[Any]:
    """Give at least one value of every cell there can be."""
    if shape is not None and shape.values is not None:
        yield from shape.values
        yield None
        return
    yield from literals
    yield from _numbers({each for each in literals if type(each) in NUMBER_TYPES})
    texts = sorted({each for each in literals if isinstance(each, str)})
    dated = shape is not None and shape.format == "date" and all(_day(text) for text in texts)
    yield from _dates(texts) if dated else _texts(texts)
    yield from (other for other in _OTHERS if not (dated and isinstance(other, str)))
    # Lists and objects are only ever compared whole, so that one which equals no literal stands for all the others.
    yield ["other"] * (1 + max((len(each) for each in literals if isinstance(each, list)), default=0))
    largest = max((len(each) for each in literals if isinstance(each, dict)), default=0)
    yield {f"other {index}": 0 for index in range(largest + 1)}


def _numbers(known: Iterable[Any]) -> Iterator[Any]:
    ordered = sorted(known)
    if not ordered:
        return
    with localcontext() as context:
        # Enough for what lies between two literals of any length.
        context.prec = 50 + 2 * max(map(_length, ordered))
        yield _floor(ordered[-1]) + 1
        yield _floor(ordered[0]) - 1
        for low, high in pairwise(ordered):
            above = _floor(low) + 1
            yield above if above < high else (Decimal(low) + Decimal(high)) / 2


def _length(number: Any) -> int:
    return len(str(number))


def _floor(number: Any) -> int:
    return int(Decimal(number).to_integral_value(ROUND_FLOOR))


def _texts(ordered: Sequence[str]) -> Iterator[str]:
    if not ordered:
        return
    yield _first_between(ordered[-1], None)
    for low, high in pairwise(ordered):
        yield _first_between(low, high)
    lowest = ordered[0]
    below = (_shifted(lowest, -1), lowest[:-1], "0", " ", "\x00")
    yield from (text for text in below if text and text < lowest)


def _first_between(low: str, high: str | None) -> str:
    """Give a text above one and below another, a likely one where there is one; the higher one when there is none."""
    tries = (_shifted(low, 1), f"{low} and more", f"{low} ", f"{low}\x00")
    return next((text for text in tries if text > low and (high is None or text < high)), high or low)


def _dates(ordered: Sequence[str]) -> Iterator[str]:
    yield "2026-01-15"
    for text in ordered:
        yield _shifted(text, 1)
        yield _shifted(text, -1)


def _shifted(text: str, days: int) -> str:
    """Give a neighbouring date, or nothing when the text is none."""
    day = _day(text)
    try:
        return "" if day is None else (day + timedelta(days=days)).isoformat()
    except OverflowError:
        return ""


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-15") and text[4] == text[7] == "-" else None
    except ValueError:
        return None


def _fits(shape: Shape, value: Any) -> bool:
    kind = kind_of(value)
    if kind not in shape.kinds:
        return False
    if kind is Kind.NULL:
        return True
    if shape.values is not None and value not in shape.values:
        return False
    return not (kind is Kind.NUMBER and shape.whole and value != int(value))
