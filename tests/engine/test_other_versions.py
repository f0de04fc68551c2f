"""Workers of different versions on one database: what one cannot make sense of is left to those who can."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, inspect, select, text

from hub.engine.worker import Worker
from hub.errors import NotUnderstood
from hub.store import tables
from hub.workspace.bundle import Bundle
from tests.engine.house import House, bundle
from tests.engine.test_once import FILES, THREE_WRITES, exceptions, things
from tests.engine.vendor import Vendor


async def test_a_run_of_a_revision_that_a_worker_does_not_understand_goes_to_one_that_does(tmp_path: Path) -> None:
    """It is handed back once, nothing of it is tried or told to a person, and the older worker does all else."""
    vendor = Vendor()
    house = House(tmp_path, vendor, bundle(THREE_WRITES, **FILES))
    refused, asked = set[str](), list[str]()

    async def older(bundle_id: str) -> Bundle:
        asked.append(bundle_id)
        refused.add(bundle_id)
        raise NotUnderstood(bundle=bundle_id)

    newer = Worker(replace(house.parts, worker="worker_newer"))
    house.worker = Worker(replace(house.parts, bundle=older, refused=refused, worker="worker_older"))
    await house.start()
    await house.give(*things(6))
    async with asyncio.timeout(20):
        while not refused or house.worker.in_flight:
            await asyncio.sleep(0.01)
        # It claims again and again, and leaves them where they are.
        for _ in range(5):
            house.worker.wake()
            await asyncio.sleep(0.02)
    with house.database.reading() as connection:
        kept = connection.execute(select(tables.runs.c.state, tables.runs.c.deaths, tables.runs.c.epoch)).all()
        assert {(row.state, row.deaths) for row in kept} == {("queued", 0)} and len(kept) == 6
        assert connection.execute(select(func.count()).select_from(tables.attempts)).scalar() == 0
        before = sum(row.epoch for row in kept)
    assert vendor.number == 0 and exceptions(house) == () and len(asked) <= 6
    # Two for each that it had in hand before it knew: one to take it, one to give it back.
    assert before == 2 * len(asked)
    working = asyncio.create_task(newer.run())
    assert await house.settled() == {"succeeded": 6}
    newer.stop()
    await working
    assert len(vendor.documents) == len({each["id"] for each in vendor.documents})
    await house.stop()


async def test_columns_of_a_newer_version_harm_no_older_one(tmp_path: Path) -> None:
    """Each table has further columns, one of which is never empty: everything is read and written as before."""
    vendor = Vendor(fault=lambda _request, number: "lost-after" if number % 7 == 3 else None)
    house = House(tmp_path, vendor, bundle(THREE_WRITES, **FILES))
    with house.database.writer.begin() as connection:
        # A table's partitions have the columns that it has.
        names = sorted(tables.metadata.tables.keys() & set(inspect(connection).get_table_names()))
        for name in names:
            connection.execute(text(f'ALTER TABLE "{name}" ADD COLUMN of_a_newer_version TEXT'))
            connection.execute(text(f"ALTER TABLE \"{name}\" ADD COLUMN never_empty TEXT NOT NULL DEFAULT 'x'"))
    try:
        await house.start()
        await house.give(*things(4))
        assert await house.settled() == {"succeeded": 4}
        with house.database.reading() as connection:
            found = connection.execute(text("SELECT DISTINCT never_empty, of_a_newer_version FROM runs")).all()
            assert [tuple(row) for row in found] == [("x", None)]
        assert exceptions(house) == ()
    finally:
        with house.database.writer.begin() as connection:
            for name in names:
                for column in ("of_a_newer_version", "never_empty"):
                    connection.execute(text(f'ALTER TABLE "{name}" DROP COLUMN {column}'))
        await house.stop()
