"""Flows over a database that goes away again and again: they wait, make each write once, and nobody is called."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from hub.errors import DatabaseAway, RetryLater
from hub.store.database import Database
from tests.engine import house as engine_house
from tests.engine.house import House, bundle
from tests.engine.test_once import FILES, THREE_WRITES
from tests.engine.vendor import Vendor
from tests.shared.desk import Desk
from tests.shared.servers import Cut, Way

pytestmark = pytest.mark.processes

NUMBER = 120


@pytest.mark.parametrize("seed", range(2))
async def test_every_write_happens_once_over_a_database_that_goes_away(
    desk: Desk, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(engine_house, "Database", lambda directory: Database(directory, desk.url))
    chance = random.Random(seed)
    vendor = Vendor()
    house = House(tmp_path / "house", vendor, bundle(THREE_WRITES, **FILES))
    await house.start()

    async def strike() -> None:
        for number in range(8):
            await asyncio.sleep(chance.random() * 0.2)
            if number % 2:
                way.cut_at_commit(chance.choice(list(Cut)))
            else:
                way.block()
                await asyncio.sleep(chance.random() * 0.5)
                way.unblock()

    async def give(number: int) -> None:
        await asyncio.sleep(chance.random() * 3)
        while True:
            try:
                await house.give({"id": f"t{number}", "key": f"k{number % 40}", "value": str(number)})
            except RetryLater as told:
                # As a sender does that hears 503.
                await asyncio.sleep(min(told.after or 0.1, 0.1))
            else:
                return

    async with asyncio.timeout(90), asyncio.TaskGroup() as together:
        together.create_task(strike())
        for number in range(NUMBER):
            together.create_task(give(number))
    way.unblock()
    while True:
        try:
            counted = await house.settled()
            break
        except DatabaseAway:
            # The last strike is still felt.
            await asyncio.sleep(0.1)
    with house.database.reading() as connection:
        cases = connection.exec_driver_sql("SELECT count(*) FROM cases").scalar()
    await house.stop()
    assert counted == {"succeeded": NUMBER}
    assert len(vendor.documents) == 3 * NUMBER
    assert cases == 0
