"""Lints: everything that is wrong with a workspace's files, each with its place and what to write instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Severity(StrEnum):
    """An error keeps the bundle from being used; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Place(Protocol):
    """Where something stands in a file: line and column, both from 1."""

    @property
    def line(self) -> int:
        """Give the line."""
        ...

    @property
    def column(self) -> int:
        """Give the column."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place by itself."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Lint:
    """One finding: the file (relative, `/`), line and column from 1, a stable code, a sentence and a hint."""

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        """Give `file:line:column: error: message hint` on one line."""
        text = f"{self.path}:{self.line}:{self.column}: {self.severity}: {self.message} {self.hint}"
        return " ".join(text.split())


@dataclass(slots=True)
class Lints:
    """Collects the lints of one file, so that all are shown and not only the first."""

    path: str
    found: list[Lint] = field(default_factory=list)

    def error(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Add an error at a place of the file."""
        self._add(place, code, message, hint, Severity.ERROR)

    def warn(self, place: Place, code: str, message: str, hint: str = "") -> None:
        """Add a warning at a place of the file."""
        self._add(place, code, message, hint, Severity.WARNING)

    def has(self, place: Place, code: str) -> bool:
        """Tell whether this was found at this place before."""
        return any((lint.line, lint.column, lint.code) == (place.line, place.column, code) for lint in self.found)

    @property
    def failed(self) -> bool:
        """Tell whether there is an error among them."""
        return any(lint.severity is Severity.ERROR for lint in self.found)

    def _add(self, place: Place, code: str, message: str, hint: str, severity: Severity) -> None:
        self.found.append(
            Lint(
                path=self.path,
                line=place.line,
                column=place.column,
                code=code,
                message=message,
                hint=hint,
                severity=severity,
            )
        )


def close_match(word: str, words: Iterable[str]) -> list[str]:
    """Give the one name that was probably meant, or nothing."""
    return difflib.get_close_matches(word, sorted(words), n=1, cutoff=0.6)


def nearest(word: str, words: Iterable[str]) -> str:
    """Suggest the name that was probably meant, or list a few that exist; empty when there are none."""
    known = sorted(words)
    close = close_match(word, known)
    if close:
        return f"Did you mean `{close[0]}`?"
    if not known:
        return ""
    shown = ", ".join(f"`{name}`" for name in known[:12])
    return f"Known: {shown}{', …' if len(known) > 12 else ''}."


def shown(text: str, limit: int = 60) -> str:
    """Quote what stands in a file, shortened, for a message."""
    flat = " ".join(text.split())
    return f"`{flat if len(flat) <= limit else flat[: limit - 1] + '…'}`"
