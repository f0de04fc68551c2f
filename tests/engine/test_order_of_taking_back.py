"""In what order a run takes back what it did, what its undos read, and what becomes of the flows that it called."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from hub.model.exchange import Request, Response
from hub.model.run import RunState, Stopping
from tests.engine.house import bundle
from tests.engine.test_children import CALLED, rows
from tests.engine.test_compensation import reversals, stop
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, once, state
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

EVENT = {"id": "a", "key": "k", "value": "1", "lines": [{"id": "l0", "value": "0"}]}


SCOPED = """
  - id: way
    branch:
      - name: only
        steps:
          - id: mapped
            map: vendor/thing
            of: "{id: 'inner', value: data.value}"
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    undo: { operation: native.write, with: vendor/thing, of: "{id: way.mapped.key, value: 'reversed'}" }
  - id: pause
    wait: { for: PT1H }
"""


async def test_after_a_wait_an_undo_reads_what_stands_in_a_branch(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(SCOPED))
    house = await hut.open()
    await house.give(EVENT)
    await house.settled(waiting=["timer"])
    await stop(house, Stopping.COMPENSATE)
    assert reversals(hut.vendor) == ["inner"], [c.detail for c in exceptions(house)]
    await house.stop()


NESTED = """
  - id: outer
    foreach:
      each: data.lines
      as: line
      by: line.id
      steps:
        - id: named
          map: vendor/thing
          of: "{id: join('-', ['named', line.id]), value: 'x'}"
        - id: inner
          foreach:
            each: data.lines
            as: part
            by: part.id
            steps:
              - id: first
                call: { connection: vendor, operation: native.write, with: vendor/thing, of: part }
                undo: { operation: native.write, with: vendor/thing, of: "{id: named.key, value: 'reversed'}" }
  - id: pause
    wait: { for: PT1H }
"""


async def test_an_undo_in_a_loop_of_a_loop_reads_what_stands_in_the_outer_one(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(NESTED))
    house = await hut.open()
    await house.give(EVENT)
    await house.settled(waiting=["timer"])
    await stop(house, Stopping.COMPENSATE)
    assert reversals(hut.vendor) == ["named-l0"], [c.detail for c in exceptions(house)]
    await house.stop()


async def test_a_clock_that_is_put_back_turns_the_order_of_taking_back_not_round(tmp_path: Path) -> None:
    steps = """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'first', value: 'x'}" }
    undo: thing.reverse
  - id: second
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'second', value: 'x'}" }
    undo: thing.reverse
  - id: third
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'third', value: 'bad'}" }
    on_failure: compensate
"""
    hut = Hut(tmp_path, flow(steps))

    def fault(request: Request, number: int) -> str | None:
        if number == 2:
            hut.clock.leap(timedelta(hours=-1))
        return None

    hut.vendor.fault = fault
    house = await once(hut, EVENT)
    made = {d["id"]: d["key"] for d in hut.vendor.documents}
    assert [made[k] for k in reversals(hut.vendor)] == ["second", "first"]
    await house.stop()


PARENT = """
  - id: one
    flow: { flow: called, with: vendor/thing, of: "{id: 'one', value: 'x'}" }
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'middle', value: 'x'}" }
    undo: thing.reverse
  - id: two
    flow: { flow: called, with: vendor/thing, of: "{id: 'two', value: 'x'}" }
  - id: last
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
"""


class Family(Hut):
    """A house with a flow that others call."""

    def __init__(self, directory: Path, text: str) -> None:
        super().__init__(directory, flow("  - id: mapped\n    map: vendor/thing\n    of: data\n"))
        self.bundle = bundle(text, **FILES, **{"flows__called.yaml": CALLED})


def order_of(hut: Hut) -> list[str]:
    made = {d["id"]: d["key"] for d in hut.vendor.documents}
    return [made[k] for k in reversals(hut.vendor)]


async def test_called_flows_are_taken_back_in_their_place(tmp_path: Path) -> None:
    hut = Family(tmp_path, flow(PARENT, HEAD + "on_failure: compensate\n"))
    house = await once(hut, {**EVENT, "value": "bad"})
    assert order_of(hut) == ["two", "middle", "one"]
    await house.stop()


async def test_what_the_run_before_a_replay_called_is_taken_back_too(tmp_path: Path) -> None:
    hut = Family(tmp_path, flow(PARENT))
    house = await once(hut, {**EVENT, "value": "bad"})
    assert state(house)["state"] == "parked"
    hut.vendor.forgiving = True
    await house.run_orders.replay_case(exceptions(house)[0].id, actor="person:p_1")
    await house.settled()
    assert state(house)["state"] == "succeeded"
    await stop(house, Stopping.COMPENSATE)
    await house.settled()
    assert sorted(order_of(hut)) == ["middle", "one", "two"]
    await house.stop()


IN_ITEM = """
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      failures: continue
      steps:
        - id: one
          flow: { flow: called, with: vendor/thing, of: line }
        - id: checked
          map: vendor/thing
          of: line
          expect: { equal: [line.value, line.id], else: { case: not-ok } }
          on_failure: compensate
"""


async def test_an_item_takes_back_the_flow_that_it_called(tmp_path: Path) -> None:
    hut = Family(tmp_path, flow(IN_ITEM))
    house = await once(hut, EVENT)
    assert (order_of(hut), state(house)["state"]) == (["l0"], "succeeded")
    await house.stop()


class Slow(Vendor):
    """Answers nothing before it is let go."""

    def __init__(self) -> None:
        """Hold back."""
        super().__init__()
        self.asked, self.goes = asyncio.Event(), asyncio.Event()

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve one request once it is let go."""
        self.asked.set()
        await self.goes.wait()
        return await super().send(request, headers, timeout)


async def test_a_called_flow_that_ends_just_as_it_is_told_to_keeps_nobody_waiting(tmp_path: Path) -> None:
    """It reaches its end between the order and the record that its caller waits for that."""
    steps = "  - id: one\n    flow: { flow: called, with: vendor/thing, of: data }\n"
    hut = Family(tmp_path, flow(steps))
    hut.vendor = vendor = Slow()
    house = await hut.open()
    original = house.committer.commit

    async def commit(write: Any) -> Any:
        change = getattr(write, "change", None)
        if change is not None and change.get("wait_kind") == "child" and write.winding_up:
            vendor.goes.set()
            while rows(house, "called")[0]["state"] != RunState.SUCCEEDED:
                await asyncio.sleep(0.005)
        return await original(write)

    house.committer.commit = commit  # type: ignore[method-assign]
    await house.give(EVENT)
    await vendor.asked.wait()
    await stop(house, Stopping.CANCEL)
    assert (state(house)["state"], rows(house, "called")[0]["state"]) == (RunState.CANCELLED, RunState.SUCCEEDED)
    await house.stop()
