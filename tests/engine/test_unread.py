"""A hub's own database that cannot be read now and then: no step has failed by that, and nobody is called."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from hub.errors import DatabaseAway
from hub.store.database import Database
from tests.engine import house as engine_house
from tests.engine.house import House, bundle, loop
from tests.engine.test_once import FILES, THREE_WRITES, exceptions, things
from tests.engine.vendor import Vendor

LOOPED = """
flow: tested
title: Write each line
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: join(':', ['thing', data.id])
steps:
""" + loop(
    """
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: line.id, value: 'x'}" }
    retry: patient
"""
)


class Moody(Database):
    """Refuses every so many reads, until it is told to be calm."""

    refusing: Callable[[], bool] = staticmethod(lambda: False)
    refused = 0

    @property
    def looking(self) -> Connection:
        """Give the connection, or refuse."""
        self._refuse()
        return super().looking

    def _reached(self) -> Connection:
        self._refuse()
        return super()._reached()

    def _refuse(self) -> None:
        if self.refusing():
            self.refused += 1
            raise DatabaseAway(after=0.05)


@pytest.mark.parametrize("flow", [THREE_WRITES, LOOPED], ids=["writes", "loop"])
@pytest.mark.parametrize("seed", range(2))
async def test_every_write_happens_once_and_nobody_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flow: str, seed: int
) -> None:
    monkeypatch.setattr(engine_house, "Database", Moody)
    chance = random.Random(seed)
    vendor = Vendor(fault=lambda _request, number: "lost-after" if number % 7 == 3 else None)
    house = House(tmp_path, vendor, bundle(flow, **FILES))
    database: Any = house.database
    await house.start()
    left = 60

    def refusing() -> bool:
        nonlocal left
        struck = left > 0 and chance.random() < 0.5
        left -= struck
        return struck

    database.refusing = refusing
    await house.give(*({**each, "lines": [{"id": f"{each['id']}-{line}"} for line in range(5)]} for each in things(30)))
    while left > 0 and house.worker.in_flight:
        await house.ambient.clock.sleep(0.5)
    left = 0
    counted = await house.settled()
    assert database.refused > 2
    assert counted == {"succeeded": 30}
    assert not exceptions(house)
    assert len(vendor.documents) == 30 * (3 if flow is THREE_WRITES else 5)
    await house.stop()
