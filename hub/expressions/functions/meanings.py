"""The words of a function's declaration: which kind of value each stands for, and what is known of such a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from hub.expressions.functions.named import (
    known_currency,
    named_digest,
    named_part,
    named_period,
    named_rounding,
    places,
    zone,
)
from hub.expressions.functions.patterns import read_pattern
from hub.model.kinds import Kind
from hub.schemas.shape import ANYTHING, Shape, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """One word: `spoken` in a sentence, and `shape` of what a function gives that declares it.

    A parameter that declares it refuses numbers of other `units` and texts of other `formats` where the schema tells
    them, takes `money` only where it says so, and lets `check` refuse a literal when the expression is compiled.
    """

    kind: Kind
    shape: Shape
    spoken: str
    units: frozenset[Unit] | None = None
    formats: frozenset[str] | None = None
    money: bool = False
    check: Callable[[Any], object] | None = None


def money_shape(currencies: tuple[Any, ...] | None = None) -> Shape:
    """Give the shape of money, `{minor, currency}`; `currencies` are the only ones it may have, None for any."""
    return Shape(
        kinds=frozenset({Kind.OBJECT}),
        fields={
            "minor": Shape(kinds=frozenset({Kind.NUMBER}), whole=True, unit=Unit.MINOR),
            "currency": Shape(kinds=frozenset({Kind.STRING}), values=currencies),
        },
        required=frozenset({"minor", "currency"}),
    )


def _plain(kind: Kind, article: str) -> Meaning:
    rest = ANYTHING if kind is Kind.OBJECT else None
    return Meaning(kind=kind, shape=Shape(kinds=frozenset({kind}), rest=rest), spoken=f"{article}{kind}")


def _number(
    spoken: str, *, unit: Unit | None = None, whole: bool = False, check: Callable[[Any], object] | None = None
) -> Meaning:
    """Describe a number that counts something; where it counts no unit, amounts and seconds are refused."""
    return Meaning(
        kind=Kind.NUMBER,
        shape=Shape(kinds=frozenset({Kind.NUMBER}), unit=unit, whole=whole),
        spoken=spoken,
        units=frozenset({unit}) if unit else frozenset(),
        check=check,
    )


def _text(
    spoken: str, form: str | None = None, *, also: frozenset[str] = frozenset(), check: Callable[[Any], object] | None
) -> Meaning:
    """Describe a text of a format, or one that names something."""
    return Meaning(
        kind=Kind.STRING,
        shape=Shape(kinds=frozenset({Kind.STRING}), format=form),
        spoken=spoken,
        formats=None if form is None else also | {form},
        check=check,
    )


#: What each word means.
MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "null": _plain(Kind.NULL, ""),
        "boolean": _plain(Kind.BOOLEAN, "a "),
        "number": _plain(Kind.NUMBER, "a "),
        "string": _plain(Kind.STRING, "a "),
        "array": _plain(Kind.ARRAY, "an "),
        "object": _plain(Kind.OBJECT, "an "),
        "integer": _number("a whole number", whole=True),
        "digits": _number("a number of digits", whole=True, check=places),
        "minor": _number("minor units", unit=Unit.MINOR, whole=True),
        "major": _number("major units", unit=Unit.MAJOR),
        "seconds": _number("seconds since 1970", unit=Unit.UNIX_SECONDS, whole=True),
        "money": Meaning(kind=Kind.OBJECT, shape=money_shape(), spoken="money", money=True),
        "date": _text("a date", "date", check=None),
        "moment": _text("a moment", "date-time", also=frozenset({"date"}), check=None),
        "currency": _text("a currency", check=known_currency),
        "zone": _text("a time zone", check=zone),
        "rounding": _text("a rounding mode", check=named_rounding),
        "period": _text("a period", check=named_period),
        "part": _text("a part of a date", check=named_part),
        "pattern": _text("a pattern", check=read_pattern),
        "digest": _text("a digest", check=named_digest),
    }
)
