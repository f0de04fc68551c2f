"""Conditions, deadlines and failures of steps within steps, together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from hub.model.exchange import Request
from hub.model.run import RunState
from hub.store.tables import effects
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_lanes import Hut, exceptions, flow, once, state, told
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

EVENT = {"id": "a", "key": "k", "value": "1"}


async def past_the_deadline(house: House, clock: FastClock) -> None:
    await house.settled(waiting=["event"])
    clock.leap(timedelta(minutes=61))
    house.worker.wake()
    await house.settled()


async def test_what_took_too_long_beside_another_takes_that_back(tmp_path: Path) -> None:
    hut = Hut(
        tmp_path,
        flow("""
  - id: both
    timeout: PT1H
    on_failure: compensate
    parallel:
      - id: first
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
        undo: thing.reverse
      - id: second
        wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D }
"""),
    )
    house = await hut.open()
    await house.give(EVENT)
    await past_the_deadline(house, hut.clock)
    assert state(house)["state"] == RunState.COMPENSATED
    assert [(each["key"], each["value"]) for each in hut.vendor.documents] == [("a", "1"), ("doc_1", "reversed")]
    [case] = exceptions(house)
    assert (case.reason, case.detail) == ("step-timeout", "The run failed (step-timeout). Taken back: both.first.")
    await house.stop()


async def test_a_loop_whose_items_wait_too_long_is_gone_past(tmp_path: Path) -> None:
    hut = Hut(
        tmp_path,
        flow("""
  - id: lines
    timeout: PT1H
    on_failure: continue
    foreach:
      each: data.lines
      as: line
      by: line.id
      concurrency: 2
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
        - id: paid
          wait: { event: vendor.thing.paid, subject: line.id, timeout: P7D }
  - id: after
    map: vendor/thing
    of: "{id: 'after', value: lines.count || 'null'}"
"""),
    )
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "lines": [{"id": f"l{number}", "value": "1"} for number in range(3)]})
    await past_the_deadline(house, hut.clock)
    assert state(house)["state"] == RunState.SUCCEEDED
    assert told(house)["after"] == {"key": "after", "value": "null"}
    assert (len(hut.vendor.documents), exceptions(house)) == (3, ())
    await house.stop()


async def test_what_is_left_out_or_gone_past_gives_null_to_those_around_it(tmp_path: Path) -> None:
    hut = Hut(
        tmp_path,
        flow("""
  - id: both
    parallel:
      - id: lines
        foreach:
          each: data.lines
          as: line
          by: line.id
          concurrency: 3
          failures: continue
          collect: "{id: line.id, way: way.taken, document: way.write.id}"
          steps:
            - id: way
              when: line.value != 'skip'
              branch:
                - name: soft
                  when: line.soft
                  steps:
                    - id: write
                      call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
                      on_failure: continue
                - name: hard
                  steps:
                    - id: refused
                      call: { connection: vendor, operation: probe.write, with: vendor/thing, of: line }
      - id: none
        when: "`false`"
        parallel:
          - id: inner
            map: vendor/thing
            of: data
      - id: telling
        needs: [none]
        emit: { type: concord.thing.told, subject: none.inner.value }
        on_failure: continue
      - id: late
        needs: [telling, lines]
        map: vendor/thing
        of: "{id: to_string(lines.failed), value: telling.id || 'null'}"
  - id: after
    map: vendor/thing
    of: "{id: 'after', value: both.late.value}"
"""),
    )
    lines = [
        {"id": "1", "value": "bad", "soft": True},
        {"id": "2", "value": "bad", "soft": False},
        {"id": "3", "value": "skip"},
        {"id": "4", "value": "ok", "soft": True},
    ]
    house = await once(hut, {**EVENT, "lines": lines})
    outputs = told(house)
    assert outputs["both.lines"] == {
        "count": 4,
        "succeeded": 3,
        "failed": 1,
        "collected": [
            {"id": "1", "way": "soft", "document": None},
            {"id": "3", "way": None, "document": None},
            {"id": "4", "way": "soft", "document": "doc_1"},
        ],
    }
    assert outputs["both.late"] == {"key": "1", "value": "null"}
    assert outputs["after"] == {"key": "after", "value": "null"}
    assert state(house)["state"] == RunState.SUCCEEDED
    await house.stop()


CALLS = """
  - id: child
    flow: { flow: called, with: vendor/thing, of: data }
    timeout: PT1H
    on_failure: continue
  - id: after
    map: vendor/thing
    of: "{id: 'after', value: child.document || 'null'}"
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
    retry: patient
  - id: pause
    wait: { for: P2D }
"""


async def called_too_long(tmp_path: Path, clock: FastClock, vendor: Vendor, *, until: str) -> House:
    """Give a house in which a called flow took longer than its caller waits; its write is in the state `until` then."""
    house = House(tmp_path, vendor, bundle(flow(CALLS), **FILES, **{"flows__called.yaml": CALLED}), clock=clock)
    await house.start()
    await house.give(EVENT)
    async with asyncio.timeout(10):
        while (states(house), state(house)["state"]) != ([until], RunState.WAITING):
            await asyncio.sleep(0.005)
    clock.leap(timedelta(minutes=61))
    house.worker.wake()
    async with asyncio.timeout(10):
        while state(house)["state"] in ("waiting", "queued", "running"):
            await asyncio.sleep(0.005)
    return house


def states(house: House) -> list[str]:
    with house.database.reading() as connection:
        return [str(row.state) for row in connection.execute(effects.select())]


def child(house: House) -> Mapping[str, Any]:
    with house.database.reading() as connection:
        row = connection.exec_driver_sql("select * from runs where flow='called'").one()
    return dict(row._mapping)


async def test_a_called_flow_that_takes_too_long_goes_on_without_its_caller(tmp_path: Path) -> None:
    clock = FastClock()
    house = await called_too_long(tmp_path, clock, Vendor(), until="done")
    assert (state(house)["state"], told(house)["after"]["value"]) == (RunState.SUCCEEDED, "null")
    assert child(house)["state"] == RunState.WAITING
    clock.leap(timedelta(days=2))
    house.worker.wake()
    async with asyncio.timeout(10):
        while child(house)["state"] != RunState.SUCCEEDED:
            await asyncio.sleep(0.005)
    await house.stop()


async def test_nothing_goes_past_a_called_flow_with_a_write_of_which_nobody_knows(tmp_path: Path) -> None:
    def fault(request: Request, _number: int) -> str | None:
        return "500-before" if "look" in request.url else "500-after"

    house = await called_too_long(tmp_path, FastClock(), Vendor(fault=fault), until="unknown")
    assert state(house)["state"] == RunState.PARKED
    assert "outcome-unknown" in [case.reason for case in exceptions(house)]
    assert "after" not in told(house)
    await house.stop()
