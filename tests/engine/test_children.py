"""Flows that call flows, and events of the hub's own: each once, whatever is killed or replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.model.run import RunState, Stopping
from hub.sdk import exact_json
from hub.store import stopping
from hub.store.committer import Work
from hub.store.tables import runs
from tests.engine import test_lanes as lanes
from tests.engine.house import House, bundle
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

PARENT = """
flow: tested
title: Calls and tells
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
steps:
  - id: child
    flow: { flow: called, with: vendor/thing, of: data }
  - id: told
    emit: { type: concord.thing.done, subject: data.id, with: vendor/thing, of: "{id: data.id, value: child.document}" }
  - id: after
    call:
      connection: vendor
      operation: native.write
      with: vendor/thing
      of: "{id: 'after', value: child.document}"
    undo: thing.reverse
    retry: patient
"""
CALLED = """
flow: called
title: Is called
owner: team:tests
on: { called: vendor.thing@1 }
key: record.key
business_key: record.key
output: "{document: write.id}"
steps:
  - id: write
    call:
      connection: vendor
      operation: probe.write
      with: vendor/thing
      of: "{id: record.key, value: record.value}"
    undo: thing.reverse
    retry: patient
"""
LISTENS = """
flow: listens
title: Hears of it
owner: team:tests
on: { event: concord.thing.done }
key: record.key
business_key: record.key
steps:
  - id: write
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: "{id: 'heard', value: record.value}" }
    retry: patient
"""
WORKSPACE = {**FILES, "flows__called.yaml": CALLED, "flows__listens.yaml": LISTENS}
EVENT = {"id": "a", "key": "k", "value": "1"}


class Hut(lanes.Hut):
    """A house with a flow that calls, one that is called, and one that hears of it."""

    def __init__(self, directory: Path, **more: Any) -> None:
        super().__init__(directory, PARENT, WORKSPACE, **more)


def rows(house: House, flow: str) -> list[Mapping[str, Any]]:
    with house.database.reading() as connection:
        found = connection.execute(select(runs).where(runs.c.flow == flow).order_by(runs.c.created_at, runs.c.id))
        return [dict(row._mapping) for row in found]


async def until(house: House, flow: str, *states: RunState) -> Mapping[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = rows(house, flow)
            if found and found[-1]["state"] in states:
                return found[-1]
            await asyncio.sleep(0.01)


def kinds(vendor: Vendor) -> list[tuple[str, str]]:
    return sorted((document["kind"], document["key"]) for document in vendor.documents)


async def test_a_called_flow_gives_its_output_and_a_told_event_starts_another(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    house = await hut.open()
    await house.give(EVENT)
    await until(house, "tested", RunState.SUCCEEDED)
    await until(house, "listens", RunState.SUCCEEDED)
    assert kinds(hut.vendor) == [("native", "after"), ("probe", "a"), ("upsert", "heard")]
    [child] = rows(house, "called")
    assert exact_json.loads(child["output"]) == {"document": "doc_1"}
    assert (child["parent_run"], child["parent_path"]) == (rows(house, "tested")[0]["id"], "child")
    await house.stop()


async def test_killed_at_any_time_nothing_is_called_or_told_twice(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    for life in range(20):
        house = await hut.open()
        if life == 0:
            await house.give(EVENT)
        await asyncio.sleep(0.003 * (life % 7))
        await house.crash()
    house = await hut.open()
    await until(house, "tested", RunState.SUCCEEDED)
    await until(house, "listens", RunState.SUCCEEDED)
    assert (len(rows(house, "called")), len(rows(house, "listens"))) == (1, 1)
    assert kinds(hut.vendor) == [("native", "after"), ("probe", "a"), ("upsert", "heard")]
    await house.stop()


async def test_a_replay_neither_calls_nor_tells_again(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    house = await hut.open()
    await house.give(EVENT)
    done = await until(house, "tested", RunState.SUCCEEDED)
    await house.run_orders.replay(done["id"], actor="person:p_1")
    async with asyncio.timeout(20):
        while len(rows(house, "tested")) < 2 or rows(house, "tested")[-1]["state"] != RunState.SUCCEEDED:
            await asyncio.sleep(0.01)
    assert (len(rows(house, "called")), len(rows(house, "listens"))) == (1, 1)
    assert rows(house, "called")[0]["parent_run"] == rows(house, "tested")[-1]["id"]
    await house.stop()


async def test_a_called_flow_that_is_parked_keeps_its_caller_waiting_until_it_is_replayed(tmp_path: Path) -> None:
    hut = Hut(tmp_path)
    house = await hut.open()
    await house.give({**EVENT, "value": "bad"})
    parked = await until(house, "called", RunState.PARKED)
    caller = await until(house, "tested", RunState.WAITING)
    assert caller["wait_kind"] == "child"
    hut.vendor.forgiving = True
    await house.run_orders.replay(parked["id"], actor="person:p_1")
    await until(house, "tested", RunState.SUCCEEDED)
    await house.stop()


@pytest.mark.parametrize("how", [Stopping.COMPENSATE, Stopping.CANCEL])
async def test_who_takes_back_a_caller_takes_back_what_it_called(tmp_path: Path, how: Stopping) -> None:
    hut = Hut(tmp_path)
    house = await hut.open()
    await house.give(EVENT)
    done = await until(house, "tested", RunState.SUCCEEDED)
    order = {"actor": "person:p_1", "reason": "not wanted"}
    told = await house.committer.commit(Work(lambda tx: stopping.tell_to_stop(tx, done["id"], how, order)))
    assert told == (how is Stopping.COMPENSATE)
    if how is Stopping.COMPENSATE:
        await until(house, "tested", RunState.COMPENSATED)
        await until(house, "called", RunState.COMPENSATED)
        reversed_ = [document["key"] for document in hut.vendor.documents if document["value"] == "reversed"]
        made = {document["key"]: document["id"] for document in hut.vendor.documents}
        assert sorted(reversed_) == sorted([made["a"], made["after"]])
    await house.stop()


async def test_an_output_that_cannot_be_computed_is_not_given_as_nothing(tmp_path: Path) -> None:
    """Otherwise the caller would go on without what it asked for."""
    hut = Hut(tmp_path)
    broken = {
        **WORKSPACE,
        "flows__called.yaml": CALLED.replace("document: write.id", "document: write.id, sum: abs(write.id)"),
    }
    hut.bundle = bundle(PARENT, **broken)
    house = await hut.open()
    await house.give(EVENT)
    await until(house, "called", RunState.PARKED)
    assert (await until(house, "tested", RunState.WAITING))["wait_kind"] == "child"
    await house.stop()


async def test_two_runs_about_the_same_thing_both_hear_of_the_end_of_the_flow_that_they_call(tmp_path: Path) -> None:
    """The flow runs once, for the first that called it; the second takes nothing away from that one."""
    hut = Hut(tmp_path)
    pause = "steps:\n  - id: pause\n    wait: { for: PT1H }\n"
    files = {**WORKSPACE, "flows__called.yaml": CALLED.replace("steps:\n", pause)}
    parent = PARENT.replace("business_key: data.id", "business_key: data.thing").replace("data.id", "data.thing")
    parent = parent.replace("of: data }", 'of: "{id: data.thing, key: data.thing, value: data.value}" }')
    hut.bundle = bundle(parent, **files)
    house = await hut.open()
    for name in ("a", "b"):
        await house.give({**EVENT, "id": name, "key": name, "thing": "same"})
    await house.settled(waiting=["child"])
    hut.clock.leap(timedelta(hours=1, minutes=1))
    house.worker.wake()
    assert await house.settled(seconds=10) == {"succeeded": 2}
    assert len(rows(house, "called")) == 1
    await house.stop()
