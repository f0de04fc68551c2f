"""Two runs about the same thing that call one flow: it belongs to the first, and the other reads its end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from hub.model.run import RunState
from tests.engine.house import House, bundle
from tests.engine.test_children import CALLED, Hut, rows, until
from tests.engine.test_compensation import reversals
from tests.engine.test_lanes import exceptions
from tests.engine.test_once import FILES

ADA = "person:p_ada"
CALLS = """
flow: tested
title: Calls, and writes by itself
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.thing
steps:
  - id: own
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: "{id: data.thing, value: data.value}" }
  - id: child
    flow: { flow: called, with: vendor/thing, of: "{id: data.thing, value: data.value}" }
"""
LAST = """
  - id: last
    on_failure: compensate
    call: { connection: vendor, operation: KIND.write, with: vendor/thing, of: "{id: 'z', value: data.more}" }
"""


async def opened(hut: Hut, caller: str, called: str = CALLED) -> House:
    hut.bundle = bundle(caller, **FILES, **{"flows__called.yaml": called})
    return await hut.open()


async def gives(house: House, name: str, more: str = "x") -> None:
    await house.give({"id": name, "thing": "same", "value": "1", "more": more})


@pytest.mark.parametrize("names", ["a", "ab"])
async def test_who_called_a_flow_takes_it_back_whoever_has_read_what_it_gave(tmp_path: Path, names: str) -> None:
    hut = Hut(tmp_path)
    house = await opened(hut, CALLS)
    for count, name in enumerate(names, 1):
        await gives(house, name)
        assert await house.settled() == {"succeeded": count}
    first = rows(house, "tested")[0]["id"]
    assert [row["parent_run"] for row in rows(house, "called")] == [first]
    await house.run_orders.take_back(first, actor=ADA, reason="a mistake")
    assert (await until(house, "called", RunState.COMPENSATED))["parent_run"] == first
    await house.settled()
    assert len(reversals(hut.vendor)) == 1
    await house.stop()


async def test_taking_back_the_second_leaves_what_the_first_called(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    house = await opened(hut, CALLS)
    for name in ("a", "b"):
        await gives(house, name)
        await house.settled()
    await house.run_orders.take_back(rows(house, "tested")[1]["id"], actor=ADA, reason="a mistake")
    await house.settled()
    assert reversals(hut.vendor) == []
    assert [row["state"] for row in rows(house, "called")] == [RunState.SUCCEEDED]
    await house.stop()


async def test_a_second_run_that_fails_takes_nothing_back_that_the_first_called(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    house = await opened(hut, CALLS + LAST.replace("KIND", "upsert"))
    await gives(house, "a")
    await house.settled()
    await house.stop()
    house = await opened(hut, CALLS + LAST.replace("KIND", "native"))
    await gives(house, "b", more="bad")
    await house.settled()
    assert [row["state"] for row in rows(house, "tested")] == [RunState.SUCCEEDED, RunState.COMPENSATED]
    assert [row["state"] for row in rows(house, "called")] == [RunState.SUCCEEDED]
    assert reversals(hut.vendor) == []
    assert [each.reason for each in exceptions(house)] == ["fix-data"]
    await house.stop()


async def test_a_replay_of_the_first_takes_the_flow_with_it_and_the_second_hears_of_its_end(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    called = CALLED.replace("steps:\n", "steps:\n  - id: pause\n    wait: { for: PT40M }\n")
    house = await opened(hut, CALLS + "    timeout: PT30M\n", called)
    for name, minutes in (("a", 20), ("b", 15)):
        await gives(house, name)
        await house.settled(waiting=["child"])
        hut.clock.leap(timedelta(minutes=minutes))
        house.worker.wake()
    async with asyncio.timeout(10):
        while [row["state"] for row in rows(house, "tested")] != [RunState.PARKED, RunState.WAITING]:
            await asyncio.sleep(0.01)
    await house.run_orders.replay(rows(house, "tested")[0]["id"], actor=ADA)
    async with asyncio.timeout(10):
        while [row["parent_run"] for row in rows(house, "called")] != [rows(house, "tested")[2]["id"]]:
            await asyncio.sleep(0.01)
    hut.clock.leap(timedelta(minutes=6))
    house.worker.wake()
    await house.settled(seconds=10)
    assert [row["state"] for row in rows(house, "tested")[1:]] == [RunState.SUCCEEDED] * 2
    await house.stop()
