"""The durable points of a case: where a process can die."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """On which side of what a process dies."""

    BEFORE_COMMIT = "before a commit"
    AFTER_COMMIT = "after a commit"
    BEFORE_CALL = "before a request"
    AFTER_CALL = "after a request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One durable point: the side, and the number of the commit or request since the case began."""

    where: Where
    number: int

    def __str__(self) -> str:
        """Give it as people say it."""
        return f"{self.where} {self.number}"
