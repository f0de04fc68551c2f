"""Conditions, deadlines and failures of steps within steps, together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import indent
from typing import Any

from hub.model.exchange import Request
from hub.model.run import RunState
from hub.sdk import exact_json
from hub.store.tables import effects
from hub.store.tables import steps as table_of_steps
from tests.engine.house import House, loop
from tests.engine.test_children import CALLED, EVENT, rows, until
from tests.engine.test_every_answer import kept
from tests.engine.test_lanes import Hut, exceptions, flow, of_lines, once, state, told
from tests.engine.test_once import FILES


def after(value: str) -> str:
    """Write a last step that tells a value, or that there is none."""
    return f"""
  - id: after
    map: vendor/thing
    of: "{{id: 'after', value: {value} || 'null'}}"
"""


async def too_long(hut: Hut, event: Mapping[str, Any] = EVENT) -> House:
    """Give a house in which what a run waits for has not come within an hour."""
    house = await hut.open()
    await house.give(event)
    await house.settled(waiting=["event"])
    hut.clock.leap(timedelta(minutes=61))
    house.worker.wake()
    await house.settled()
    return house


async def test_what_took_too_long_beside_another_takes_that_back(tmp_path: Path) -> None:
    steps = """
  - id: both
    timeout: PT1H
    on_failure: compensate
    parallel:
      - id: first
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
        undo: thing.reverse
      - id: second
        wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D }
"""
    hut = Hut(tmp_path, flow(steps))
    house = await too_long(hut)
    assert state(house)["state"] == RunState.COMPENSATED
    assert [(each["key"], each["value"]) for each in hut.vendor.documents] == [("a", "1"), ("doc_1", "reversed")]
    [case] = exceptions(house)
    assert (case.reason, case.detail) == ("step-timeout", "The run failed (step-timeout). Taken back: both.first.")
    await house.stop()


async def test_a_loop_whose_items_wait_too_long_is_gone_past(tmp_path: Path) -> None:
    item = """
- id: write
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
- id: paid
  wait: { event: vendor.thing.paid, subject: line.id, timeout: P7D }
"""
    lines = loop(item, step="timeout: PT1H\non_failure: continue", concurrency=2)
    hut = Hut(tmp_path, flow(lines + after("lines.count")))
    house = await too_long(hut, of_lines(3))
    assert state(house)["state"] == RunState.SUCCEEDED
    assert told(house)["after"] == {"key": "after", "value": "null"}
    assert (len(hut.vendor.documents), exceptions(house)) == (3, ())
    error = exact_json.loads(next(row.error for row in kept(house, table_of_steps) if row.path == "lines"))
    assert (error["code"], error["detail"]) == (
        "step-timeout",
        "It took longer than the step may. It waits for vendor.thing.paid about l0.",
    )
    await house.stop()


ITEM = """
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
"""
BESIDE = """
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
"""


async def test_what_is_left_out_or_gone_past_gives_null_to_those_around_it(tmp_path: Path) -> None:
    of_each = loop(
        ITEM,
        concurrency=3,
        failures="continue",
        collect='"{id: line.id, way: way.taken, document: way.write.id}"',
    )
    both = "\n  - id: both\n    parallel:" + indent(of_each + BESIDE, "    ")
    hut = Hut(tmp_path, flow(both + after("both.late.value")))
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
"""
LONG = CALLED + "  - id: pause\n    wait: { for: P2D }\n"


async def called_too_long(hut: Hut, *, until: str) -> House:
    """Give a house in which a called flow took longer than its caller waits; its write is in the state `until` then."""
    house = await hut.open()
    await house.give(EVENT)
    async with asyncio.timeout(10):
        while ([row.state for row in kept(house, effects)], state(house)["state"]) != ([until], RunState.WAITING):
            await asyncio.sleep(0.005)
    hut.clock.leap(timedelta(minutes=61))
    house.worker.wake()
    async with asyncio.timeout(10):
        while state(house)["state"] in ("waiting", "queued", "running"):
            await asyncio.sleep(0.005)
    return house


async def test_a_called_flow_that_takes_too_long_goes_on_without_its_caller(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(CALLS + after("child.document")), {**FILES, "flows__called.yaml": LONG})
    house = await called_too_long(hut, until="done")
    assert (state(house)["state"], told(house)["after"]["value"]) == (RunState.SUCCEEDED, "null")
    [called] = rows(house, "called")
    assert called["state"] == RunState.WAITING
    hut.clock.leap(timedelta(days=2))
    house.worker.wake()
    await until(house, "called", RunState.SUCCEEDED)
    await house.stop()


async def test_nothing_goes_past_a_called_flow_with_a_write_of_which_nobody_knows(tmp_path: Path) -> None:
    def fault(request: Request, _number: int) -> str | None:
        return "500-before" if "look" in request.url else "500-after"

    hut = Hut(tmp_path, flow(CALLS + after("child.document")), {**FILES, "flows__called.yaml": LONG}, fault=fault)
    house = await called_too_long(hut, until="unknown")
    assert state(house)["state"] == RunState.PARKED
    assert "outcome-unknown" in [case.reason for case in exceptions(house)]
    assert "after" not in told(house)
    await house.stop()
