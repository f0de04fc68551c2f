"""The floor of the intake: the same rows by the same driver, in groups, each group one durable commit.

The table has the columns of the hub's events, the same key and the same unique name, and no other index; the rows are
there before the time begins. Nothing is read, checked, compared, audited or answered.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

#: The columns of an event that are not empty, with their types; both databases know these words.
COLUMNS = {
    "id": "text",
    "environment": "text",
    "connection": "text",
    "external_id": "text",
    "type": "text",
    "subject": "text",
    "occurred_at": "bigint",
    "received_at": "bigint",
    "position": "bigint",
    "via": "text",
    "state": "text",
    "deliveries": "integer",
    "data": "text",
    "record_key": "text",
    "body_hash": "text",
}
_TABLE = (
    f"CREATE TABLE floor_events ({', '.join(f'{name} {kind} NOT NULL' for name, kind in COLUMNS.items())}, "
    "PRIMARY KEY (id), UNIQUE (environment, connection, external_id))"
)
_INTO = f"INSERT INTO floor_events ({', '.join(COLUMNS)})"
_ONCE = "ON CONFLICT (environment, connection, external_id) DO NOTHING"
Row = tuple[str | int, ...]


def rows(count: int, data: Callable[[int], str]) -> list[Row]:
    """Make rows as the hub's are, with names that sort by time as its have."""
    now = int(time.time() * 1_000_000)
    made: list[Row] = []
    for number in range(count):
        name = f"https://meter.example.com/eu floor-{number:012}"
        row = (f"event_01kdvdnk{number:012}", "bench", "usage", name, "sent.usage.recorded", "customer-7", now, now)
        made.append((*row, number, "api", "unrouted", 1, data(number), "data", f"{number:064x}"))
    return made


def sqlite_rate(folder: Path, given: Sequence[Row], group: int) -> float:
    """Give rows a second on SQLite with WAL and `synchronous=FULL`."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA cache_size=-65536", _TABLE):
        connection.execute(statement)
    statement = f"{_INTO} VALUES ({', '.join('?' * len(COLUMNS))}) {_ONCE}"
    started = time.perf_counter()
    for start in range(0, len(given), group):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(statement, given[start : start + group])
        connection.execute("COMMIT")
    spent = time.perf_counter() - started
    connection.close()
    return len(given) / spent


def postgresql_rate(url: str, given: Sequence[Row], group: int) -> float:
    """Give rows a second on PostgreSQL by psycopg: a group as columns in one statement, as its settings commit."""
    import psycopg  # noqa: PLC0415 - only where a URL is given

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS floor_events")
        connection.execute(_TABLE)
        arrays = ", ".join(f"%b::{kind}[]" for kind in COLUMNS.values())
        statement: Any = f"{_INTO} SELECT * FROM unnest({arrays}) {_ONCE}"  # noqa: S608 - names of columns
        started = time.perf_counter()
        for start in range(0, len(given), group):
            columns = [list(column) for column in zip(*given[start : start + group], strict=True)]
            connection.execute(statement, columns)
        spent = time.perf_counter() - started
        connection.execute("DROP TABLE floor_events")
    return len(given) / spent
