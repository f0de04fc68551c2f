"""Cuts a query into words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from connectors.netsuite.sandbox.problems import Refusal

_WORD = re.compile(
    r"""(?:\s|--[^\n]*+)*+(?:
        (?P<text>'(?:[^']|'')*')
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.(?:[A-Za-z_][A-Za-z0-9_]*|\*))?)
      | (?P<sign><>|!=|<=|>=|\|\||[=<>(),*?/+-])
    )""",
    re.VERBOSE,
)
#: What stands between words.
_ASIDE = re.compile(r"(?:\s|--[^\n]*+)*+")


class Kind(StrEnum):
    """What a word is."""

    TEXT = "text"
    NUMBER = "number"
    NAME = "name"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a query; names keep their capitals, texts have lost their quotes."""

    kind: Kind
    text: str

    @property
    def upper(self) -> str:
        """Give a name or sign in capitals; nothing for texts, so that `'AND'` is no keyword."""
        return self.text.upper() if self.kind in (Kind.NAME, Kind.SIGN) else ""


def invalid(why: str) -> Refusal:
    """Refuse a query that cannot be understood or run."""
    return Refusal(
        f"Invalid search query. Detailed unprocessed description follows. Search error occurred: {why}.",
        code="INVALID_PARAMETER",
    )


def words(query: str) -> list[Word]:
    """Cut a query into words, with one END behind them."""
    found: list[Word] = []
    place = 0
    end = len(query.rstrip())
    while place < end:
        match = _WORD.match(query, place)
        if match is None:
            if _ASIDE.fullmatch(query, place):
                break
            raise invalid(f"Invalid or unsupported search near '{query[place : place + 20].strip()}'")
        kind = Kind(str(match.lastgroup))
        text = match.group(kind)
        found.append(Word(kind=kind, text=text[1:-1].replace("''", "'") if kind is Kind.TEXT else text))
        place = match.end()
    found.append(Word(kind=Kind.END, text="the end"))
    return found
