"""Two who write the same rows beside each other: in opposite orders they meet in a circle, by the store's words never.

The statement is the same in both cases, so that only the order of its rows makes the difference. A trigger makes each
row take a while: whoever writes them in another order is then surely in the middle, too.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, String, Table
from sqlalchemy.exc import DBAPIError

from hub.store import statements
from hub.store.arrays import BigIntegers, Texts
from hub.store.committer import Transaction, Work
from tests.shared.desk import Desk

pytestmark = pytest.mark.processes

Rows = Sequence[Mapping[str, Any]]
Way = Callable[[Connection, Rows], None]
SHARED = Table("shared", MetaData(), Column("name", String, primary_key=True), Column("number", BigInteger))
NAMES = [f"n{number}" for number in range(6)]
MADE = f"""
CREATE TABLE shared (name text COLLATE "C" PRIMARY KEY, number bigint NOT NULL);
INSERT INTO shared SELECT unnest('{{{",".join(NAMES)}}}'::text[]), 0;
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
CREATE TRIGGER slowly BEFORE UPDATE ON shared FOR EACH ROW EXECUTE FUNCTION slowly()
"""
AS_THEY_COME = (
    "INSERT INTO shared SELECT * FROM unnest(%s::text[], %s::bigint[]) "
    "ON CONFLICT (name) DO UPDATE SET number = excluded.number"
)


def as_they_come(connection: Connection, rows: Rows) -> None:
    """Write rows in the order in which they are given, by the statement of which the store's own are made."""
    given = [Texts([row["name"] for row in rows]), BigIntegers([row["number"] for row in rows])]
    statements.execute(connection, AS_THEY_COME, given)


def upserted(connection: Connection, rows: Rows) -> None:
    statements.upsert(connection, SHARED, rows, keys=["name"], change=["number"])


def changed(connection: Connection, rows: Rows) -> None:
    statements.change(connection, SHARED, rows, key="name", columns=["number"])


async def deadlocks(desk: Desk, write: Way, *, rounds: int) -> int:
    """Let two write the same rows at one moment, one from the first on and one from the last; count the circles."""
    with psycopg.connect(desk.direct, autocommit=True) as connection:
        connection.execute(MADE.encode())
    met: list[str] = []
    together = threading.Barrier(2)

    def both(names: Sequence[str], number: int) -> Work:
        def work(transaction: Transaction) -> None:
            if transaction.beside:
                # Who has met the other in a circle is alone the next time.
                together.wait(10)
            try:
                write(transaction.connection, [{"name": name, "number": number} for name in names])
            except DBAPIError as error:
                met.append(error.orig.sqlstate)  # type: ignore[union-attr]
                raise

        return Work(work, patient=True, beside=True)

    async with desk.committing(deadlock_timeout="100ms") as first, desk.committing("b") as second:
        for committer in (first, second):
            # The first group of each is alone: it takes a log.
            await committer.commit(Work(lambda _: None))
        for number in range(1, rounds + 1):
            await asyncio.gather(first.commit(both(NAMES, number)), second.commit(both(list(reversed(NAMES)), -number)))
    with psycopg.connect(desk.direct) as connection:
        stand = [row for (row,) in connection.execute("SELECT DISTINCT number FROM shared").fetchall()]
    # One after the other, whoever was the last: no mixture of the two.
    assert stand in ([rounds], [-rounds])
    assert set(met) <= {"40P01"}
    return len(met)


async def test_rows_that_are_written_as_they_come_meet_in_a_circle(desk: Desk) -> None:
    """One of the two is undone by the server, and its group made again, alone."""
    assert await deadlocks(desk, as_they_come, rounds=3) == 3


@pytest.mark.parametrize("write", [upserted, changed])
async def test_rows_that_the_store_writes_never_do(desk: Desk, write: Way) -> None:
    assert await deadlocks(desk, write, rounds=8) == 0
