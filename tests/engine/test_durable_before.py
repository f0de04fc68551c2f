"""What led somewhere is durable before: a crash after it computes nothing again that came out otherwise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hub.engine import loops
from hub.model.exchange import Request
from hub.store.committer import Write
from hub.store.history import Record
from tests.engine.house import House
from tests.engine.test_lanes import Hut, flow

EVENT = {"id": "a", "key": "k", "value": "1", "lines": [{"id": "l0", "value": "0"}]}


LANES = {
    "loop": """
    foreach:
      each: data.lines
      as: line
      by: line.id
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
""",
    "parallel": """
    parallel:
      - id: write
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
""",
    "parallel-loop": """
    parallel:
      - id: lines
        foreach:
          each: data.lines
          as: line
          by: line.id
          steps:
            - id: write
              call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
""",
}


@pytest.mark.parametrize("how", LANES)
async def test_what_led_to_lanes_is_durable_before_they_write(tmp_path: Path, how: str) -> None:
    houses: list[House] = []
    seen: list[set[str]] = []

    def fault(request: Request, _number: int) -> str | None:
        with houses[0].database.reading() as connection:
            seen.append(set(connection.exec_driver_sql("select path from steps").scalars()))
        return None

    hut = Hut(
        tmp_path, flow("  - id: asked\n    map: vendor/thing\n    of: data\n  - id: way" + LANES[how]), fault=fault
    )
    house = await hut.open()
    houses.append(house)
    await house.give(EVENT)
    await house.settled()
    assert "asked" in seen[0]
    await house.stop()


async def test_what_led_to_an_event_is_durable_before_others_hear_of_it(tmp_path: Path) -> None:
    steps = """
  - id: asked
    map: vendor/thing
    of: data
  - id: told
    emit: { type: concord.thing.done, subject: data.id, of: asked }
"""
    hut = Hut(tmp_path, flow(steps))
    house = await hut.open()
    seen: list[set[str]] = []
    original = house.committer.commit

    async def commit(write: Any) -> Any:
        if type(write).__name__ == "Accept" and write.event["type"] == "concord.thing.done":
            with house.database.reading() as connection:
                seen.append(set(connection.exec_driver_sql("select path from steps").scalars()))
        return await original(write)

    house.committer.commit = commit  # type: ignore[method-assign]
    await house.give(EVENT)
    await house.settled()
    assert seen == [{"asked"}]
    await house.stop()


async def test_a_loop_goes_on_while_what_it_recorded_is_written_and_all_is_durable_before_what_follows(
    tmp_path: Path,
) -> None:
    """Several records of one loop are under way at once, never more than may be, and none any more behind the loop."""
    steps = """
  - id: rows
    foreach:
      each: data.lines
      as: line
      by: line.id
      steps:
        - id: mapped
          map: vendor/thing
          of: line
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
"""
    count, houses, seen = 12 * loops.FLUSHED_AFTER, list[House](), list[int]()

    def fault(_request: Request, _number: int) -> str | None:
        with houses[0].database.reading() as connection:
            seen.extend(connection.execute(text("select count(*) from steps where path like 'rows[%'")).scalars())
        return None

    hut = Hut(tmp_path, flow(steps), fault=fault)
    house = await hut.open()
    houses.append(house)
    original, under_way, most = house.committer.submit, 0, 0

    def submit(write: Write) -> asyncio.Future[Any]:
        nonlocal under_way, most
        future = original(write)
        if isinstance(write, Record) and write.steps:
            under_way += 1
            most = max(most, under_way)
            future.add_done_callback(landed)
        return future

    def landed(_done: asyncio.Future[Any]) -> None:
        nonlocal under_way
        under_way -= 1

    house.committer.submit = submit  # type: ignore[method-assign]
    await house.give({**EVENT, "lines": [{"id": f"l{number}", "value": "0"} for number in range(count)]})
    assert await house.settled() == {"succeeded": 1}
    assert seen == [2 * count]
    assert 1 < most <= loops.MOST_UNDER_WAY + 1
    await house.stop()
