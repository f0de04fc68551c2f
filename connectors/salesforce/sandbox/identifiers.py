"""Record ids: three characters for the object, twelve for the record, and three that tell capitals apart."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_LETTERS = frozenset(_DIGITS)


def long_id(short: str) -> str:
    """Give the 18 characters of a 15-character id: the last three say which of the others are capitals."""
    return short + _check(short[:5]) + _check(short[5:10]) + _check(short[10:])


@lru_cache(maxsize=65_536)
def _check(chunk: str) -> str:
    """Give the letter for five of an id's characters; ids that follow each other share most of them."""
    return _CHECK[sum(1 << place for place, letter in enumerate(chunk) if "A" <= letter <= "Z")]


def read_id(text: object) -> str | None:
    """Give the 18-character form of an id in either form; None for what is none, or has a wrong checksum.

    A 15-character id tells capitals apart. In an 18-character one they may be lost: the checksum brings them back.
    """
    if not isinstance(text, str) or len(text) not in (15, 18) or not _LETTERS.issuperset(text):
        return None
    if len(text) == 15:
        return long_id(text)
    if long_id(text[:15]) == text:
        return text
    mended = _with_capitals(text)
    return mended if mended is not None and long_id(mended[:15]) == mended else None


def _with_capitals(text: str) -> str | None:
    letters = []
    for chunk, mark in enumerate(text[15:].upper()):
        bits = _CHECK.find(mark)
        if bits < 0:
            return None
        for place, letter in enumerate(text[chunk * 5 : chunk * 5 + 5]):
            letters.append(letter.upper() if bits >> place & 1 else letter.lower())
    return "".join(letters) + text[15:].upper()


def digits(number: int, width: int) -> str:
    """Write a number in base 62."""
    letters = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        letters.append(_DIGITS[rest])
    return "".join(reversed(letters))


class Ids:
    """Gives out ids, for each key prefix its own row of numbers; `pod` are the two characters of the instance."""

    def __init__(self, seed: int) -> None:
        """Begin at one; orgs of another seed have other ids."""
        self._pod = digits(seed % 3844, 2)
        self._last: Counter[str] = Counter()

    def next(self, prefix: str) -> str:
        """Give the next 18-character id of a prefix."""
        self._last[prefix] += 1
        return long_id(f"{prefix}{self._pod}0{digits(self._last[prefix], 9)}")
