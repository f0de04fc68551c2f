"""Cuts a query into words, and words what is wrong with it as Salesforce does: with the line and a caret below."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from connectors.salesforce.sandbox.refusals import Refusal

#: The longest query, in characters.
LONGEST = 100_000
_WORD = re.compile(
    r"""\s*+(?:
        (?P<text>'(?:[^'\\]|\\.)*+')
      | (?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:?\d\d))
      | (?P<day>\d{4}-\d\d-\d\d(?![\dT]))
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?(?![\w.]))
      | (?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)
      | (?P<sign><>|!=|<=|>=|[=<>(),:*])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\"}


class Sort(StrEnum):
    """What a word is."""

    TEXT = "text"
    MOMENT = "moment"
    DAY = "day"
    NUMBER = "number"
    NAME = "name"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Word:
    """One word and where it begins in the query; texts have lost their quotes."""

    sort: Sort
    text: str
    place: int

    @property
    def upper(self) -> str:
        """Give a name or sign in capitals; nothing for texts and numbers."""
        return self.text.upper() if self.sort in (Sort.NAME, Sort.SIGN) else ""


def refuse(query: str, place: int, why: str, *, code: str = "MALFORMED_QUERY") -> Refusal:
    """Give a refusal that shows the place in the query."""
    before = query[:place]
    row = before.count("\n") + 1
    column = place - (before.rfind("\n") + 1) + 1
    begin = max(0, place - 40)
    shown = query[begin : place + 40].replace("\n", " ").replace("\r", " ")
    return Refusal(code, f"\n{shown}\n{' ' * (place - begin)}^\nERROR at Row:{row}:Column:{column}\n{why}")


def words(query: str) -> list[Word]:
    """Cut a query into words, with one END behind them."""
    if len(query) > LONGEST:
        raise Refusal("MALFORMED_QUERY", f"SOQL statements cannot be longer than {LONGEST} characters.")
    found: list[Word] = []
    place, end = 0, len(query.rstrip())
    while place < end:
        match = _WORD.match(query, place)
        if match is None:
            start = place + len(query[place:]) - len(query[place:].lstrip())
            raise refuse(query, start, f"line 1:{start} no viable alternative at character '{query[start]}'")
        sort = Sort(str(match.lastgroup))
        text = match.group(sort)
        start = match.start(sort)
        if sort is Sort.TEXT:
            text = _unescaped(query, start, text[1:-1])
        found.append(Word(sort, text, start))
        place = match.end()
    found.append(Word(Sort.END, "<EOF>", end))
    return found


def _unescaped(query: str, place: int, text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        letter = match.group(1)
        if letter[0] == "u" and len(letter) == 5:
            return chr(int(letter[1:], 16))
        if letter in ("%", "_"):
            # Only LIKE knows the difference; it looks at the backslash itself.
            return f"\\{letter}"
        if letter.lower() not in _ESCAPES:
            raise refuse(query, place + 1 + match.start(), f"Illegal string literal: invalid escape \\{letter}")
        return _ESCAPES[letter.lower()]

    return _ESCAPE.sub(plain, text) if "\\" in text else text
