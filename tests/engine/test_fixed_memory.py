"""Thousands of items need no more memory than some: what an item needed is let go when it is done."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hub.engine import tally
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from tests.engine.house import House, bundle
from tests.engine.test_lanes import flow
from tests.engine.test_once import FILES
from tests.engine.vendor import Vendor

#: So many items are looked at together; when the next ones begin, nothing of those before is under way.
WINDOW = 200
COUNT = 2400
#: What may be kept of an item, in blocks of memory: the least that could be kept is one.
MOST = 0.7

LOOP = """
  - id: lines
    foreach:
      each: data.lines
      as: line
      concurrency: 4
      failures: continue
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
          retry: patient
"""
CALL = """
  - id: lines
    call:
      connection: vendor
      operation: native.write
      with: vendor/thing
      each: data.lines
      item: id
      failures: continue
    retry: patient
"""


@dataclass(slots=True)
class Measured(Vendor):
    """A vendor that keeps nothing, and counts the blocks of memory in use whenever a window begins."""

    blocks: list[int] = field(default_factory=list)
    sent: int = 0

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve a request, or not."""
        await asyncio.sleep(0)
        if self.sent % WINDOW == 0:
            gc.collect()
            self.blocks.append(sys.getallocatedblocks())
        self.sent += 1
        body = exact_json.loads(request.body)
        if body["value"] == "bad":
            return Response(status=400)
        return Response(status=200, body=exact_json.dumps({"id": f"doc_{self.sent}"}))


@pytest.fixture(autouse=True)
def _frozen() -> None:
    """Leave what is there already out of the collections that follow, also in later tests; they are quick then."""
    gc.collect()
    gc.freeze()


def of_lines(count: int, every: int, value: str) -> dict[str, Any]:
    made = [{"id": f"l{number}", "value": value if number % every == 1 else "good"} for number in range(count)]
    return {"id": "a", "key": "k", "lines": made}


def _size(event: Mapping[str, Any]) -> int:
    """Give the blocks of memory of a payload that was read."""
    text, before = exact_json.dumps(event), sys.getallocatedblocks()
    read = exact_json.loads(text)
    size = sys.getallocatedblocks() - before
    assert read == event
    return size


async def through(directory: Path, steps: str, event: Mapping[str, Any], *, windows: int) -> list[int]:
    """Give the blocks in use at the beginning of each window."""
    vendor = Measured()
    house = House(directory, vendor, bundle(flow(steps), **FILES))
    await house.start()
    await house.give(event)
    async with asyncio.timeout(30):
        while len(vendor.blocks) < windows:
            await asyncio.sleep(0.01)
    await house.crash()
    return vendor.blocks


@pytest.mark.parametrize("steps", [LOOP, CALL], ids=["foreach", "call-each"])
@pytest.mark.parametrize("value", ["good", "bad"])
async def test_nothing_is_kept_of_an_item_that_is_done_or_has_failed(
    tmp_path: Path, steps: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Later steps read the results of so many.
    monkeypatch.setattr(tally, "MOST_RESULTS", 50)
    blocks = await through(tmp_path, steps, of_lines(COUNT, 2, value), windows=COUNT // WINDOW)
    some, many = min(blocks[3:6]), min(blocks[9:])
    assert (many - some) / (6 * WINDOW) < MOST, blocks


@pytest.mark.parametrize("steps", [LOOP, CALL], ids=["foreach", "call-each"])
async def test_of_items_whose_turn_has_not_come_nothing_is_kept_but_the_list(tmp_path: Path, steps: str) -> None:
    more = []
    # The first life warms up what is made once.
    for life, count in enumerate((WINDOW, WINDOW, COUNT)):
        event = of_lines(count, 2, "good")
        before = sys.getallocatedblocks()
        blocks = await through(tmp_path / str(life), steps, event, windows=1)
        more.append(blocks[0] - before - _size(event))
    assert (more[2] - more[1]) / (COUNT - WINDOW) < MOST, more
