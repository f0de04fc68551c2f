"""A small language of patterns for dates: letters stand for parts of a moment, everything else for itself.

Every part has a fixed, small number of characters and stands at most once, so that no text takes long to be read.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from types import MappingProxyType

from hub.expressions.errors import InvalidValue

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_SHORT = tuple(month[:3] for month in _MONTHS)
_HALVES = ("AM", "PM")
_MOST_CHARACTERS = 64
_VARYING = {r"\d{1,2}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Letters:
    """What a run of letters stands for: how it is written and read, and which part of a moment it is."""

    part: str
    expression: str
    write: Callable[[dt.datetime], str]
    names: tuple[str, ...] = ()

    def read(self, text: str) -> int:
        """Give the number that stands there; of a name, its place from 1."""
        return [name.lower() for name in self.names].index(text.lower()) + 1 if self.names else int(text)


def _hour(moment: dt.datetime) -> int:
    return (moment.hour - 1) % 12 + 1


_LETTERS: Mapping[str, _Letters] = MappingProxyType(
    {
        "yyyy": _Letters(part="year", expression=r"\d{4}", write=lambda moment: f"{moment.year:04}"),
        "yy": _Letters(part="short year", expression=r"\d{2}", write=lambda moment: f"{moment.year % 100:02}"),
        "MMMM": _Letters(
            part="month",
            expression="|".join(_MONTHS),
            write=lambda moment: _MONTHS[moment.month - 1],
            names=_MONTHS,
        ),
        "MMM": _Letters(
            part="month",
            expression="|".join(_SHORT),
            write=lambda moment: _SHORT[moment.month - 1],
            names=_SHORT,
        ),
        "MM": _Letters(part="month", expression=r"\d{2}", write=lambda moment: f"{moment.month:02}"),
        "M": _Letters(part="month", expression=r"\d{1,2}", write=lambda moment: str(moment.month)),
        "dd": _Letters(part="day", expression=r"\d{2}", write=lambda moment: f"{moment.day:02}"),
        "d": _Letters(part="day", expression=r"\d{1,2}", write=lambda moment: str(moment.day)),
        "HH": _Letters(part="hour", expression=r"\d{2}", write=lambda moment: f"{moment.hour:02}"),
        "H": _Letters(part="hour", expression=r"\d{1,2}", write=lambda moment: str(moment.hour)),
        "hh": _Letters(part="hour of half", expression=r"\d{2}", write=lambda moment: f"{_hour(moment):02}"),
        "h": _Letters(part="hour of half", expression=r"\d{1,2}", write=lambda moment: str(_hour(moment))),
        "mm": _Letters(part="minute", expression=r"\d{2}", write=lambda moment: f"{moment.minute:02}"),
        "ss": _Letters(part="second", expression=r"\d{2}", write=lambda moment: f"{moment.second:02}"),
        "a": _Letters(
            part="half", expression="AM|PM", write=lambda moment: _HALVES[moment.hour // 12], names=_HALVES
        ),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A pattern that was read: its runs of letters and of other characters, and how it is recognised in a text."""

    text: str
    pieces: tuple[str | _Letters, ...]
    expression: re.Pattern[str]

    def write(self, moment: dt.datetime) -> str:
        """Write a moment by this pattern."""
        return "".join(piece if isinstance(piece, str) else piece.write(moment) for piece in self.pieces)

    def read(self, text: str) -> dt.datetime:
        """Read a moment that is written by this pattern: year, month and day at least; what is missing is 0."""
        match = self.expression.fullmatch(text)
        if match is None:
            raise InvalidValue(f"The text is not written as {self.text}.", text=text[:40])
        letters = [piece for piece in self.pieces if isinstance(piece, _Letters)]
        found = {one.part: one.read(written) for one, written in zip(letters, match.groups(), strict=True)}
        missing = [part for part in ("month", "day") if part not in found]
        missing += [] if found.keys() & {"year", "short year"} else ["year"]
        missing += ["half of the day"] if "hour of half" in found and "half" not in found else []
        if missing:
            raise InvalidValue(f"The pattern {self.text} has no {' and no '.join(missing)}.")
        try:
            return dt.datetime(  # noqa: DTZ001 - the caller says in which zone it is
                found["year"] if "year" in found else 2000 + found["short year"],
                found["month"],
                found["day"],
                _hour_of(found),
                found.get("minute", 0),
                found.get("second", 0),
            )
        except ValueError:
            raise InvalidValue("There is no such date or time.", text=text[:40]) from None


def _hour_of(found: Mapping[str, int]) -> int:
    if "hour of half" not in found:
        return found.get("hour", 0)
    hour = found["hour of half"]
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + 12 * (found["half"] - 1)


@lru_cache(maxsize=256)
def read_pattern(text: str) -> Pattern:
    """Read a pattern; letters that stand for nothing are refused, as is a part that stands twice."""
    if len(text) > _MOST_CHARACTERS:
        raise InvalidValue(f"A pattern has at most {_MOST_CHARACTERS} characters.", pattern=text[:40])
    pieces: list[str | _Letters] = []
    for character, run in groupby(text):
        word = character * len(list(run))
        letters = _LETTERS.get(word)
        # `T` between date and time is the one letter that stands for itself.
        if letters is None and word.isalpha() and word != "T":
            known = ", ".join(_LETTERS)
            raise InvalidValue(f"`{word[:20]}` stands for no part of a date; there are {known}.", pattern=text)
        pieces.append(letters or word)
    for piece, following in pairwise(pieces):
        if (
            isinstance(piece, _Letters)
            and isinstance(following, _Letters)
            and _VARYING & {piece.expression, following.expression}
        ):
            raise InvalidValue("Between numbers of varying length stands another character.", pattern=text)
    parts = [piece.part for piece in pieces if isinstance(piece, _Letters)]
    if len(parts) != len(set(parts)):
        raise InvalidValue("A part of a date stands twice in the pattern.", pattern=text)
    expression = "".join(
        re.escape(piece) if isinstance(piece, str) else f"({piece.expression})" for piece in pieces
    )  # fmt: skip
    return Pattern(text=text, pieces=tuple(pieces), expression=re.compile(expression, re.ASCII | re.IGNORECASE))
