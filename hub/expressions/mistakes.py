"""What is wrong with a document of expressions, all of it at once, each mistake with its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.errors import FixData
from hub.expressions.errors import ExpressionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake: `where` are the keys and list indexes that lead to it in the document.

    `position` counts characters from the start of the expression that stands there, None when it is not within one.
    """

    where: tuple[str | int, ...]
    detail: str
    code: str = "invalid-document"
    position: int | None = None

    @classmethod
    def of(cls, error: ExpressionError, where: tuple[str | int, ...]) -> Mistake:
        """Take over what is wrong with the expression at this place."""
        return cls(where=where, detail=error.detail, code=error.code, position=error.position)

    def __str__(self) -> str:
        """Give the place and what is wrong there."""
        place = ".".join(map(str, self.where)) or "the document"
        character = "" if self.position is None else f", character {self.position + 1}"
        return f"{place}{character}: {self.detail}"


class InvalidDocument(FixData):
    """The document cannot be compiled; `mistakes` are all that was found."""

    code = "invalid-document"

    def __init__(self, kind: str, name: str, mistakes: Sequence[Mistake]) -> None:
        """Take the document's kind (`mapping`), its name and the mistakes, at least one."""
        super().__init__(f"The {kind} {name} cannot be compiled: {'; '.join(map(str, mistakes))}")
        self.mistakes = tuple(mistakes)
