"""What nothing goes past, whatever a flow says of failures: writes in doubt, and what was taken back only in part."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.model.exchange import Request
from tests.engine.house import House, loop
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, once, state

EVENT = {"id": "a", "key": "k", "value": "1", "lines": [{"id": "l0", "value": "0"}]}


def effects_of(house: House) -> dict[str, str]:
    with house.database.reading() as connection:
        return dict(tuple(row) for row in connection.exec_driver_sql("select path, state from effects"))


UNSAFE = "call: { connection: vendor, operation: unsafe.write, with: vendor/thing, of: data }"
PROBE = "call: { connection: vendor, operation: probe.write, with: vendor/thing, of: data }"
GONE = {
    "branch": f"""
  - id: way
    on_failure: continue
    branch:
      - name: only
        steps:
          - id: write
            {UNSAFE}
""",
    "parallel": f"""
  - id: way
    on_failure: continue
    parallel:
      - id: write
        {UNSAFE}
""",
    "loop": loop(f"- id: write\n  {UNSAFE}", failures="continue"),
    "loop-step": loop(f"- id: write\n  {UNSAFE}", step="on_failure: continue"),
    "many": """
  - id: way
    on_failure: continue
    call:
      connection: vendor
      operation: unsafe.write
      with: vendor/thing
      each: data.lines
      item: id
      failures: continue
""",
}


@pytest.mark.parametrize("how", GONE)
async def test_nothing_goes_past_a_write_of_which_nobody_knows(tmp_path: Path, how: str) -> None:
    hut = Hut(tmp_path, flow(GONE[how]), fault=lambda request, _: "lost-after" if "unsafe" in request.url else None)
    house = await once(hut, EVENT)
    assert (state(house)["state"], list(effects_of(house).values())) == ("parked", ["parked"])
    await house.stop()


LATE = {
    "step": f"""
  - id: write
    {PROBE}
    timeout: PT1S
    on_failure: continue
""",
    "loop": loop(f"- id: write\n  {PROBE}", step="timeout: PT1S\non_failure: continue", failures="continue"),
    "parallel": f"""
  - id: way
    timeout: PT1S
    on_failure: continue
    parallel:
      - id: write
        {PROBE}
      - id: pause
        wait: {{ for: PT1H }}
""",
}


@pytest.mark.parametrize("how", LATE)
async def test_a_write_in_doubt_that_takes_too_long_is_not_gone_past(tmp_path: Path, how: str) -> None:
    def fault(request: Request, _number: int) -> str | None:
        return "lost-after" if request.method == "POST" else "500-before"

    hut = Hut(tmp_path, flow(LATE[how]), fault=fault)
    house = await once(hut, EVENT)
    assert state(house)["state"] == "parked", effects_of(house)
    await house.stop()


ITEM = """
- id: first
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: line.id, value: 'good'}" }
  undo: UNDO
  retry: patient
- id: second
  map: vendor/thing
  of: line
  expect: { equal: [line.value, line.id], else: { case: not-ok } }
  on_failure: compensate
"""


def item(undo: str = "thing.reverse") -> str:
    """Give a loop whose items are taken back."""
    return loop(ITEM.replace("UNDO", undo), failures="continue")


async def test_nothing_goes_past_an_item_that_could_not_take_back_what_it_did(tmp_path: Path) -> None:
    hut = Hut(
        tmp_path,
        flow(item(undo="{ operation: native.write, with: vendor/thing, of: \"{id: line.id, value: 'bad'}\" }")),
    )
    house = await once(hut, {"id": "a", "key": "k", "lines": [{"id": "l0", "value": "no"}]})
    assert state(house)["state"] == "parked"
    assert [c.reason for c in exceptions(house)] == ["compensation-failed"]
    await house.stop()


async def test_the_attempts_of_an_item_to_take_back_come_to_an_end(tmp_path: Path) -> None:
    def fault(request: Request, _number: int) -> str | None:
        return "refused-connection" if b"reversed" in request.body else None

    hut = Hut(tmp_path, flow(item(), HEAD))
    house = await hut.open()
    hut.vendor.fault = fault
    await house.give({"id": "a", "key": "k", "lines": [{"id": "l0", "value": "no"}]})
    async with asyncio.timeout(20):
        while state(house)["state"] != "parked":
            await asyncio.sleep(0.02)
            hut.clock.leap(timedelta(hours=1))
            house.worker.wake()
    with house.database.reading() as connection:
        numbers = connection.execute(text("select number from attempts where path like 'undo%'")).scalars().all()
    assert len(numbers) > 1
    await house.stop()
