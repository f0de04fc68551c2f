"""The floor of the intake: the same rows by the same driver, in groups, each group one durable commit.

The table has the columns of the hub's events, the same key and the same unique name, by which the database itself tells
what is new; the rows are there before the time begins. It leaves out all else: HTTP, JSON, checks, hashes, the hub's
further indexes, the place in the order, the audit, whom an event wakes or which flow wants it, and the answer.
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
    """Give rows a second on PostgreSQL by psycopg, each commit on the server's disk, in the faster of two ways.

    A group goes as columns in one statement, or is copied beside and inserted from there. Row by row, also in a
    pipeline, and arrays as text were slower than both.
    """
    import psycopg  # noqa: PLC0415 - only where a URL is given

    rates = []
    for way in (_by_columns, _by_copy):
        with psycopg.connect(url, autocommit=True) as connection:
            # As a hub's sessions have it, whatever the server says for others.
            connection.execute("SET synchronous_commit = on")
            connection.execute("DROP TABLE IF EXISTS floor_events")
            connection.execute(_TABLE)
            write = way(connection)
            started = time.perf_counter()
            for start in range(0, len(given), group):
                write(given[start : start + group])
            rates.append(len(given) / (time.perf_counter() - started))
            connection.execute("DROP TABLE floor_events")
    return max(rates)


def _by_columns(connection: Any) -> Callable[[Sequence[Row]], None]:
    arrays = ", ".join(f"%b::{kind}[]" for kind in COLUMNS.values())
    statement = f"{_INTO} SELECT * FROM unnest({arrays}) {_ONCE}"  # noqa: S608 - names of columns

    def write(some: Sequence[Row]) -> None:
        connection.execute(statement, [list(column) for column in zip(*some, strict=True)])

    return write


def _by_copy(connection: Any) -> Callable[[Sequence[Row]], None]:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TEMPORARY TABLE came ({columns}) ON COMMIT DELETE ROWS")

    def write(some: Sequence[Row]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            with cursor.copy("COPY came FROM STDIN") as copying:
                for row in some:
                    copying.write_row(row)
            cursor.execute(f"{_INTO} SELECT * FROM came {_ONCE}")  # noqa: S608 - names of columns

    return write
