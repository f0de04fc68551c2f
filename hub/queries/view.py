"""What the read models look at."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from hub.model.ambient import Ambient, of_micros


class Readable(Protocol):
    """What can be read: the database, or a replica of it where that is as good."""

    def reading(self) -> AbstractContextManager[Connection]:
        """Give a connection that sees one state and cannot write."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One environment of one database, and the clock that ages are counted by."""

    environment: str
    database: Readable = field(repr=False)
    ambient: Ambient = field(repr=False)

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return self.ambient.now()


def moment(micros: int | None) -> datetime | None:
    """Give the moment of a stored time that may not have come yet."""
    return None if micros is None else of_micros(micros)


def seconds_between(start: int | None, end: int | None) -> float | None:
    """Give the seconds between two stored times, None while one is missing; never less than zero."""
    return None if start is None or end is None else max(0.0, (end - start) / 1_000_000)
