"""Which statements are executed, whoever forms them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from hub.store import statements


@contextmanager
def listening(note: Callable[[str, int], None]) -> Iterator[None]:
    """Tell of every statement that is executed meanwhile, and of how many rows it brings (one that only asks: 1)."""

    def formed(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, many: bool) -> None:  # noqa: FBT001
        note(statement, len(given) if many else _rows(statement))

    def execute(connection: Connection, sql: str, values: Sequence[Any]) -> Any:
        note(sql, _rows(sql))
        return straight(connection, sql, values)

    straight = statements.execute
    event.listen(Engine, "before_cursor_execute", formed)
    statements.execute = execute
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", formed)
        statements.execute = straight


def _rows(statement: str) -> int:
    return max(1, statement.partition("VALUES")[2].count("(?"))


@contextmanager
def asked() -> Iterator[set[str]]:
    """Collect the statements that are executed meanwhile."""
    found: set[str] = set()
    with listening(lambda statement, _rows: found.add(statement)):
        yield found
