"""Which statements are executed, whoever forms them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from hub.store import statements


@contextmanager
def asked() -> Iterator[set[str]]:
    """Collect the statements that are executed meanwhile."""
    found: set[str] = set()

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        found.add(statement)

    def execute(connection: Connection, sql: str, values: Sequence[Any]) -> Any:
        found.add(sql)
        return straight(connection, sql, values)

    straight = statements.execute
    event.listen(Engine, "before_cursor_execute", note)
    statements.execute = execute
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        statements.execute = straight
